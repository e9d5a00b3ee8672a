"""Play the privileged helper in memory: attempt directories, write-once claims, an sbatch that runs once."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Final, Literal

from gateway.clock import Clock
from gateway.ids import AttemptId, UnixUser
from gateway.slurm.runner import Answer, Claim, CommandResult, FileSlice, Identity, ReadRequest
from gateway.slurm.sessions import RunnerRefused

ATTEMPTS: Final = "/fake/attempts"
_DEVICE: Final = 7


@dataclass(slots=True, kw_only=True)
class Heard:
    """How one run of sbatch went, as its launcher sees it."""

    result: CommandResult | None
    """None: it has said nothing."""
    dead: bool = True
    """False: it still runs, and an answer may come."""


@dataclass(slots=True)
class Directory:
    """An attempt directory."""

    files: dict[str, bytes] = field(default_factory=dict)
    answer: Answer | None = None
    launched: bool = False
    dead: bool = True

    def write_once(self, name: str, data: bytes) -> bytes:
        """Write a file unless it is there; returns what is there now."""
        return self.files.setdefault(name, data)


Sbatch = Callable[[UnixUser, AttemptId, Sequence[str], bytes], Heard]
Scancel = Callable[[UnixUser, Sequence[str], str | None], CommandResult]


class FakeRunner:
    """A `Runner` whose sbatch and scancel are functions."""

    def __init__(self, *, clock: Clock, uid: Callable[[str], int], sbatch: Sbatch, scancel: Scancel) -> None:
        self._clock = clock
        self._uid = uid
        self._sbatch = sbatch
        self._scancel = scancel
        self.lock = RLock()
        self.directories: dict[tuple[UnixUser, AttemptId], Directory] = {}

    def resolve(self, user: UnixUser) -> Identity:
        """Every user exists."""
        uid = self._uid(user)
        home = f"/fake/home/{user}"
        return Identity(user=user, uid=uid, gid=uid, groups=(uid,), home=home, attempts=f"{ATTEMPTS}/{user}")

    def submit(
        self,
        user: UnixUser,
        attempt: AttemptId,
        *,
        argv: Sequence[str],
        batch: bytes,
        files: Mapping[str, bytes],
        deadline: float,
        wait_s: float,  # noqa: ARG002  # nothing takes time here
    ) -> Answer | None:
        """Run sbatch at most once for the attempt; see `Runner.submit`."""
        with self.lock:
            directory = self.directory(user, attempt)
            if directory.launched:
                return directory.answer
            directory.launched = True
            directory.files |= {**files, "batch.sh": batch}
            if self._clock.now().timestamp() > deadline:
                directory.answer = self._answer(None, error="deadline")
            elif directory.files.get("claim") == b"VOID":
                directory.answer = self._answer(None, error="void")
            else:
                heard = self._sbatch(user, attempt, argv, batch)
                directory.dead = heard.dead
                directory.answer = None if heard.result is None else self._answer(heard.result)
            return directory.answer

    def say(self, user: UnixUser, attempt: AttemptId, result: CommandResult) -> None:
        """Let an sbatch that still ran answer and end."""
        with self.lock:
            directory = self.directory(user, attempt)
            directory.answer, directory.dead = self._answer(result), True

    def answer(self, user: UnixUser, attempt: AttemptId) -> Answer | None:
        """Return what the attempt's sbatch answered, or None while there is nothing."""
        with self.lock:
            known = self.directories.get((user, attempt))
            return known.answer if known else None

    def sbatch_is_dead(self, user: UnixUser, attempt: AttemptId) -> bool:
        """Say whether the attempt's sbatch is known not to run."""
        with self.lock:
            known = self.directories.get((user, attempt))
            return known is None or known.dead

    def claim(self, user: UnixUser, attempt: AttemptId, *, void: bool = False) -> Claim:
        """Read who may run the attempt; with `void` first try to make it that nobody may."""
        with self.lock:
            if void:
                return Claim(owner=self.directory(user, attempt).write_once("claim", b"VOID").decode())
            known = self.directories.get((user, attempt))
            owner = known.files.get("claim") if known else None
            return Claim(owner=None if owner is None else owner.decode())

    def fence(self, user: UnixUser, attempt: AttemptId) -> None:
        """Tell an attempt that may still be running somewhere that it must end."""
        with self.lock:
            self.directory(user, attempt).write_once("FENCED", b"")

    def cancel(
        self,
        user: UnixUser,
        job_ids: Sequence[str],
        *,
        signal: str | None = None,
        target: Literal["default", "batch", "full"] = "default",  # noqa: ARG002  # a fake job is one process
    ) -> CommandResult:
        """Run scancel."""
        with self.lock:
            return self._scancel(user, job_ids, signal)

    def open(self, user: UnixUser, attempt: AttemptId, path: str) -> int:
        """Open a file of the attempt, as it is now, for reading."""
        with self.lock:
            data = self.directory(user, attempt).files.get(path)
        if data is None:
            raise RunnerRefused("absent", f"{path}: no such file")
        file = os.memfd_create(path)
        os.write(file, data)
        os.lseek(file, 0, os.SEEK_SET)
        return file

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        """Read byte ranges in one call, answered in the order asked."""
        with self.lock:
            return [self._slice(user, request) for request in requests]

    def close(self) -> None:
        """Nothing is open."""

    def directory(self, user: UnixUser, attempt: AttemptId) -> Directory:
        """Return the attempt's directory, made if it is new."""
        return self.directories.setdefault((user, attempt), Directory())

    def _slice(self, user: UnixUser, request: ReadRequest) -> FileSlice:
        known = self.directories.get((user, request.attempt))
        data = known.files.get(request.name) if known else None
        if data is None:
            return FileSlice(data=b"", size=0, identity=None)
        wanted = data[request.offset : request.offset + request.limit]
        inode = hash((user, request.attempt, request.name)) & 0xFFFFFFFF
        return FileSlice(data=wanted, size=len(data), identity=(_DEVICE, inode))

    def _answer(self, result: CommandResult | None, *, error: str | None = None) -> Answer:
        now = self._clock.now().timestamp()
        exit_code = None if result is None else result.exit_code
        stdout, stderr = ("", "") if result is None else (result.stdout, result.stderr)
        return Answer(exit_code=exit_code, stdout=stdout, stderr=stderr, error=error, started=now, ended=now)
