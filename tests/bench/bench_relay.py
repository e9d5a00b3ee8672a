"""Measure how long a line takes from the writer's write(2) to followers' coroutines.

Run as `python tests/bench/bench_relay.py [seconds]`: a second process appends stamped lines to one file, 20 a second;
1, 100 and 500 followers in this process await them and render them as JSON, as the service would.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from logs.chunk import Chunk, End, as_json
from logs.relay import Relay, Target
from logs.source import FileSource

WRITER = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    for number in range(int(sys.argv[2])):
        file.write(b"%d line %d of a solver's output, some sixty bytes of text\\n" % (time.time_ns(), number))
        time.sleep(0.05)
"""


async def consume(relay: Relay, path: Path, delays: list[float]) -> int:
    received = 0
    with relay.follow(Target(key=path, source=FileSource(path))) as follower:
        while not isinstance(item := await follower.next(), End):
            if isinstance(item, Chunk):
                line = json.loads(as_json(item))["text"]
                delays.append((time.time_ns() - int(line.split()[0])) / 1e6)
                received += len(item.data)
    return received


async def measure(followers: int, lines: int) -> None:
    relay = Relay()
    delays: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdout"
        path.touch()
        tasks = [asyncio.create_task(consume(relay, path, delays)) for _ in range(followers)]
        await asyncio.sleep(0.2)
        before = time.process_time()
        started = time.monotonic()
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(path), str(lines))
        await writer.wait()
        used = (time.process_time() - before) / (time.monotonic() - started)
        relay.finish(path)
        received = await asyncio.gather(*tasks)
        assert set(received) == {path.stat().st_size}, "a follower missed bytes"
    relay.close()
    delays.sort()
    at = [delays[int(len(delays) * share)] for share in (0.5, 0.95, 0.99)]
    print(
        f"{followers:4d} followers, {lines} lines: p50 {at[0]:6.1f}  p95 {at[1]:6.1f}  p99 {at[2]:6.1f}  "
        f"max {delays[-1]:6.1f} ms, {used:.0%} of one core"
    )


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    for count in (1, 100, 500):
        asyncio.run(measure(count, int(seconds * 20)))
