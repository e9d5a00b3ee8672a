"""Change the state of jobs, steps and attempts: the only door, and it reads the table of moves.

What happened in the world (an sbatch answer, an observation, an outcome) is a *fact* and is written by `facts.py`
without conditions. What we make of it is a *decision*: it comes here as a `Move`, is compared with the step's version
and lease, and either applies as a whole or not at all.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from gateway.db import tables
from gateway.db.database import Transaction
from gateway.ids import JobId, StepId
from gateway.jobs.moves import IllegalMove, Move, NewAttempt, check, is_current
from gateway.states import FINAL, STATE_OF, Phase, Reason, job_phase

__all__ = ["IllegalMove", "Move", "NewAttempt", "advance", "create", "lock_accounts"]

MAIN_STEP: Final = "main"


# Its values come beside it: to build an insert from `values(row)` costs more than to run it (profiled).
_INSERT_JOB: Final = tables.jobs.insert().returning(tables.jobs.c.id)


def create(transaction: Transaction, *, job: Mapping[str, Any], step: str = MAIN_STEP) -> JobId:
    """Insert an accepted job with its one step, waiting in the gateway; returns the new job's id.

    `job` has every column of the jobs table that this function does not know better.
    """
    first = {"phase": Phase.PENDING, "reason": Reason.SUBMITTED}
    row = {**job, **first, "state": STATE_OF[Phase.PENDING], "version": 0, "created_at": transaction.now}
    job_id = JobId(transaction.execute(_INSERT_JOB, row).scalar_one())
    waiting = {"rank": -job["priority"], "due_at": transaction.now, "since": transaction.now, "version": 0, "tries": 0}
    transaction.execute(
        tables.steps.insert(),
        {**first, **waiting, "job_id": job_id, "name": step, "cluster": job["cluster"], "lease_token": 0},
    )
    transaction.emit(
        _event(job["tenant_id"], job_id, step, None, kind="job.submitted", to=Phase.PENDING, reason=Reason.SUBMITTED)
        | {"actor": f"user:{job['user_name']}", "message": None, "from_phase": None}
    )
    return job_id


def advance(transaction: Transaction, moves: Sequence[Move]) -> set[StepId]:
    """Apply decisions; returns the steps that moved.

    A decision made on an older version, or under a lease that was lost, is dropped: whoever moved the step since has
    seen more. So is the second of two on one step. Raises IllegalMove, and nothing applies, if a decision breaks the
    table of moves.
    """
    if not moves:
        return set()
    current = _lock(transaction, [move.step for move in moves])
    valid = [move for move in moves if is_current(move, current.get(move.step), transaction.now)]
    apply = list({move.step: move for move in reversed(valid)}.values())
    for move in apply:
        check(move, Phase(current[move.step].phase))
    if not apply:
        return set()
    _insert_attempts(transaction, apply, current)
    _update_steps(transaction, apply, current)
    _update_attempts(transaction, apply, current)
    _update_jobs(transaction, apply, current)
    _wake_dependents(transaction, {current[move.step].job_id for move in apply if move.to in _OPENS})
    for move in apply:
        row = current[move.step]
        number = move.new_attempt.number if move.new_attempt else row.attempt_number
        event = _event(
            row.tenant_id, row.job_id, row.name, number, kind="step.advanced", to=move.to, reason=move.reason
        )
        transaction.emit(event | {"from_phase": row.phase, "actor": move.actor, "message": move.message})
    return {move.step for move in apply}


def lock_accounts(transaction: Transaction, step_ids: Collection[StepId]) -> None:
    """Lock the accounts of steps, before anything else that belongs to them.

    Whoever writes facts or leases and then decides in the same transaction calls this first: locks are always taken
    in the order account, job, step, attempt, or two transactions could wait for each other in a circle.
    """
    if transaction.connection.dialect.name == "sqlite" or not step_ids:
        return
    s, j = tables.steps.c, tables.jobs.c
    wanted = sa.select(j.tenant_id).join(tables.steps, s.job_id == j.id).where(s.id.in_(step_ids)).distinct()
    transaction.lock_tenants(set(transaction.execute(wanted).scalars()))


def _lock(transaction: Transaction, step_ids: Sequence[StepId]) -> dict[StepId, Any]:
    """Lock account, job and step of every step, always in this order; return their rows, with the attempt's.

    Attempts need no lock: nobody moves one without holding its step.
    """
    lock_accounts(transaction, step_ids)
    s, j, a = tables.steps.c, tables.jobs.c, tables.attempts.c
    rows = sa.select(
        *(s.id, s.job_id, s.name, s.phase, s.version, s.tries, s.attempt_id, s.lease_holder, s.lease_token),
        *(s.lease_expires_at, j.tenant_id, j.cluster, j.unix_user, j.uid),
        *(j.started_at.label("job_started_at"), a.number.label("attempt_number"), a.started_at, a.ended_at),
        *(a.exit_code, a.exit_signal),
    )
    rows = rows.join(tables.jobs, s.job_id == j.id).outerjoin(tables.attempts, a.id == s.attempt_id)
    rows = rows.where(s.id.in_(step_ids)).order_by(j.id, s.id).with_for_update(of=[tables.jobs, tables.steps])
    return {StepId(row.id): row for row in transaction.execute(rows)}


def _insert_attempts(transaction: Transaction, moves: Sequence[Move], current: Mapping[StepId, Any]) -> None:
    rows = [
        {
            "id": move.new_attempt.id,
            "number": move.new_attempt.number,
            "sbatch_deadline": move.new_attempt.sbatch_deadline,
            "job_id": current[move.step].job_id,
            "step_id": move.step,
            "cluster": current[move.step].cluster,
            "unix_user": current[move.step].unix_user,
            "uid": current[move.step].uid,
            "phase": move.to,
            "reason": move.reason,
            "created_at": transaction.now,
            "missing_looks": 0,
        }
        for move in moves
        if move.new_attempt
    ]
    if rows:
        transaction.execute(tables.attempts.insert(), rows)


_STEP_UPDATE: Final = (
    tables.steps.update()
    .where(tables.steps.c.id == bindparam("b_id"), tables.steps.c.version == bindparam("b_version"))
    .values(
        phase=bindparam("to"),
        reason=bindparam("why"),
        version=tables.steps.c.version + 1,
        due_at=bindparam("due"),
        since=bindparam("entered"),
        tries=bindparam("tried"),
        attempt_id=bindparam("attempt"),
        lease_holder=bindparam("holder"),
        lease_expires_at=bindparam("expires"),
    )
)


def _update_steps(transaction: Transaction, moves: Sequence[Move], current: Mapping[StepId, Any]) -> None:
    def values(move: Move) -> dict[str, Any]:
        row, attempt = current[move.step], move.new_attempt
        return {
            "b_id": move.step,
            "b_version": move.version,
            "to": move.to,
            "why": move.reason,
            "due": move.due_at or transaction.now,
            "entered": transaction.now,
            "tried": row.tries + 1 if attempt else row.tries,
            "attempt": attempt.id if attempt else row.attempt_id,
            "holder": row.lease_holder if move.keep_lease else None,
            "expires": row.lease_expires_at if move.keep_lease else None,
        }

    transaction.execute(_STEP_UPDATE, [values(move) for move in moves])


_WITH_ATTEMPT: Final = frozenset({Phase.SUBMITTING, Phase.QUEUED, Phase.RUNNING, Phase.FINALIZING})
"""In the other phases a step's attempt, if there is one, is an earlier one and over."""

