"""Decide what follows from what is known: pure functions, so that every case can be tested as a row of a table.

Nothing here reads a clock, a database or a cluster. The evidence comes in, a decision goes out, and
`jobs/lifecycle.py` applies it if it is still current.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.ids import SlurmJobId
from gateway.slurm.answers import Accepted, Refused, SbatchVerdict, Uncertain
from gateway.states import Phase, Reason

AFTER_DEATH: Final = timedelta(seconds=10)
"""A request of a dead sbatch may still sit in slurmctld's socket; after this it has been read or thrown away."""
SBATCH_BLOCKS: Final = timedelta(seconds=150)
"""sbatch itself waits up to 120 s for a busy controller (1+2+…+15 s in its source), plus a margin."""
LOOKS_UNTIL_GONE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One condition on another job, and where that job stands."""

    kind: str
    phase: Phase
    started: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Hand the job to Slurm now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be said yet."""

    after: timedelta
    """Look again when this much time has passed; sooner if something happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Move to `to`."""

    to: Phase
    reason: Reason
    message: str | None = None
    pause: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """The attempt is this Slurm job."""

    job_id: SlurmJobId
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Make sure that this attempt can never run, then see who won."""


def dispatch(*, cancelled: bool, needs: list[Need], any_need: bool) -> Dispatch | Wait | End:
    """Say whether a waiting job may go to Slurm."""
    if cancelled:
        return End(to=Phase.CANCELLED, reason=Reason.CANCELLED_BY_USER)
    verdicts = [_need_met(need) for need in needs]
    if not verdicts or all(verdicts) or (any_need and any(verdicts)):
        return Dispatch()
    hopeless = all(v is False for v in verdicts) if any_need else any(v is False for v in verdicts)
    if hopeless:
        return End(to=Phase.CANCELLED, reason=Reason.DEPENDENCY_FAILED)
    return Wait(after=timedelta(seconds=60))


def _need_met(need: Need) -> bool | None:
    """True or False for good, None while it can still become either."""
    over = need.phase in {Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED}
    match need.kind:
        case "after":
            return True if need.started or over else None
        case "afterany":
            return True if over else None
        case "afterok":
            return need.phase is Phase.COMPLETED if over else None
        case "afternotok":
            return need.phase is not Phase.COMPLETED if over else None
        case _:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitEvidence:
    """All that is known about an attempt whose sbatch may or may not have reached Slurm."""

    now: datetime
    created: datetime
    """When the intent was recorded."""
    bound: SlurmJobId | None
    verdict: SbatchVerdict | None
    """What sbatch answered, read; None while it has not."""
    claimed_by: SlurmJobId | None
    void: bool
    sbatch_dead: bool
    deadline: datetime
    """No sbatch of this attempt starts after this."""
    munge_life: timedelta


def submission(evidence: SubmitEvidence) -> Bind | Void | Wait | End:
    """Resolve the doubt about a submission: adopt what exists, void what does not, never run sbatch again.

    A time-out is not an answer. No look-up can prove that a killed sbatch will not still land (seen: one killed with
    -9 while slurmctld was stopped was accepted when it woke); only the write-once claim fences it.
    """
    if evidence.bound is not None:
        return Bind(job_id=evidence.bound, reason=Reason.ACCEPTED_BY_SLURM)
    if isinstance(evidence.verdict, Accepted):
        return Bind(job_id=evidence.verdict.job_id, reason=Reason.ACCEPTED_BY_SLURM)
    if evidence.claimed_by is not None:
        return Bind(job_id=evidence.claimed_by, reason=Reason.ADOPTED)
    if isinstance(evidence.verdict, Refused):
        return End(to=Phase.FAILED, reason=Reason.SUBMIT_REJECTED, message=evidence.verdict.message)
    if evidence.void:
        return _start_over(evidence)
    hopeless = evidence.now >= evidence.deadline + SBATCH_BLOCKS
    if isinstance(evidence.verdict, Uncertain) or evidence.sbatch_dead or hopeless:
        return Void()
    return Wait(after=timedelta(seconds=2))


def _start_over(evidence: SubmitEvidence) -> End:
    """A void attempt can never run; the pause only keeps a second Slurm record from appearing beside it."""
    if isinstance(evidence.verdict, Uncertain):
        reason = Reason.CLUSTER_UNREACHABLE
        return End(to=Phase.PENDING, reason=reason, message=evidence.verdict.message, pause=AFTER_DEATH)
    if evidence.sbatch_dead:
        return End(to=Phase.PENDING, reason=Reason.SUBMIT_UNCERTAIN, pause=AFTER_DEATH)
    latest = evidence.created + evidence.munge_life + SBATCH_BLOCKS
    return End(to=Phase.PENDING, reason=Reason.SUBMIT_UNCERTAIN, pause=max(timedelta(), latest - evidence.now))
