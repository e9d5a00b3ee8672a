"""Give the command line a world of values: jobs as the gateway shows them, a terminal, and a scripted gateway."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from gateway.cli.environment import Environment
from gateway.cli.main import main

SUBMITTED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 13, 30, 5, tzinfo=UTC)


def job(number: int = 7, **changes: Any) -> dict[str, Any]:
    """Build a JobView as JSON: a running job of ada, started a minute after its submission."""
    resources = {"nodes": 2, "tasks": 4, "cpus": 8, "memory_mb": 4000, "gpus": 0}
    resources |= changes.pop("resources", {})
    placement = {
        "cluster": "dev", "pool": "cpu", "partition": "cpu", "resources": resources, "time_limit_s": 3600,
        "expected_runtime_s": None, "priority": 0,
    }  # fmt: skip
    placement |= changes.pop("placement", {})
    view = {
        "id": str(number), "name": "hello", "tenant": "acme", "user": "ada", "unix_user": "sgwdemo-ada",
        "account": "acme", "state": "RUNNING", "phase": "RUNNING", "reason": "STARTED", "message": None,
        "pool": "cpu", "cluster": "dev", "runtime": "script", "placement": placement, "slurm_job_id": "41",
        "node_list": "c[1-2]", "nodes_allocated": 2, "attempt": 1, "workdir": "/home/ada",
        "submitted_at": SUBMITTED.isoformat(), "started_at": (SUBMITTED + timedelta(minutes=1)).isoformat(),
        "ended_at": None, "elapsed_s": 5345, "exit_code": None, "signal": None, "cancel_requested": False,
    }  # fmt: skip
    return view | changes


PENDING = {"state": "PENDING", "phase": "QUEUED", "reason": "ACCEPTED_BY_SLURM", "message": "Resources",
           "started_at": None, "elapsed_s": None, "node_list": None, "nodes_allocated": None}  # fmt: skip
COMPLETED = {"state": "COMPLETED", "phase": "COMPLETED", "reason": "SUCCESS", "exit_code": 0, "elapsed_s": 60,
             "ended_at": (SUBMITTED + timedelta(minutes=2)).isoformat()}  # fmt: skip
FAILED = COMPLETED | {"state": "FAILED", "phase": "FAILED", "reason": "EXIT_CODE", "exit_code": 3}
CANCELLED = COMPLETED | {"state": "CANCELLED", "phase": "CANCELLED", "reason": "CANCELLED_BY_USER", "exit_code": 0,
                         "signal": 15}  # fmt: skip


def task(number: int, **changes: Any) -> dict[str, Any]:
    """Build a TaskView of job 36 as JSON: a running one."""
    return {
        "task": number, "address": f"36_{number}", "state": "RUNNING", "reason": None, "slurm_job_id": str(50 + number),
        "node_list": "c1", "started_at": (SUBMITTED + timedelta(minutes=1)).isoformat(), "ended_at": None,
        "exit_code": None, "signal": None,
    } | changes  # fmt: skip


WHOAMI = {"tenant": "acme", "user": "ada", "role": "member", "token_id": "t1", "expires_at": None}


def problem(status: int, name: str, detail: str = "it went wrong", **more: Any) -> httpx.Response:
    body = {"type": f"/problems/{name}", "title": name, "status": status, "detail": detail} | more
    return httpx.Response(status, json=body)


Answer = httpx.Response | Exception | dict[str, Any] | Callable[[httpx.Request], httpx.Response]


@dataclass
class Gateway:
    """A gateway that answers from a table of `METHOD /path`; a list is used up from its front, its last one stays."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}", problem(404, "not-found", "no such thing"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return httpx.Response(200, json=answer)
        if callable(answer):
            made = answer(request)
            assert isinstance(made, httpx.Response)
            return made
        # A response object can be read once only; a table's answer may be asked for often.
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)


@dataclass
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


def sgw(
    *argv: str,
    gateway: Gateway | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    config: Path = Path("/nonexistent"),
    terminal: bool = False,
    secret: str = "",
    command: str = "sgw",
    now: datetime = NOW,
    cwd: Path = Path("/nonexistent"),
) -> Ended:
    """Run `sgw` in a world without a network, a clock or a home."""
    out, err = io.BytesIO(), io.StringIO()
    text = io.TextIOWrapper(out, encoding="utf-8", newline="\n", write_through=True)
    clock = [0.0]
    world = Environment(
        stdin=io.BytesIO(stdin),
        stdout=text,
        stderr=err,
        variables={"SGW_URL": "http://gateway.test", "SGW_TOKEN": "secret"} if env is None else env,
        config_dir=config,
        cwd=cwd,
        zone=UTC,
        stdin_is_terminal=terminal,
        stdout_is_terminal=terminal,
        ask_secret=lambda _prompt: secret,
        now=lambda: now,
        monotonic=lambda: clock[0],
        sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds),
        new_key=lambda: "key-1",
        transport=httpx.MockTransport(gateway or Gateway()),
    )
    status = main([command, *argv], world)
    return Ended(int(status), out.getvalue().decode(), err.getvalue())
