"""Define the seam to act as a tenant's Unix user: submit, cancel and read below an attempt directory.

`helper.HelperRunner` asks the privileged helper (`gateway/runas`), `helper.LocalRunner` acts as the current user;
both pass `tests/contract/test_runner.py`. Every verb raises `sessions.RunnerUnavailable` when the helper gave no
answer (which says nothing about what happened) and `sessions.RunnerRefused` when it answered no.

Everything read here lies in a directory that its tenant owns, so none of it is proof: an answer or a claim is a hint
what to look for in Slurm, where user, working directory and submit time must agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.ids import AttemptId, SlurmJobId, UnixUser

Target = Literal["default", "batch", "full"]
"""Whom a signal is for: the job's steps, its batch script alone, or both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a Unix user is on this cluster, now."""

    user: UnixUser
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    attempts: str
    """The absolute folder of the user's attempt directories; an attempt's own is `<attempts>/<attempt id>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one `sbatch` said, or why it was never started."""

    exit_code: int | None
    """None: sbatch was never started and never will be for this attempt. Negative: it was killed by that signal."""
    stdout: str
    stderr: str
    error: str | None
    """`deadline`, `void` or `not_started`, where `exit_code` is None."""
    started: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who may run an attempt: write-once, so whoever reads an owner reads the only one there will ever be."""

    owner: str | None
    """`<slurm job id>.<restart count>`, an array's `<array job id>`, `VOID` for nobody, or None while undecided."""

    @property
    def void(self) -> bool:
        """The attempt can never run."""
        return self.owner == "VOID"

    @property
    def slurm_job_id(self) -> SlurmJobId | None:
        """The job (or array) that may run the attempt; None when nobody may, or the text is not ours."""
        number = (self.owner or "").partition(".")[0]
        return SlurmJobId(number) if number.isdecimal() and number.isascii() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """A byte range of one file that lies directly in an attempt directory."""

    attempt: AttemptId
    name: str
    """A simple file name, such as `exit.json` or `stdout.3`."""
    offset: int = 0
    limit: int = 65536
    """Bytes at most; one call returns 8 MiB in all, so later ranges of a large call may come short or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSlice:
    """The bytes asked for, and what the file was at that moment."""

    data: bytes
    size: int
    identity: tuple[int, int] | None
    """(device, inode); None: there is no such file (yet), or it was refused."""
    refused: str | None = None
    """Why a thing of that name was not read, for people: it is a link, a FIFO, unreadable …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a Slurm command said."""

    exit_code: int
    stdout: str
    stderr: str


class Runner(Protocol):
    """Something that acts as tenants. Thread-safe; no verb is ever repeated by itself."""

    def resolve(self, user: UnixUser) -> Identity:
        """Look the user up, as the helper would act."""

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
        """Make the attempt directory and run `argv` (`sbatch …`) with `batch` on its stdin; None: no answer yet.

        sbatch runs detached and is launched at most once per attempt, never after `deadline` (epoch seconds); a
        second call only asks for the answer. `files` are `script`, `attempt.json` and `wrapper.py`.
        """

    def answer(self, user: UnixUser, attempt: AttemptId) -> Answer | None:
        """Return what the attempt's sbatch answered, or None while there is nothing."""

    def sbatch_is_dead(self, user: UnixUser, attempt: AttemptId) -> bool:
        """Say whether the attempt's sbatch is known not to run; False also when unknown (another host).

        True as well when nothing was launched: that is final only after the order's deadline, or with a VOID claim.
        """

    def claim(self, user: UnixUser, attempt: AttemptId, *, void: bool = False) -> Claim:
        """Read who may run the attempt; with `void` first try to make it that nobody may."""

    def fence(self, user: UnixUser, attempt: AttemptId) -> None:
        """Tell an attempt that may still be running somewhere that it must end (writes `FENCED`)."""

    def cancel(
        self,
        user: UnixUser,
        job_ids: Sequence[str],
        *,
        signal: str | None = None,
        target: Target = "default",
    ) -> CommandResult:
        """Run scancel; ids may be `36`, `36_1` or `36_[1-4]`, `target` is scancel's `--batch` or `--full`."""

    def open(self, user: UnixUser, attempt: AttemptId, path: str) -> int:
        """Open a regular file below the attempt directory for reading; the caller closes the descriptor."""

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        """Read byte ranges in one call, answered in the order asked."""

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
