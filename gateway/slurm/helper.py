"""Act as tenants through sessions: the privileged helper's for many users, a child process's for our own."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gateway.runas
from gateway.ids import AttemptId, UnixUser
from gateway.runas.frames import Frame
from gateway.slurm.runner import Answer, Claim, CommandResult, FileSlice, Identity, ReadRequest
from gateway.slurm.sessions import RunnerRefused, RunnerUnavailable, SessionPool

_CALL_S = 30.0
_CANCEL_S = 90.0
"""The helper itself kills scancel after 60 s."""
_GREETING_S = 15.0
"""Looking a user up in a slow directory service takes its time."""


class SessionRunner:
    """The verbs of `runner.Runner`, spoken over sessions that `connect` opens."""

    def __init__(
        self, connect: Callable[[UnixUser], socket.socket], *, per_user: int = 8, idle_s: float = 60.0
    ) -> None:
        self._pool = SessionPool(connect, per_user=per_user, idle_s=idle_s)

    def resolve(self, user: UnixUser) -> Identity:
        """Look the user up, as the helper would act."""
        said = self._ask(user, "resolve")
        said.pop("ok")
        return Identity(**said | {"groups": tuple(said["groups"])})

    def submit(
        self,
        user: UnixUser,
        attempt: AttemptId,
        *,
        argv: Sequence[str],
        batch: bytes,
        files: Mapping[str, bytes],
        deadline: float,
        wait_s: float,
    ) -> Answer | None:
        """Run sbatch at most once for the attempt; see `Runner.submit`."""
        parts = {**files, "batch.sh": batch}
        request = {
            "verb": "submit",
            "attempt": attempt,
            "argv": list(argv),
            "parts": [(name, len(data)) for name, data in parts.items()],
            "deadline": deadline,
            "wait_s": wait_s,
        }
        frame = Frame(header=request, body=b"".join(parts.values()))
        return _answer(self._pool.call(user, frame, timeout_s=wait_s + _CALL_S).header["answer"])

    def answer(self, user: UnixUser, attempt: AttemptId) -> Answer | None:
        """Return what the attempt's sbatch answered, or None while there is nothing."""
        return _answer(self._ask(user, "answer", attempt=attempt)["answer"])

    def sbatch_is_dead(self, user: UnixUser, attempt: AttemptId) -> bool:
        """Say whether the attempt's sbatch is known not to run; see `Runner.sbatch_is_dead`."""
        return self._ask(user, "answer", attempt=attempt)["state"] in {"absent", "answered", "dead"}

    def claim(self, user: UnixUser, attempt: AttemptId, *, void: bool = False) -> Claim:
        """Read who may run the attempt; with `void` first try to make it that nobody may."""
        try:
            return Claim(owner=self._ask(user, "claim", attempt=attempt, void=void)["owner"])
        except RunnerRefused as refusal:
            if refusal.code == "absent" and not void:  # no directory, no claim
                return Claim(owner=None)
            raise

    def fence(self, user: UnixUser, attempt: AttemptId) -> None:
        """Tell an attempt that may still be running somewhere that it must end."""
        self._ask(user, "fence", attempt=attempt)

    def cancel(
        self,
        user: UnixUser,
        job_ids: Sequence[str],
        *,
        signal: str | None = None,
        target: Literal["default", "batch", "full"] = "default",
    ) -> CommandResult:
        """Run scancel; success says nothing about a job's end."""
        request = {"verb": "cancel", "job_ids": list(job_ids), "signal": signal, "target": target}
        said = self._pool.call(user, Frame(header=request), timeout_s=_CANCEL_S).header
        return CommandResult(exit_code=said["exit"], stdout=said["stdout"], stderr=said["stderr"])

    def open(self, user: UnixUser, attempt: AttemptId, path: str) -> int:
        """Open a regular file below the attempt directory for reading; the caller closes the descriptor."""
        request = Frame(header={"verb": "open", "attempt": attempt, "path": path})
        return self._pool.call(user, request, timeout_s=_CALL_S, max_fds=1).fds[0]

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        """Read byte ranges in one call, answered in the order asked."""
        items = [(each.attempt, each.name, each.offset, each.limit) for each in requests]
        reply = self._pool.call(user, Frame(header={"verb": "read", "items": items}), timeout_s=_CALL_S)
        slices, start = [], 0
        for item in reply.header["items"]:
            data = reply.body[start : start + item["bytes"]]
            start += item["bytes"]
            slices.append(_slice(item, data))
        return slices

    def close(self) -> None:
        """Close idle sessions; a later call opens new ones."""
        self._pool.close()

    def _ask(self, user: UnixUser, verb: str, **fields: object) -> dict[str, Any]:
        return dict(self._pool.call(user, Frame(header={"verb": verb} | fields), timeout_s=_CALL_S).header)