_ATTEMPT_UPDATE: Final = (
    tables.attempts.update()
    .where(tables.attempts.c.id == bindparam("b_id"))
    .values(phase=bindparam("to"), reason=bindparam("why"))
)


def _update_attempts(transaction: Transaction, moves: Sequence[Move], current: Mapping[StepId, Any]) -> None:
    """An attempt shares its step's phases while it lives; going back to PENDING ends it, as failed, for the reason."""
    living = [(move, current[move.step]) for move in moves if current[move.step].phase in _WITH_ATTEMPT]
    rows = [
        {"b_id": row.attempt_id, "to": Phase.FAILED if move.to is Phase.PENDING else move.to, "why": move.reason}
        for move, row in living
    ]
    if rows:
        transaction.execute(_ATTEMPT_UPDATE, rows)


_JOB_UPDATE: Final = (
    tables.jobs.update()
    .where(tables.jobs.c.id == bindparam("b_id"))
    .values(
        state=bindparam("shown"),
        phase=bindparam("to"),
        reason=bindparam("why"),
        message=bindparam("said"),
        version=tables.jobs.c.version + 1,
        started_at=bindparam("started"),
        ended_at=bindparam("ended"),
        exit_code=bindparam("code"),
        exit_signal=bindparam("sig"),
    )
)


def _update_jobs(transaction: Transaction, moves: Sequence[Move], current: Mapping[StepId, Any]) -> None:
    """Compute each job from *all* its steps."""
    s = tables.steps.c
    ids = {current[move.step].job_id for move in moves}
    phases: dict[int, list[Phase]] = {}
    for row in transaction.execute(sa.select(s.job_id, s.phase).where(s.job_id.in_(ids))):
        phases.setdefault(row.job_id, []).append(Phase(row.phase))

    def values(move: Move) -> dict[str, Any]:
        row = current[move.step]
        phase = job_phase(phases[row.job_id])
        over = phase in FINAL
        begun = phase is Phase.RUNNING or move.to in {Phase.FINALIZING, *FINAL}
        return {
            "b_id": row.job_id,
            "shown": STATE_OF[phase],
            "to": phase,
            "why": move.reason,
            "said": move.message,
            "started": row.started_at if begun and row.started_at else row.job_started_at,
            "ended": (row.ended_at or transaction.now) if over else None,
            "code": row.exit_code if over else None,
            "sig": row.exit_signal if over else None,
        }

    transaction.execute(_JOB_UPDATE, [values(move) for move in moves])


_OPENS: Final = FINAL | {Phase.RUNNING}
"""The phases of a job that can fulfil a dependency on it."""


def _wake_dependents(transaction: Transaction, job_ids: Collection[int]) -> None:
    """Jobs that wait for these are looked at now, and not at the end of their pause."""
    if not job_ids:
        return
    d, s = tables.job_dependencies.c, tables.steps.c
    waiting = sa.select(d.job_id).where(d.needs_job_id.in_(job_ids))
    transaction.execute(
        tables.steps.update()
        .where(s.job_id.in_(waiting), s.phase == Phase.PENDING, s.lease_holder.is_(None))
        .values(due_at=transaction.now)
    )


def _event(
    tenant: str, job: int, step: str, attempt: int | None, *, kind: str, to: Phase, reason: Reason
) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "job_id": job,
        "step": step,
        "attempt": attempt,
        "kind": kind,
        "to_phase": to,
        "reason": reason,
    }
