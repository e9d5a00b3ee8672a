"""Connect to Redis, and run a private one where none is shared. Redis is a hint here: losing it costs latency only."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from gateway.errors import GatewayFault

Client = redis.Redis
Unreachable = redis.RedisError


def connect(url: str) -> Client:
    """Make a client (nothing is sent yet). Its calls raise `Unreachable` after at most 2 s."""
    return redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)


def pubsub(client: Client) -> Any:
    """Open a pub/sub connection (redis-py leaves it untyped)."""
    return client.pubsub()  # type: ignore[no-untyped-call]


class EmbeddedRedis:
    """A private `redis-server` child on a Unix socket that only its owner can open."""

    def __init__(self, socket: Path, *, log: Path, launcher: Sequence[str] = ()) -> None:
        """Prepare one; `launcher` is a command that starts the command that follows it, in its own place."""
        self._socket = socket
        self._log = log
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, timeout_s: float = 10.0) -> None:
        """Start the server and wait until it answers; raises GatewayFault with what to install or read."""
        if shutil.which("redis-server") is None:
            raise GatewayFault("redis-server is not installed.", hint="apt install redis-server")
        # Nothing in it must survive: a stale pid or dump would only be a surprise.
        argv = [*self._launcher, "redis-server", "--port", "0"]
        argv += ["--unixsocket", str(self._socket), "--unixsocketperm", "600"]
        argv += ["--save", "", "--appendonly", "no", "--dir", str(self._socket.parent), "--daemonize", "no"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                client.ping()
                client.close()
                return
            time.sleep(0.02)
        raise GatewayFault(f"The private redis-server did not start; its log is {self._log}.")

    def alive(self) -> bool:
        """Say whether the child still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the child and wait for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
