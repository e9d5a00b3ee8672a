"""Compare one look at Slurm with the attempts we believe in: pure, for one cluster at a time.

A Slurm job is ours if its id and user are the bound ones, and its submit time too once that is known: ids are used
again after a controller lost its state, and the next user's job may carry ours. The working directory is the marker
by which a job is first recognised; later its owner may have changed it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gateway.controller.decide import LOOKS_UNTIL_GONE
from gateway.ids import AttemptId, SlurmJobId, is_attempt_id
from gateway.jobs.facts import moment
from gateway.slurm.states import phase_of, verdict_of
from gateway.slurm.transport import Observation, SlurmJob
from gateway.states import LIVE_IN_SLURM, Phase, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What the database says of an attempt that may be in Slurm."""

    attempt: AttemptId
    phase: Phase
    uid: int
    slurm_job_id: SlurmJobId | None
    slurm_submitted: int | None
    missing_looks: int
    slurm_state: str | None
    slurm_reason: str | None
    array_tasks: int | None
    """How many tasks the array has; None for a job that is not one."""
    array_rest: str | None = None
    """Those of them that had not started at the last look, as Slurm writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An attempt should move."""

    attempt: AttemptId
    to: Phase
    reason: Reason
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A live Slurm job with our marker that is not the bound one: it can never run tenant code, and is cancelled.

    Also one whose marker is nobody's whom we watch: the attempt may be over, and its sbatch landed late.
    """

    attempt: AttemptId
    job_id: SlurmJobId
    uid: int


@dataclass(slots=True, kw_only=True)
class Findings:
    """What one look brought."""

    adopted: list[tuple[AttemptId, SlurmJobId]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Facts for `facts.seen`."""
    tasks: list[dict[str, Any]] = field(default_factory=list)
    """Facts for `facts.tasks`."""
    missing: list[AttemptId] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)

    def attempts(self) -> set[AttemptId]:
        """Return every attempt that something is to be written about."""
        facts = {row["attempt"] for row in self.seen} | {row["attempt_id"] for row in self.tasks}
        return facts | {attempt for attempt, _ in self.adopted} | {*self.missing} | {c.attempt for c in self.changes}


def compare(look: Observation, believed: Iterable[Believed], *, same_memory: bool) -> Findings:
    """Find what changed. With `same_memory` False (slurmctld restarted) absence is noted for the first time only."""
    by_id: dict[SlurmJobId, list[SlurmJob]] = defaultdict(list)
    by_marker: dict[str, list[SlurmJob]] = defaultdict(list)
    for job in look.jobs:
        by_id[job.array_job_id or job.job_id].append(job)
        marker = PurePosixPath(job.workdir).name
        if is_attempt_id(marker):
            by_marker[marker].append(job)
    findings = Findings()
    for one in believed:
        marked = [job for job in by_marker.pop(one.attempt, ()) if job.uid == one.uid]
        bound = one.slurm_job_id
        if bound is None:
            bound = _adopt(findings, one, marked)
        _add_strays(findings, one.attempt, bound, marked)
        if bound is not None:
            _look_at(
                findings, one, [job for job in by_id.get(bound, ()) if _is_it(job, one)], look, same_memory=same_memory
            )
    for marker, marked in by_marker.items():
        _add_strays(findings, AttemptId(marker), None, marked)
    return findings


def _adopt(findings: Findings, one: Believed, marked: Sequence[SlurmJob]) -> SlurmJobId | None:
    """An unbound attempt is whatever carries its marker; of several the first, the claim decides who runs."""
    ids = sorted({job.array_job_id or job.job_id for job in marked}, key=int)
    if not ids:
        return None
    findings.adopted.append((one.attempt, ids[0]))
    return ids[0]


def _add_strays(findings: Findings, attempt: AttemptId, bound: SlurmJobId | None, marked: Sequence[SlurmJob]) -> None:
    # An array is one stray, however many records it has.
    live = {(job.array_job_id or job.job_id, job.uid) for job in marked if phase_of(job.state) in LIVE_IN_SLURM}
    findings.strays += [Stray(attempt=attempt, job_id=job, uid=uid) for job, uid in sorted(live) if job != bound]


