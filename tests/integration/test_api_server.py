"""The API in a real server: logs followed while they grow, resumed, and handed over when the process ends."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from gateway.api.server import Server
from gateway.client import GatewayClient, LogBytes
from gateway.clock import SystemClock
from gateway.db import schema
from gateway.db.database import Database
from gateway.states import Phase, Reason
from gateway.wire import LogEnd
from tests.unit.api_world import World, world

PATIENCE_S = 20.0


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@dataclass
class Running:
    """A server in a thread."""

    world: World
    url: str
    server: Server
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextmanager
def serving(made: World) -> Iterator[Running]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(made.app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            eventually(lambda: server.started)
            running = Running(made, f"http://127.0.0.1:{listening.getsockname()[1]}", server, thread)
            yield running
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    with world(tmp_path, stream_life_s=30) as made, serving(made) as running:
        yield running


@dataclass
class Reader:
    """Someone who follows a job's log on a thread of their own, as `sgw logs -f` does."""

    gateway: Running
    job: int
    stream: str = "stdout"
    data: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    end: LogEnd | None = None
    ended_at: float = 0.0

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        client = GatewayClient(self.gateway.url, self.gateway.world.tokens["ada"])
        for item in client.follow_logs(str(self.job), stream=self.stream, patience_s=10):  # type: ignore[arg-type]
            match item:
                case LogBytes():
                    self.data[item.stream] += item.data
                case LogEnd():
                    self.end, self.ended_at = item, time.monotonic()


def test_a_log_is_followed_from_before_the_job_starts_to_its_end(gateway: Running) -> None:
    made = gateway.world
    job = made.submit(options=["--error=err"])
    reader = Reader(gateway, job, stream="both")
    eventually(lambda: len(made.services.notices._by_job) == 1)
    attempt = made.start(job)
    made.files.write(attempt, b"line one\n\xc3")
    eventually(lambda: reader.data["stdout"].startswith(b"line one\n"))
    made.files.write(attempt, b"\xa9\n")
    made.files.write(attempt, b"oh\n", "stderr")
    eventually(lambda: reader.data == {"stdout": b"line one\n\xc3\xa9\n", "stderr": b"oh\n"})
    made.files.write(attempt, b"last words, no newline")
    made.end(job, Phase.FAILED, Reason.EXIT_CODE)
    told = time.monotonic()
    eventually(lambda: reader.end is not None)
    assert reader.data["stdout"] == b"line one\n\xc3\xa9\nlast words, no newline"
    assert reader.end is not None
    assert reader.end.state == "FAILED"
    assert reader.ended_at - told < 1.0


def test_a_second_attempt_is_followed_after_the_first(gateway: Running) -> None:
    made = gateway.world
    job = made.submit()
    made.files.write(made.start(job), b"first\n")
    reader = Reader(gateway, job)
    eventually(lambda: reader.data["stdout"] == b"first\n")
    made.move(job, Phase.PENDING, Reason.NODE_LOST)
    made.files.write(made.start(job, number=2), b"second\n")
    eventually(lambda: reader.data["stdout"] == b"first\nsecond\n")
    made.end(job)
    eventually(lambda: reader.end is not None)
    assert reader.data["stdout"] == b"first\nsecond\n"


def test_one_reader_serves_all_followers_and_stops_with_the_last(gateway: Running) -> None:
    made = gateway.world
    job = made.submit()
    attempt = made.start(job)
    readers = [Reader(gateway, job) for _ in range(20)]
    made.files.write(attempt, b"for all\n")
    eventually(lambda: all(reader.data["stdout"] == b"for all\n" for reader in readers))
    assert len(made.streams.relay._entries) == 1
    made.end(job)
    eventually(lambda: all(reader.end is not None for reader in readers))
    eventually(lambda: not made.streams.relay._entries and not made.streams.places._jobs)
    eventually(lambda: not made.services.notices._by_job)
    assert "sgw_log_followers 0.0" in made.client().get("/metrics").text