class HelperRunner(SessionRunner):
    """Acts as any user that the privileged helper behind `path` allows."""

    def __init__(self, path: Path, *, per_user: int = 8, idle_s: float = 60.0) -> None:
        self._path = path
        super().__init__(self._greet, per_user=per_user, idle_s=idle_s)

    def _greet(self, user: UnixUser) -> socket.socket:
        session = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        session.settimeout(_GREETING_S)
        try:
            session.connect(str(self._path))
            session.sendall(f"{user}\n".encode())
            word, _, rest = _line(session).partition(" ")
        except OSError as error:
            session.close()
            raise RunnerUnavailable(f"no privileged helper on {self._path}: {error}", sent=False) from None
        if word == "ok":
            return session
        session.close()
        code, _, sentence = rest.partition(" ")
        if word != "error" or code == "busy":
            raise RunnerUnavailable(sentence or f"the helper on {self._path} hung up", sent=False)
        raise RunnerRefused(code, sentence)


class LocalRunner(SessionRunner):
    """Acts as the user we already are: single-user installs and tests need no root.

    Sessions are child processes, because this process may have threads and must not fork itself into sbatch.
    """

    def __init__(self, user: UnixUser, *, attempts_root: Path, **config: object) -> None:
        self._user = user
        self._config = json.dumps({"attempts_root": str(attempts_root)} | config)
        self._children: list[subprocess.Popen[bytes]] = []
        super().__init__(self._spawn)

    def close(self) -> None:
        """Close idle sessions and wait for their processes."""
        super().close()
        for child in self._children:
            child.wait(timeout=_CALL_S)
        self._children.clear()

    def _spawn(self, user: UnixUser) -> socket.socket:
        if user != self._user:
            raise RunnerRefused("not_allowed", f"this installation acts as {self._user} only, not as {user}")
        ours, theirs = socket.socketpair()
        with theirs:
            # By path, so that -I (no PYTHON* variables, no working directory) works from a checkout as well.
            helper = [sys.executable, "-I", str(Path(gateway.runas.__file__).parent), "--local", self._config]
            child = subprocess.Popen(helper, stdin=theirs.fileno(), start_new_session=True)
        self._children = [each for each in self._children if each.poll() is None] + [child]
        return ours


def _line(session: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n") and len(text) < 4096:
        piece = session.recv(4096)
        if not piece:
            break
        text += piece
    return text.decode(errors="replace").strip()


def _answer(said: Mapping[str, Any] | None) -> Answer | None:
    if said is None:
        return None
    return Answer(
        exit_code=said.get("exit"),
        stdout=said["stdout"],
        stderr=said["stderr"],
        error=said.get("error"),
        started=said["started"],
        ended=said["ended"],
    )


def _slice(item: Mapping[str, Any], data: bytes) -> FileSlice:
    found = item.get("identity")
    identity = (found[0], found[1]) if found else None
    return FileSlice(data=data, size=item["size"], identity=identity, refused=item.get("refused"))
