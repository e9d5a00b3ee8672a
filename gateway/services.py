"""Bundle the live collaborators that use-cases work with; `wiring.py` is the one place that makes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.db.database import Database
from gateway.db.writer import GroupWriter
from gateway.notices import Notices
from gateway.settings import Settings
from gateway.slurm.runner import Runner
from gateway.slurm.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a process needs to do its work."""

    settings: Settings
    clock: Clock
    database: Database
    writer: GroupWriter
    """For the many small writes of people's requests; controllers use `database` and batch by themselves."""
    notices: Notices
    transports: Mapping[str, Transport]
    runners: Mapping[str, Runner]
