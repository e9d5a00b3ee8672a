"""Establish how a job ended: pure, from what accounting, the controller and the job's own record say.

They are believed in this order, and absence is never success: without a word from any of them the job waits, and
after a while it is OUTCOME_UNKNOWN, which is a state of its own and not a guess.
"""

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from gateway.controller.decide import End, Void, Wait
from gateway.jobs.facts import moment
from gateway.slurm.states import phase_of, verdict_of
from gateway.slurm.transport import Outcome
from gateway.states import Phase, Reason

NOT_RUN: Final = 75
"""The wrapper's exit code for: no tenant code was started."""
_AGAIN: Final = timedelta(seconds=1)
_LONGER: Final = 10
"""How many times longer a job waits for an outcome that accounting cannot deny."""

Accounting = Literal["off", "failed", "behind", "settled"]
"""Whether accounting's silence counts: there is none; it could not be asked; it may not know yet; it would know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRecord:
    """What the attempt's wrapper wrote about the end. Its tenant could have written anything else there."""

    exit_code: int
    signal: int
    started: datetime | None
    ended: datetime | None
    max_rss_kb: int | None
    wrapper_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """How an array task ended, as an earlier look at the controller saw it; the controller may have forgotten it."""

    to: Phase
    reason: Reason
    exit_code: int | None = None
    signal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEvidence:
    """All that is known about the end of an attempt."""

    accounting: Sequence[Outcome]
    controller: Sequence[Outcome]
    record: ExitRecord | None
    cancel_requested: bool
    waited: timedelta
    """Since Slurm no longer showed it as live."""
    patience: timedelta
    accounting_state: Accounting
    lost_by_restart: bool
    """Bound just before slurmctld restarted, and gone: its memory went back in time."""
    void: bool
    """The attempt is claimed by nobody, for ever: it never ran and never will."""
    array_tasks: int | None = None
    """How many tasks the array has; None for a job that is not one."""
    seen_tasks: Mapping[int, TaskEnd] = field(default_factory=dict)
    cancelled_tasks: frozenset[int] = frozenset()
    """The tasks that somebody asked to cancel one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end, established."""

    to: Phase
    reason: Reason
    source: str
    message: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """Columns of the attempt."""
    tasks: Mapping[int, tuple[Outcome, TaskEnd]] = field(default_factory=dict)


def finish(evidence: EndEvidence) -> Ended | End | Void | Wait:
    """Say how it ended, or what to do to find out."""
    late = evidence.waited >= evidence.patience
    for source, outcomes in (("accounting", newest(evidence.accounting)), ("controller", newest(evidence.controller))):
        nothing_more = late and source == "accounting" and evidence.accounting_state == "settled"
        if has_ended(outcomes) and (nothing_more or _is_whole(evidence, outcomes)):
            return _by_slurm(evidence, source, outcomes)
    if evidence.record is not None and (late or evidence.accounting_state in {"off", "settled"}):
        return _by_record(evidence, evidence.record)
    if evidence.record is None and evidence.lost_by_restart:
        if not evidence.void:
            return Void()
        return End(to=Phase.PENDING, reason=Reason.SUBMIT_UNCERTAIN, pause=timedelta(seconds=10))
    enough = evidence.patience * (1 if evidence.accounting_state == "settled" else _LONGER)
    if evidence.waited >= enough and evidence.accounting_state != "failed":
        return Ended(to=Phase.FAILED, reason=Reason.OUTCOME_UNKNOWN, source="nobody")
    return Wait(after=_AGAIN)