def test_a_client_that_goes_away_frees_its_seat_and_its_reader(gateway: Running) -> None:
    made = gateway.world
    job = made.submit()
    made.files.write(made.start(job), b"x\n")
    headers = {"Authorization": f"Bearer {made.tokens['ada']}"}
    with httpx.stream("GET", f"{gateway.url}/v1/jobs/{job}/logs?follow=true", headers=headers) as answer:
        lines = answer.iter_lines()  # httpx closes the connection with the iterator, so it must be kept
        next(lines)
        eventually(lambda: "sgw_log_followers 1.0" in made.client().get("/metrics").text)
    eventually(lambda: "sgw_log_followers 0.0" in made.client().get("/metrics").text)
    eventually(lambda: not made.streams.places._jobs and not made.services.notices._by_job)


def test_a_stopping_server_sends_followers_and_waiters_away_at_once(gateway: Running) -> None:
    made = gateway.world
    job = made.submit()
    made.files.write(made.start(job), b"x\n")
    headers = {"Authorization": f"Bearer {made.tokens['ada']}"}
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(
            httpx.get(f"{gateway.url}/v1/jobs/{job}?wait=60", headers=headers, timeout=PATIENCE_S)
        )
    )
    waiting.start()
    url = f"{gateway.url}/v1/jobs/{job}/logs?follow=true"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer:
        lines = answer.iter_lines()
        while next(lines) != "event: chunk":
            pass
        eventually(lambda: len(made.streams.waiting._bells) == 2)
        started = time.monotonic()
        gateway.stop()
        rest = list(lines)
    waiting.join(PATIENCE_S)
    assert time.monotonic() - started < 5
    assert "event: reconnect" in rest
    assert answers[0].json()["state"] == "RUNNING"


def test_a_log_goes_on_byte_by_byte_through_a_restart_of_the_server(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        job = made.submit()
        attempt = made.start(job)
        made.files.write(attempt, b"before\n")
        headers = {"Authorization": f"Bearer {made.tokens['ada']}"}
        with (
            serving(made) as first,
            httpx.stream("GET", f"{first.url}/v1/jobs/{job}/logs?follow=true", headers=headers) as answer,
        ):
            last = next(line for line in answer.iter_lines() if line.startswith("id: ")).removeprefix("id: ")
            first.stop()
        made.restart()
        made.files.write(attempt, b"after\n")
        made.end(job)
        with serving(made) as second:
            url = f"{second.url}/v1/jobs/{job}/logs?follow=true"
            answer = httpx.get(url, headers=headers | {"Last-Event-ID": last})
        data = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: ")]
        assert [each["text"] for each in data if "text" in each] == ["after\n"]


def test_a_body_above_the_limit_is_refused_before_it_was_sent(gateway: Running) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        token = gateway.world.tokens["ada"]
        connection.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 20000000\r\n\r\n{".encode()
        )
        head = connection.recv(65536).decode()
    assert head.startswith("HTTP/1.1 413 ")
    assert "\r\nserver:" not in head.lower()
    assert "/problems/too-large" in head


def test_the_process_answers_and_ends_in_order_when_asked_to(tmp_path: Path) -> None:
    port = free_port()
    cluster = {name: str(tmp_path / name) for name in ("runas_socket", "attempts_root", "wake_dir")}
    environment = {
        "PATH": os.environ["PATH"],
        "SGW_STATE_DIR": str(tmp_path),
        "SGW_PORT": str(port),
        "SGW_CLUSTERS": json.dumps({"dev": cluster}),
    }
    database = Database(f"sqlite:///{tmp_path}/gateway.db", clock=SystemClock())
    schema.migrate(database)
    database.dispose()
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.app"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            eventually(lambda: answers(port, "/healthz") == 200)
            assert answers(port, "/readyz") == 503
            assert answers(port, "/v1/jobs") == 401
            process.terminate()
            _, logged = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "request.answered"] == [401]


def free_port() -> int:
    """A port below the ephemeral range, so that no outgoing connection has it when the server comes to take it."""
    for port in random.sample(range(20_000, 32_000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def answers(port: int, path: str) -> int | None:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
    return None
