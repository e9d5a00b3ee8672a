"""Measure how late one learns that a job has ended: a waiting request, against `sbatch -W`."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.figures import Figure, Topic, spread
from tests.bench.world import USER, World

_JOBS = 16
_BODY = "sleep {seconds}\ndate +%s%N"


def measure(world: World) -> Topic:
    """Let jobs of some seconds end while somebody waits for each."""
    with ThreadPoolExecutor(_JOBS + 1) as pool:
        raw = pool.submit(_raw, world)
        waits = [pool.submit(_wait, world, 8 + number * 0.53) for number in range(_JOBS)]
        late = [each.result() for each in waits]
        figure = Figure(
            what=f"{_JOBS} jobs of 8 to 16 s",
            numbers=spread(late) | {"max_ms": max(late) * 1000},
            aim="p99 <= 2 s",
            raw=f"`sbatch -W`, a 10 s job: {raw.result():.1f} s late",
            rival="6.4 s late (client polling)",
        )
    return Topic(title="The script's last act, known to a waiter (GET …?wait=60)", figures=[figure])


def _wait(world: World, seconds: float) -> float:
    job = world.live.submit(_BODY.format(seconds=seconds), "--time=5", "--mem=10", user=USER)
    client = world.live.client(USER)
    while client.job(job.id, wait_s=60).ended_at is None:
        pass
    known = time.time()
    return known - int(world.live.output(job, user=USER)) / 1e9


def _raw(world: World) -> float:
    folder = world.live.place.attempts / world.unix_user
    output = folder / "bench.ended"
    script = _BODY.format(seconds=10)
    world.as_tenant("sbatch", "-W", "--time=5", "--mem=10", f"--chdir={folder}", f"--output={output}", "--wrap", script)
    return time.time() - int(output.read_text()) / 1e9
