"""Run a gateway of the bench's own on the dev cluster, beside raw Slurm, and leave nothing behind."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gateway.demo.place import Place
from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.settings import DEFAULT_ROOT
from tests.bench import load
from tests.bench.copies import multiply
from tests.live import Live, eventually, running

USER = "alan"
JOBS_KEPT = 100_000


@dataclass(frozen=True)
class World:
    """The gateway under test and the cluster it stands before."""

    live: Live

    @property
    def unix_user(self) -> str:
        """The tenant's Unix user, for raw Slurm commands."""
        return f"{self.live.cluster.settings.user_prefix}{USER}"

    @cached_property
    def token(self) -> str:
        """The tenant's token."""
        return self.live.token(USER)

    def send(self, method: str, *targets: str, clients: int, seconds: float, **more: object) -> load.Result:
        """Let the load generator work."""
        plan = {"port": self.live.place.port, "token": self.token, "method": method, "targets": targets}
        result = load.run(load.Plan(**(plan | {"clients": clients, "seconds": seconds} | more)))  # type: ignore[arg-type]
        if result.failed:
            print(f"  {result.failed} requests failed; the first: {result.first_failure}")
        return result

    def as_tenant(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the tenant's Unix user, with Slurm's configuration and nothing of ours."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "SLURM_CONF": str(self.live.cluster.settings.slurm_conf)}
        argv = ("runuser", "-u", self.unix_user, "--", *argv)
        return subprocess.run(argv, env=environment, cwd="/", capture_output=True, text=True, check=True)

    def slurm(self, *argv: str) -> str:
        """Run a Slurm command as root."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "SLURM_CONF": str(self.live.cluster.settings.slurm_conf)}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the gateway's database."""
        with closing(sqlite3.connect(self.live.place.state / "gateway.db", timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def newest_job(self) -> int:
        """The highest job id given out so far."""
        return int(str(self.ask("SELECT coalesce(max(id), 0) FROM jobs")[0][0]))

    def cancel_everything(self) -> None:
        """Cancel what the bench has in Slurm: the tenants are also other people's tests'."""
        rows = [line.split("|", 1) for line in self.slurm("squeue", "--noheader", "--format=%A|%Z").splitlines()]
        ours = [job for job, where in rows if where.startswith(str(self.live.place.attempts))]
        for start in range(0, len(ours), 1000):
            subprocess.run(
                ["scancel", *ours[start : start + 1000]],
                env={"PATH": "/usr/bin", "SLURM_CONF": str(self.live.cluster.settings.slurm_conf)},
                check=False,
            )

    def settle(self, within_s: float = 120) -> None:
        """Cancel all and wait until the gateway has nothing left to do."""
        until = time.monotonic() + within_s
        while self.ask("SELECT 1 FROM steps WHERE phase IN ('PENDING', 'SUBMITTING') LIMIT 1"):
            assert time.monotonic() < until, "the controller does not get through its jobs"
            time.sleep(0.1)
        self.cancel_everything()
        final = "('COMPLETED', 'FAILED', 'CANCELLED')"
        while self.ask(f"SELECT 1 FROM steps WHERE phase NOT IN {final} LIMIT 1"):
            assert time.monotonic() < until, "cancelled jobs do not end"
            time.sleep(0.1)

    @contextmanager
    def without_controller(self) -> Iterator[None]:
        """Hold the controller still, at a moment at which it holds no lock of the database."""
        for attempt in range(20):
            self.live.kill("gateway.worker", signal.SIGSTOP)
            try:
                with closing(sqlite3.connect(self.live.place.state / "gateway.db", timeout=0.2)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:
                self.live.kill("gateway.worker", signal.SIGCONT)
                assert attempt < 19, "the controller never lets go of the database"
        try:
            yield
        finally:
            self.live.kill("gateway.worker", signal.SIGCONT)

    @cached_property
    def history(self) -> tuple[int, int]:
        """The first and last id of 100,000 finished jobs: copies of one that ran."""
        model = int(self.live.run("true", user=USER).id)
        first = self.newest_job() + 1
        with closing(sqlite3.connect(self.live.place.state / "gateway.db", timeout=30)) as connection:
            for start in range(first, first + JOBS_KEPT, 10_000):  # the gateway must not wait for all of it
                multiply(connection, model, first=start, count=10_000)
        return first, first + JOBS_KEPT - 1


@contextmanager
def bench_world() -> Iterator[World]:
    """Start the gateway on the dev cluster, which is brought up if need be and left as it was found."""
    assert os.getuid() == 0, "the dev cluster needs root: run `make bench`"
    cluster = DevCluster.at(Path(os.environ.get("SGW_DEV_ROOT", DEFAULT_ROOT)))
    found = cluster.root.exists()
    cluster.up()
    try:
        with running(cluster, Place(cluster=cluster.settings, name="gateway-bench", port_offset=95)) as live:
            # The first look at the cluster must be behind us: jobs wait for it.
            eventually(lambda: live.client(USER).nodepools().items, what="the first look at the cluster")
            world = World(live)
            live.run("true", user=USER)  # the first of a user makes their folder and opens a session
            try:
                yield world
            finally:
                world.cancel_everything()
    finally:
        if not found:
            cluster.down()
