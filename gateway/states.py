"""List the states of a job, the moves between them, and the reasons a move can have."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What a person sees first."""

    PENDING = "PENDING"
    STAGING = "STAGING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Phase(StrEnum):
    """The finer state that the controllers act on; a job has the one its steps add up to."""

    PENDING = "PENDING"
    """Accepted; waits in the gateway (for its turn, for a time, for a reachable cluster)."""
    STAGING = "STAGING"
    """Its inputs are being brought to the cluster."""
    SUBMITTING = "SUBMITTING"
    """The intent to run `sbatch` is on record; its answer is not."""
    QUEUED = "QUEUED"
    """Slurm has it, and a Slurm job is bound to the attempt."""
    RUNNING = "RUNNING"
    """Slurm runs it on nodes."""
    FINALIZING = "FINALIZING"
    """Slurm is done; the outcome is being established and recorded."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL: Final = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED})
LIVE_IN_SLURM: Final = frozenset({Phase.QUEUED, Phase.RUNNING})
"""The phases that one collector watches; no lease is held in them."""

STATE_OF: Final[dict[Phase, State]] = {
    Phase.PENDING: State.PENDING,
    Phase.STAGING: State.STAGING,
    Phase.SUBMITTING: State.PENDING,
    Phase.QUEUED: State.PENDING,
    Phase.RUNNING: State.RUNNING,
    Phase.FINALIZING: State.RUNNING,
    Phase.COMPLETED: State.COMPLETED,
    Phase.FAILED: State.FAILED,
    Phase.CANCELLED: State.CANCELLED,
}

MOVES: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.PENDING: frozenset({Phase.STAGING, Phase.SUBMITTING, Phase.FAILED, Phase.CANCELLED}),
    Phase.STAGING: frozenset({Phase.SUBMITTING, Phase.PENDING, Phase.FAILED, Phase.CANCELLED}),
    # Back to PENDING: the sbatch is proven dead or void, and a new attempt is due.
    Phase.SUBMITTING: frozenset({Phase.QUEUED, Phase.PENDING, Phase.FAILED, Phase.CANCELLED}),
    # A job can start and end between two looks, so RUNNING may be skipped.
    Phase.QUEUED: frozenset({Phase.RUNNING, Phase.FINALIZING, Phase.PENDING}),
    # Back to QUEUED: requeued by an administrator under the same Slurm id.
    Phase.RUNNING: frozenset({Phase.FINALIZING, Phase.QUEUED, Phase.PENDING}),
    Phase.FINALIZING: frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED, Phase.PENDING}),
    # A person may ask for one more try; only that opens a final state again.
    Phase.COMPLETED: frozenset(),
    Phase.FAILED: frozenset({Phase.PENDING}),
    Phase.CANCELLED: frozenset({Phase.PENDING}),
}
"""Every allowed move of a step. There is one door (`jobs/lifecycle.py`), and it reads this table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    phase: Phase
    retry: bool
    sentence: str


class Reason(StrEnum):
    """Why a move was made: knows the final phase it leads to, whether a retry can help, and its sentence."""

    SUBMITTED = "SUBMITTED"
    DISPATCHED = "DISPATCHED"
    ACCEPTED_BY_SLURM = "ACCEPTED_BY_SLURM"
    ADOPTED = "ADOPTED"
    STARTED = "STARTED"
    ENDED = "ENDED"
    REQUEUED_BY_SLURM = "REQUEUED_BY_SLURM"
    CLUSTER_UNREACHABLE = "CLUSTER_UNREACHABLE"
    SUBMIT_UNCERTAIN = "SUBMIT_UNCERTAIN"
    NOT_HANDED_OVER = "NOT_HANDED_OVER"
    SUCCESS = "SUCCESS"
    EXIT_CODE = "EXIT_CODE"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_LOST = "NODE_LOST"
    BOOT_FAIL = "BOOT_FAIL"
    PREEMPTED = "PREEMPTED"
    DEADLINE = "DEADLINE"
    CANCELLED_BY_USER = "CANCELLED_BY_USER"
    CANCELLED_IN_SLURM = "CANCELLED_IN_SLURM"
    SUBMIT_REJECTED = "SUBMIT_REJECTED"
    DEPENDENCY_FAILED = "DEPENDENCY_FAILED"
    NODE_UNFIT = "NODE_UNFIT"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"

    @property
    def final(self) -> Phase:
        """The final phase this reason ends in, when nothing is retried."""
        return _MEANING[self].phase

    @property
    def worth_retrying(self) -> bool:
        """Whether the same attempt could end better a second time without the user changing anything."""
        return _MEANING[self].retry

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        return _MEANING[self].sentence