def newest(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the last record of each job or task (they come oldest first): a requeue leaves one for every run."""
    return list({(outcome.job_id, outcome.array_task): outcome for outcome in outcomes}.values())


def has_ended(outcomes: Sequence[Outcome]) -> bool:
    """Say whether these are the records of something that is over. RUNNING in accounting is no sign of life."""
    return bool(outcomes) and all(phase_of(outcome.state) is Phase.FINALIZING for outcome in outcomes)


def _is_whole(evidence: EndEvidence, outcomes: Sequence[Outcome]) -> bool:
    """Say whether no task of an array is missing. One record may stand for all that never started (`36_[3-9]`)."""
    if evidence.array_tasks is None or any(outcome.array_task is None for outcome in outcomes):
        return True
    told = {outcome.array_task for outcome in outcomes}
    return len(told | evidence.seen_tasks.keys() | evidence.cancelled_tasks) >= evidence.array_tasks


def _untold(evidence: EndEvidence, outcomes: Sequence[Outcome]) -> list[TaskEnd]:
    """Return the ends of tasks that Slurm says nothing of now.

    It may have forgotten them since they were seen. A task that was cancelled before it started leaves no record at all
    (seen on 22.05.8).
    """
    told = {outcome.array_task for outcome in outcomes}
    ends = [end for task, end in sorted(evidence.seen_tasks.items()) if task not in told]
    if evidence.cancelled_tasks - told - evidence.seen_tasks.keys():
        ends.append(TaskEnd(to=Phase.CANCELLED, reason=Reason.CANCELLED_BY_USER))
    if not _is_whole(evidence, outcomes):
        reason = Reason.CANCELLED_BY_USER if evidence.cancel_requested else Reason.CANCELLED_IN_SLURM
        ends.append(TaskEnd(to=Phase.CANCELLED, reason=reason))
    return ends


def _by_slurm(evidence: EndEvidence, source: str, outcomes: Sequence[Outcome]) -> Ended:
    told = [(outcome, _end_of(outcome, evidence)) for outcome in outcomes]
    tasks = {outcome.array_task: (outcome, end) for outcome, end in told if outcome.array_task is not None}
    # Of an array, one failed task fails the job; the first of the worst gives the reason.
    worst = min([*(end for _, end in told), *_untold(evidence, outcomes)], key=lambda end: _GRAVITY.index(end.to))
    first = next((outcome for outcome, end in told if end is worst), outcomes[0])
    facts = {
        "slurm_state": first.state[:32],
        "started_at": moment(min((o.started for o in outcomes if o.started is not None), default=None)),
        "ended_at": moment(max((o.ended for o in outcomes if o.ended is not None), default=None)),
        "exit_code": worst.exit_code,
        "exit_signal": worst.signal,
        "elapsed_s": max((o.elapsed_s or 0 for o in outcomes), default=None),
        "max_rss_kb": max((o.max_rss_kb for o in outcomes if o.max_rss_kb is not None), default=None),
        "tres": first.tres or None,
    }
    if first.node_list:
        facts |= {"node_list": first.node_list, "nodes": first.nodes, "cpus": first.cpus}
    message = f"node {first.failed_node} was lost" if first.failed_node else None
    if worst.reason is Reason.EXIT_CODE:
        message = _why(worst.signal, evidence.record)
    return Ended(to=worst.to, reason=worst.reason, source=source, message=message, facts=facts, tasks=tasks)


def _why(killed_by: int | None, record: ExitRecord | None) -> str | None:
    """Say more of a program that ended badly than that it did, where more is known."""
    if record is not None and record.wrapper_error in _UNSTARTED:
        return _UNSTARTED[record.wrapper_error]
    number = killed_by or (record.signal if record is not None else 0)
    if not number:
        return None
    name = f" ({signal.Signals(number).name})" if number in set(signal.Signals) else ""
    return f"The job's program was killed by signal {number}{name}."


_UNSTARTED: Final = {
    "workdir": "The job's working directory could not be entered; its log says why.",
    "interpreter": "The program that the script names after #! is not on the node; the job's log says more.",
    "script": "The script could not be started; the job's log says why.",
}
"""What a program that never ran is told instead of "ended with an error"; the wrapper's words for it stay words."""

_GRAVITY: Final = [Phase.FAILED, Phase.CANCELLED, Phase.COMPLETED]


def _end_of(outcome: Outcome, evidence: EndEvidence) -> TaskEnd:
    to, reason = verdict_of(outcome.state, exit_code=outcome.exit_code, signal=outcome.signal)
    wanted = evidence.cancel_requested or outcome.array_task in evidence.cancelled_tasks
    if reason is Reason.CANCELLED_IN_SLURM and wanted:
        reason = Reason.CANCELLED_BY_USER
    if reason is Reason.EXIT_CODE and outcome.exit_code == NOT_RUN and evidence.record is None:
        reason = Reason.NODE_UNFIT
    return TaskEnd(to=to, reason=reason, exit_code=_exit_code(outcome, evidence.record), signal=outcome.signal or None)


def _exit_code(outcome: Outcome, record: ExitRecord | None) -> int:
    """sacct prints codes of 128 and more without their 128 (seen on 22.05.8): the record may tell which it was."""
    if record is not None and record.exit_code == outcome.exit_code + 128:
        return record.exit_code
    return outcome.exit_code


def _by_record(evidence: EndEvidence, record: ExitRecord) -> Ended:
    clean = record.exit_code == 0 and record.signal == 0
    to, reason = (Phase.COMPLETED, Reason.SUCCESS) if clean else (Phase.FAILED, Reason.EXIT_CODE)
    if not clean and evidence.cancel_requested:
        to, reason = Phase.CANCELLED, Reason.CANCELLED_BY_USER
    facts = {
        "started_at": record.started,
        "ended_at": record.ended,
        "exit_code": record.exit_code,
        "exit_signal": record.signal or None,
        "max_rss_kb": record.max_rss_kb,
    }
    message = _why(None, record) if reason is Reason.EXIT_CODE else None
    known = {name: value for name, value in facts.items() if value is not None}
    return Ended(to=to, reason=reason, source="record", message=message, facts=known)


def read_record(data: bytes) -> ExitRecord | None:
    """Read `exit.json`, believing nothing: None for anything that is not a plausible record."""
    try:
        document = json.loads(data)
        if document["exit_code"] is None and document["signal"] is None:
            return None
        return ExitRecord(
            exit_code=_small(document["exit_code"]),
            signal=_small(document["signal"]),
            started=_moment(document["started"]),
            ended=_moment(document["ended"]),
            max_rss_kb=None if document["max_rss_kb"] is None else _small(document["max_rss_kb"], most=2**53),
            wrapper_error=None if document["wrapper_error"] is None else str(document["wrapper_error"])[:100],
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def _small(value: object, *, most: int = 255) -> int:
    number = 0 if value is None else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise ValueError("not a small number")
    return int(number)


def _moment(value: object) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
