"""Measure the collector with 10,000 live jobs: the real one, over squeue's text, on a database of its own."""

import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

from gateway.clock import ManualClock
from gateway.controller.collector import Collector
from gateway.ids import ClusterName
from gateway.services import Services
from gateway.slurm.runner import CommandResult, Runner
from gateway.slurm.transports.command import CommandTransport
from gateway.testing import slurm_text
from gateway.testing.fake_controller import FakeController, FakeJob
from tests.bench.copies import multiply
from tests.bench.figures import Figure, Topic
from tests.bench.world import World
from tests.core_world import CLUSTER, add_job, sqlite_world, start

_JOBS = 10_000
_MARK = "\x1ebench\x1e"


class _Queue:
    """Answers the collector's questions as Slurm's commands would, and counts them."""

    def __init__(self, jobs: Sequence[FakeJob]) -> None:
        self.jobs = jobs
        self.controller = FakeController(clock=ManualClock())
        self.asked: Counter[str] = Counter()
        self.write()

    def write(self) -> None:
        self.text = slurm_text.squeue(self.jobs, _MARK)

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        self.asked[argv[0]] += 1
        said = {"squeue": self.text, "scontrol": slurm_text.config(self.controller), "sinfo": slurm_text.sinfo([])}
        return CommandResult(exit_code=0, stdout=said[argv[0]], stderr="")


def measure(_: World) -> Topic:
    """Look again and again: all jobs new, nothing new, a tenth of them started."""
    with tempfile.TemporaryDirectory() as folder, sqlite_world(Path(folder)) as services:
        queue = _Queue(_live_jobs(services))
        transport = CommandTransport(
            ClusterName(CLUSTER),
            runner=cast("Runner", None),
            slurm_conf=Path("/none"),
            attempts_root=Path("/jobs"),
            query=queue,
            mark=lambda: _MARK,
        )
        collector = Collector(replace(services, transports={CLUSTER: transport}), CLUSTER, holder="bench")
        figures = [_tick(collector, queue, "all of them new")]
        collector.run_once()
        figures.append(_tick(collector, queue, "nothing new"))
        for job in queue.jobs[: _JOBS // 10]:
            job.state, job.reason, job.started = "RUNNING", "", queue.controller.now
        queue.write()
        figures.append(_tick(collector, queue, "a tenth of them started"))
    note = "The controller's own CPU, with reading the answer and writing the database; squeue itself is not run."
    return Topic(title="Refresh 10,000 live jobs", figures=figures, note=note)


def _live_jobs(services: Services) -> list[FakeJob]:
    with services.database.begin() as transaction:
        model = add_job(transaction)
    start(services.database, model)
    with closing(sqlite3.connect(str(services.database.engine.url.database))) as connection:
        multiply(connection, model, first=model + 1, count=_JOBS - 1)
        connection.execute("UPDATE attempts SET slurm_job_id = job_id, started_at = NULL")
        connection.execute("UPDATE steps SET phase = 'QUEUED'")
        connection.execute("UPDATE jobs SET phase = 'QUEUED', state = 'PENDING'")
        connection.commit()
        rows = connection.execute("SELECT job_id, id, uid FROM attempts").fetchall()
    return [
        FakeJob(job_id=job, user="ada", uid=uid, name="heat", account="acme", partition="cpu",
                workdir=f"/jobs/acme-ada/{attempt}", submitted=1_700_000_000, split=True)
        for job, attempt, uid in rows
    ]  # fmt: skip


def _tick(collector: Collector, queue: _Queue, what: str) -> Figure:
    queue.asked.clear()
    cpu, wall = time.process_time(), time.perf_counter()
    collector.run_once()
    numbers = {"cpu_ms": (time.process_time() - cpu) * 1000, "waited_ms": (time.perf_counter() - wall) * 1000}
    return Figure(what=what, numbers=numbers | {"squeue": queue.asked["squeue"]}, aim="<= 1 s of CPU, one query")