def _meaning(phase: Phase, sentence: str, *, retry: bool = False) -> _Meaning:
    return _Meaning(phase=phase, retry=retry, sentence=sentence)


_MEANING: Final[dict[Reason, _Meaning]] = {
    Reason.SUBMITTED: _meaning(Phase.PENDING, "The job was accepted by the gateway."),
    Reason.DISPATCHED: _meaning(Phase.SUBMITTING, "The job is being handed to Slurm."),
    Reason.ACCEPTED_BY_SLURM: _meaning(Phase.QUEUED, "Slurm accepted the job."),
    Reason.ADOPTED: _meaning(Phase.QUEUED, "The answer of sbatch was lost; the job was found in Slurm and adopted."),
    Reason.STARTED: _meaning(Phase.RUNNING, "Slurm started the job."),
    Reason.ENDED: _meaning(Phase.FINALIZING, "Slurm ended the job; its outcome is being recorded."),
    Reason.REQUEUED_BY_SLURM: _meaning(Phase.QUEUED, "Slurm put the job back into its queue."),
    Reason.CLUSTER_UNREACHABLE: _meaning(
        Phase.PENDING, "The cluster does not answer; the job waits until it does.", retry=True
    ),
    Reason.SUBMIT_UNCERTAIN: _meaning(
        Phase.PENDING,
        "The answer of sbatch was lost; that try was made void and a new one is due.",
        retry=True,
    ),
    Reason.NOT_HANDED_OVER: _meaning(
        Phase.PENDING, "The job could not be handed to Slurm as its Unix user; another try is due.", retry=True
    ),
    Reason.SUCCESS: _meaning(Phase.COMPLETED, "The job ended with exit code 0."),
    Reason.EXIT_CODE: _meaning(Phase.FAILED, "The job's program ended with an error."),
    Reason.TIMEOUT: _meaning(Phase.FAILED, "The job reached its time limit.", retry=True),
    Reason.OUT_OF_MEMORY: _meaning(Phase.FAILED, "The job used more memory than it asked for.", retry=True),
    Reason.NODE_LOST: _meaning(Phase.FAILED, "A node of the job was lost.", retry=True),
    Reason.BOOT_FAIL: _meaning(Phase.FAILED, "A node of the job could not be booted.", retry=True),
    Reason.PREEMPTED: _meaning(Phase.FAILED, "The job was preempted by one of higher priority.", retry=True),
    Reason.DEADLINE: _meaning(Phase.FAILED, "The job could not end before its deadline."),
    Reason.CANCELLED_BY_USER: _meaning(Phase.CANCELLED, "The job was cancelled through the gateway."),
    Reason.CANCELLED_IN_SLURM: _meaning(Phase.CANCELLED, "The job was cancelled in Slurm, outside the gateway."),
    Reason.SUBMIT_REJECTED: _meaning(Phase.FAILED, "Slurm refused the job."),
    Reason.DEPENDENCY_FAILED: _meaning(Phase.CANCELLED, "A job this one depends on did not end as asked."),
    Reason.NODE_UNFIT: _meaning(Phase.FAILED, "The job's wrapper could not start on its node.", retry=True),
    Reason.OUTCOME_UNKNOWN: _meaning(
        Phase.FAILED, "Neither accounting nor the controller nor the job's own record says how it ended."
    ),
}


def job_phase(steps: Iterable[Phase]) -> Phase:
    """Add the phases of all steps up to the job's own.

    While a step is active the job is as far as its furthest active step; a job of only final steps is FAILED before
    CANCELLED before COMPLETED. Raises ValueError for no steps: a job without steps does not exist.
    """
    phases = set(steps)
    if not phases:
        raise ValueError("a job has at least one step")
    active = phases - FINAL
    if active:
        return max(active, key=_PROGRESS.index)
    return next(p for p in (Phase.FAILED, Phase.CANCELLED, Phase.COMPLETED) if p in phases)


_PROGRESS: Final = [
    Phase.PENDING,
    Phase.STAGING,
    Phase.SUBMITTING,
    Phase.QUEUED,
    Phase.FINALIZING,
    Phase.RUNNING,
]
"""FINALIZING below RUNNING: a job with one step ending and one running is running."""
