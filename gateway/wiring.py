"""Choose the classes: the one place that turns settings into live collaborators."""

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gateway
from gateway import redis
from gateway.clock import SystemClock
from gateway.db import schema
from gateway.db.database import Database
from gateway.db.writer import GroupWriter
from gateway.errors import GatewayFault
from gateway.ids import ClusterName
from gateway.notices import Notices
from gateway.services import Services
from gateway.settings import ClusterSettings, Settings
from gateway.slurm.helper import HelperRunner
from gateway.slurm.runner import Runner
from gateway.slurm.transport import Transport
from gateway.slurm.transports.command import CommandTransport


@contextmanager
def services(settings: Settings) -> Iterator[Services]:
    """Build, start and in the end stop everything a process works with.

    Raises GatewayFault when the database's schema is not this version's.
    """
    demand_own_packages()
    with ExitStack() as stack:
        notices = Notices(redis.connect(settings.effective_redis_url))
        database = Database(settings.effective_database_url, clock=SystemClock(), publish=notices.publish)
        stack.callback(database.dispose)
        schema.demand_current(database)
        runners: dict[str, Runner] = {}
        for name, cluster in settings.clusters.items():
            runners[name] = HelperRunner(cluster.runas_socket)
            stack.callback(runners[name].close)
        notices.start()
        stack.callback(notices.stop)
        writer = GroupWriter(database)
        writer.start()
        stack.callback(writer.stop)
        yield Services(
            settings=settings,
            clock=SystemClock(),
            database=database,
            writer=writer,
            notices=notices,
            transports={name: _transport(name, cluster, runners[name]) for name, cluster in settings.clusters.items()},
            runners=runners,
        )


def demand_own_packages() -> None:
    """Raise GatewayFault if another distribution's `logs`, `quota`, `staging` or `slurm_templates` hides ours."""
    ours = Path(gateway.__file__).parent.parent
    for name in ("logs", "quota", "slurm_templates", "staging"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != ours:
            where = "nowhere" if spec is None else str(spec.origin)
            raise GatewayFault(f"The package {name!r} was found at {where}, not beside gateway in {ours}.")


def database(settings: Settings) -> Database:
    """Open the database alone, for administration."""
    return Database(settings.effective_database_url, clock=SystemClock())


def _transport(name: str, cluster: ClusterSettings, runner: Runner) -> Transport:
    return CommandTransport(
        ClusterName(name),
        runner=runner,
        slurm_conf=cluster.slurm_conf,
        attempts_root=cluster.attempts_root,
        accounting=cluster.accounting,
        timeout_s=cluster.command_timeout_s,
    )
