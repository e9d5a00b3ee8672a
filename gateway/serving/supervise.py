"""Keep the gateway's processes running: start them, start them again, stop them together."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.redis import EmbeddedRedis
from gateway.settings import Settings

log = structlog.get_logger()

_PAUSES_S: Final = (0.2, 0.5, 1.0, 3.0, 10.0)
"""Between a child's end and its next start: longer each time it ends soon after starting."""
_SETTLED_S: Final = 30.0
_STOP_S: Final = 25.0
_LOOK_S: Final = 0.1
_DIES_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")
"""Starts a program that the kernel kills when the thread that started it ends: our main thread, so also when we are
killed. KILL, not TERM, because whoever comes next must find port and socket free at once (a Redis that ends politely
removes the socket of its successor), and every process here is built to be killed at any moment. A parent that dies
in the millisecond before setpriv has asked for the signal still leaves its child."""


@dataclass(slots=True, kw_only=True)
class _Child:
    name: str
    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)


def run_all(settings: Settings, *, environment: Mapping[str, str]) -> None:
    """Run Redis (where none is shared), the API and a controller until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    redis = None
    if not settings.redis_url:
        redis = EmbeddedRedis(settings.redis_socket, log=settings.state_dir / "redis.log", launcher=_DIES_WITH_US)
        redis.start()
    children = [_Child(name=name, argv=[*_DIES_WITH_US, *_module(name)]) for name in ("app", "worker")]
    try:
        while not stop.wait(_LOOK_S):
            for child in children:
                _tend(child, environment)
            if redis is not None and not redis.alive():
                log.error("redis.ended")
                redis.start()
    finally:
        _stop_all(children)
        if redis is not None:
            redis.stop()


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"gateway.{name}"]


def _tend(child: _Child, environment: Mapping[str, str]) -> None:
    now = time.monotonic()
    if child.process is not None:
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        child.failures = 0 if now - child.started > _SETTLED_S else child.failures + 1
        pause = _PAUSES_S[min(child.failures, len(_PAUSES_S) - 1)]
        child.due = now + pause
        log.error("process.ended", child=child.name, exit_code=code, next_start_in_s=pause)
    if now >= child.due:
        child.process = subprocess.Popen(child.argv, stdin=subprocess.DEVNULL, env=dict(environment))
        child.started = now
        log.info("process.started", child=child.name, pid=child.process.pid)


def _stop_all(children: Sequence[_Child]) -> None:
    alive = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in alive:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    for process in alive:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process.killed", pid=process.pid)
            process.kill()
            process.wait()
