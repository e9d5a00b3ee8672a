"""Choose the classes: the one place that turns settings into live collaborators."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gateway import redis
from gateway.clock import SystemClock
from gateway.db import schema
from gateway.db.database import Database
from gateway.db.writer import GroupWriter
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
