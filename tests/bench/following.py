"""Measure how long a line takes from a job's write on its node to those who follow its log."""

import asyncio
import json
import subprocess
import sys
import time

import uvloop

from tests.bench.figures import Figure, Topic, spread
from tests.bench.world import USER, World

_LINES, _EVERY_S = 100, 0.05
_WRITER = f"""\
import os, time
time.sleep(3)
for number in range({_LINES}):
    os.write(1, b"%d line %d of a solver's output, some sixty bytes of text\\n" % (time.time_ns(), number))
    time.sleep({_EVERY_S})
"""
_RIVAL = "1 s polling: p50 0.5, max 1.0 s; no stream"


def measure(world: World) -> Topic:
    """Follow one job with 1, 100 and 500 followers, 20 lines a second."""
    figures = []
    for followers in (1, 100, 500):
        job = world.live.submit(f"exec python3 -u -c '\n{_WRITER.replace(chr(39), '')}'", user=USER)
        delays = _follow(world, job.id, followers)
        world.live.finish(job, user=USER)
        missing = followers * _LINES - len(delays)
        numbers = spread(delays) | {"max_ms": max(delays, default=0) * 1000, "lines_missing": missing}
        aim = "p50 <= 30 ms, p99 <= 300 ms"
        figures.append(
            Figure(what=f"{followers} followers", numbers=numbers, aim=aim, raw="`tail -F` 0.4 ms", rival=_RIVAL)
        )
    return Topic(title="A line written on a node, seen by a follower (SSE)", figures=figures)


def _follow(world: World, job: str, followers: int) -> list[float]:
    argv = [sys.executable, "-m", "tests.bench.following", str(world.live.place.port), job, str(followers)]
    done = subprocess.run(argv, input=world.token, capture_output=True, text=True, check=True)
    return [float(each) for each in json.loads(done.stdout)]


async def _one(port: int, job: str, token: str, delays: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    target = f"/v1/jobs/{job}/logs?stream=stdout&follow=true"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    kind = b""
    while line := await reader.readline():
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        elif line.startswith(b"data: ") and kind == b"chunk":
            now = time.time_ns()
            text = json.loads(line[6:])["text"]
            delays += [(now - int(each.split()[0])) / 1e9 for each in text.splitlines() if each]
        if kind == b"end":
            break
    writer.close()


async def _crowd(port: int, job: str, token: str, followers: int) -> list[float]:
    delays: list[float] = []
    await asyncio.gather(*(_one(port, job, token, delays) for _ in range(followers)))
    return delays


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_crowd(int(sys.argv[1]), sys.argv[2], sys.stdin.read(), int(sys.argv[3])))))
