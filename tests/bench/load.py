"""Send requests over keep-alive connections, one at a time on each, and time every answer.

A process of its own (`python -m tests.bench.load`, a plan on stdin, a result on stdout), so that its work does not
count as the gateway's; and a bare protocol, because a comfortable client costs more CPU than the server under test has.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send. Clients take the targets in turn, and begin anew at the end."""

    port: int
    token: str
    method: str
    targets: Sequence[str]
    clients: int
    seconds: float
    body: str = ""
    keys: str = ""
    """With every request an Idempotency-Key of its own that begins like this; empty: without."""
    rate: float = 0
    """Requests a second of each client; 0: as fast as answers come."""
    most: int = 1_000_000
    """Stop after so many requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it went."""

    seconds: float
    latencies: list[float]
    """In seconds, of the good answers."""
    failed: int
    first_failure: str

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies) / self.seconds


def run(plan: Plan) -> Result:
    """Carry a plan out in a process of its own."""
    argv = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(
        argv, input=json.dumps(asdict(plan)), capture_output=True, text=True, check=True, timeout=60 + plan.seconds
    )
    return Result(**json.loads(done.stdout))


class _Client(asyncio.Protocol):
    def __init__(self, crowd: "_Crowd", number: int) -> None:
        self.crowd = crowd
        self.number = number
        self.buffer = b""
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        # At a given rate clients begin one after the other: in step they would be a burst.
        delay = self.number / self.crowd.plan.clients / self.crowd.plan.rate if self.crowd.plan.rate else 0
        asyncio.get_running_loop().call_later(delay, self.send)

    def send(self) -> None:
        request = self.crowd.next_request()
        if request is None:
            self.transport.close()
            return
        self.sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        found = _LENGTH.search(head)
        if found is None or len(body) < int(found[1]):
            return
        took = time.perf_counter() - self.sent
        self.buffer = b""
        self.crowd.note(head, body, took)
        pause = 1 / self.crowd.plan.rate - took if self.crowd.plan.rate else 0
        if pause > 0:
            asyncio.get_running_loop().call_later(pause, self.send)
        else:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave()


class _Crowd:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.asked = 0
        self.latencies: list[float] = []
        self.failed = 0
        self.first_failure = ""
        self.here = plan.clients
        self.over = asyncio.Event()
        self.started = time.perf_counter()
        self.last = self.started

    def next_request(self) -> bytes | None:
        plan = self.plan
        if self.asked >= plan.most or time.perf_counter() - self.started >= plan.seconds:
            return None
        target = plan.targets[self.asked % len(plan.targets)]
        lines = [f"{plan.method} {target} HTTP/1.1", "Host: bench", f"Authorization: Bearer {plan.token}"]
        if plan.keys:
            lines.append(f"Idempotency-Key: {plan.keys}-{self.asked}")
        if plan.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(plan.body)}"]
        self.asked += 1
        return "\r\n".join([*lines, "", plan.body]).encode()

    def note(self, head: bytes, body: bytes, took: float) -> None:
        self.last = time.perf_counter()
        if head.split(b" ", 2)[1].startswith(b"2"):
            self.latencies.append(took)
        else:
            self.failed += 1
            self.first_failure = self.first_failure or body[:300].decode(errors="replace")

    def leave(self) -> None:
        self.here -= 1
        if self.here == 0:
            self.over.set()


async def _main(plan: Plan) -> Result:
    crowd = _Crowd(plan)
    loop = asyncio.get_running_loop()
    for number in range(plan.clients):
        await loop.create_connection(partial(_Client, crowd, number), "127.0.0.1", plan.port)
    await crowd.over.wait()
    return Result(
        seconds=crowd.last - crowd.started,
        latencies=crowd.latencies,
        failed=crowd.failed,
        first_failure=crowd.first_failure,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_main(Plan(**json.load(sys.stdin)))))))