def _is_it(job: SlurmJob, one: Believed) -> bool:
    # A requeue by an administrator changes the submit time, an owner may change the directory; nobody both at once.
    marked = PurePosixPath(job.workdir).name == one.attempt
    return job.uid == one.uid and (marked or job.submitted == one.slurm_submitted is not None)


def _look_at(
    findings: Findings, one: Believed, jobs: Sequence[SlurmJob], look: Observation, *, same_memory: bool
) -> None:
    if not jobs:
        if look.unread == 0:
            findings.missing.append(one.attempt)
            if same_memory and one.missing_looks + 1 >= LOOKS_UNTIL_GONE:
                message = "Slurm's queue does not show the job any more."
                change = Change(attempt=one.attempt, to=Phase.FINALIZING, reason=Reason.ENDED, message=message)
                findings.changes.append(change)
        return
    if one.array_tasks is not None:
        findings.tasks.extend(_task_row(one.attempt, job) for job in jobs if _is_known_task(job))
    phase = _together(jobs)
    first = max(jobs, key=lambda job: (job.state == "RUNNING", job.started or 0))
    rest = next((job for job in jobs if _is_rest(job)), None)
    row = _seen_row(one.attempt, first, rest)
    known = (one.slurm_state, one.slurm_reason, one.array_rest)
    if known != (row["word"], row["why"], row["rest"]) or one.missing_looks or one.slurm_submitted is None:
        findings.seen.append(row)
    if phase is not None and phase is not one.phase:
        findings.changes.append(Change(attempt=one.attempt, to=phase, reason=_REASON[phase]))


_REASON = {
    Phase.QUEUED: Reason.REQUEUED_BY_SLURM,
    Phase.RUNNING: Reason.STARTED,
    Phase.FINALIZING: Reason.ENDED,
}


def _together(jobs: Sequence[SlurmJob]) -> Phase | None:
    """Add the records of one attempt up; None when a word is unknown, which changes nothing."""
    phases = {phase_of(job.state) for job in jobs}
    if None in phases:
        return None
    # Of an array, tasks may have ended while others wait: it is running until no record waits or runs any more.
    if Phase.RUNNING in phases or len(phases) > 1:
        return Phase.RUNNING
    return next(iter(phases))


def _is_known_task(job: SlurmJob) -> bool:
    return _task_number(job) is not None and phase_of(job.state) is not None


def _task_number(job: SlurmJob) -> int | None:
    return int(job.array_tasks) if job.array_tasks is not None and job.array_tasks.isdecimal() else None


def _is_rest(job: SlurmJob) -> bool:
    return job.array_tasks is not None and _task_number(job) is None


def _seen_row(attempt: AttemptId, job: SlurmJob, rest: SlurmJob | None) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "word": job.state[:32],
        # A task that runs has no reason; why the others do not is what people ask.
        "why": (rest or job).reason[:200],
        "rest": None if rest is None else rest.array_tasks,
        "submitted": job.submitted,
        "started": moment(job.started),
        "where": job.node_list or None,
        "n_nodes": job.nodes,
        "n_cpus": job.cpus,
    }


def _task_row(attempt: AttemptId, job: SlurmJob) -> dict[str, Any]:
    phase, reason = phase_of(job.state), None
    ended = phase is Phase.FINALIZING
    if ended:
        phase, reason = verdict_of(job.state, exit_code=job.exit_code, signal=job.signal)
    return {
        "attempt_id": attempt,
        "task": _task_number(job),
        "slurm_job_id": job.job_id,
        "phase": phase,
        "reason": reason,
        "slurm_state": job.state[:32],
        "started_at": moment(job.started),
        "ended_at": moment(job.ended) if ended else None,
        "exit_code": job.exit_code if ended else None,
        "exit_signal": job.signal if ended else None,
        "node_list": job.node_list or None,
    }
