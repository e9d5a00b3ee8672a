"""Measure how quickly accepted jobs are in Slurm, against a loop of raw `sbatch` on the same cluster."""

import json
import time
from datetime import datetime

from tests.bench.figures import Figure, Topic, spread
from tests.bench.submitting import HELD
from tests.bench.world import USER, World

_JOBS = 500
_SBATCH = 'sbatch --parsable --hold --time=5 --job-name=bench --chdir="$2" --output=/dev/null "$3"'
_LOOP = f'for n in $(seq "$1"); do {_SBATCH}; done'


def measure(world: World) -> Topic:
    """Compare bursts, and tell how long a single job takes to get there."""
    alone, four = _raw(world, loops=1), _raw(world, loops=4)
    before = world.newest_job()
    started = time.time()
    posted = world.send("POST", "/v1/jobs", clients=8, seconds=60, body=HELD, most=_JOBS)
    arrived = _arrivals(world, before)
    rate = len(arrived) / (max(landed for _, landed in arrived) - started)
    world.settle()
    drained = _drained(world)
    before = world.newest_job()
    world.send("POST", "/v1/jobs", clients=1, seconds=5, body=HELD, rate=10.0)
    paced = [landed - accepted for accepted, landed in _arrivals(world, before)]
    world.settle()
    return Topic(
        title="Accepted, then visible in Slurm",
        figures=[
            Figure(what=f"{_JOBS} jobs, 8 clients posting: first request to last job in Slurm",
                   numbers={"jobs_per_s": rate, "of_one_loop_percent": 100 * rate / alone,
                            "of_four_loops_percent": 100 * rate / four},
                   aim=">= 80 % of the sbatch loop", raw=f"one loop {alone:.0f}/s, four loops {four:.0f}/s",
                   rival="206/s submitted"),
            Figure(what=f"meanwhile accepted ({len(posted.latencies)} jobs)", numbers={"jobs_per_s": posted.rate}),
            Figure(
                what=f"{_JOBS} jobs waiting: first to last in Slurm, nobody posting",
                numbers={"jobs_per_s": drained, "of_one_loop_percent": 100 * drained / alone},
                aim=">= 80 % of the sbatch loop",
            ),
            Figure(what="10 a second: accepted to visible", numbers=spread(paced), aim="p50 <= 250 ms"),
        ],
        note="Visible: sbatch has answered with the job's id (its clock). Accepted: the job's transaction began.",
    )  # fmt: skip


def _raw(world: World, *, loops: int) -> float:
    """Run loops of sbatch as the tenant; returns jobs a second."""
    folder = world.live.place.attempts / world.unix_user
    script = folder / "bench.sh"
    world.as_tenant("bash", "-c", f"printf '#!/bin/bash\\nsleep 60\\n' >{script}")
    count = _JOBS // 2 // loops
    started = time.perf_counter()
    command = " & ".join([f"bash -c '{_LOOP}' _ {count} {folder} {script}"] * loops) + " & wait"
    world.as_tenant("bash", "-c", command)
    took = time.perf_counter() - started
    world.cancel_everything()
    return count * loops / took


def _drained(world: World) -> float:
    """Let jobs pile up while the controller is held still; returns how many a second it then hands over."""
    before = world.newest_job()
    with world.without_controller():
        world.send("POST", "/v1/jobs", clients=8, seconds=60, body=HELD, most=_JOBS)
    landed = sorted(landed for _, landed in _arrivals(world, before))
    world.settle()
    return (len(landed) - 1) / (landed[-1] - landed[0])


def _arrivals(world: World, before: int) -> list[tuple[float, float]]:
    """Wait for all jobs after `before` to be in Slurm; returns when each was accepted and when it landed."""
    until = time.monotonic() + 60
    while world.ask("SELECT 1 FROM steps WHERE job_id > ? AND phase IN ('PENDING', 'SUBMITTING') LIMIT 1", before):
        assert time.monotonic() < until, "jobs do not arrive in Slurm"
        time.sleep(0.05)
    folder = world.live.place.attempts / world.unix_user
    rows = world.ask(
        "SELECT j.created_at, a.id FROM jobs j JOIN attempts a ON a.job_id = j.id WHERE j.id > ? AND j.user_name = ?",
        before,
        USER,
    )
    return [
        (_epoch(str(created)), json.loads((folder / str(attempt) / "answer.json").read_text())["ended"])
        for created, attempt in rows
    ]


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text + "+00:00").timestamp()
