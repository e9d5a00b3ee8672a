"""Read what the gateway itself remembers of attempts that ended, and recognise Slurm's records of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from gateway.controller.ending import TaskEnd
from gateway.db import tables
from gateway.db.database import Database, Transaction
from gateway.ids import AttemptId, StepId
from gateway.slurm.transport import Outcome
from gateway.states import FINAL, Phase, Reason

_RESTART_WINDOW: Final = timedelta(seconds=60)
"""slurmctld saves its state every few seconds; what it accepted just before a crash may be gone after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What the database knows of an array's tasks."""

    ended: dict[int, TaskEnd] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    """Those that somebody asked to cancel one by one."""


def load(transaction: Transaction, step_ids: Sequence[StepId]) -> dict[StepId, Any]:
    """Read steps with their attempts, and when their cluster's controller was started."""
    s, a, j, w = tables.steps.c, tables.attempts.c, tables.jobs.c, tables.cluster_watches.c
    rows = (
        sa.select(s.id, s.job_id, s.attempt_id, s.since, a.unix_user, a.uid, a.created_at, a.slurm_job_id)
        .add_columns(a.slurm_submitted, a.bound_at, j.cancel_requested_at, j.array_tasks, w.boot_time)
        .join(tables.attempts, a.id == s.attempt_id)
        .join(tables.jobs, j.id == s.job_id)
        .outerjoin(tables.cluster_watches, w.cluster == s.cluster)
        .where(s.id.in_(step_ids))
    )
    return {StepId(row.id): row for row in transaction.execute(rows)}


def load_tasks(database: Database, rows: Sequence[Any]) -> dict[AttemptId, Tasks]:
    """Read what is known of the tasks of arrays, beside what Slurm says now."""
    if not rows:
        return {}
    t, c = tables.tasks.c, tables.task_cancels.c
    ended = sa.select(t.attempt_id, t.task, t.phase, t.reason, t.exit_code, t.exit_signal).where(
        t.attempt_id.in_([row.attempt_id for row in rows]), t.phase.in_(FINAL)
    )
    wishes = sa.select(c.job_id, c.task).where(c.job_id.in_([row.job_id for row in rows]))
    found = {row.attempt_id: Tasks() for row in rows}
    by_job = {row.job_id: found[row.attempt_id] for row in rows}
    with database.read() as connection:
        for attempt, task, phase, reason, exit_code, signal in connection.execute(ended):
            end = TaskEnd(to=Phase(phase), reason=Reason(reason), exit_code=exit_code, signal=signal)
            found[attempt].ended[task] = end
        for job, task in connection.execute(wishes):
            by_job[job].cancelled.add(task)
    return {AttemptId(attempt): tasks for attempt, tasks in found.items()}


def is_it(outcome: Outcome, row: Any) -> bool:
    """An outcome is ours by user, and by marker or submit time: ids are used again."""
    if outcome.uid is not None and outcome.uid != row.uid:
        return False
    marked = PurePosixPath(outcome.workdir).name == row.attempt_id
    return marked or (outcome.submitted is not None and outcome.submitted == row.slurm_submitted)


def bound_before_restart(row: Any) -> bool:
    """Say whether the controller was restarted so soon after it took the job that it may have forgotten it."""
    if row.boot_time is None or row.bound_at is None:
        return False
    booted = datetime.fromtimestamp(row.boot_time, UTC)
    # From the intent on: the answer may have been noted only after the restart.
    return bool(row.created_at < booted < row.bound_at + _RESTART_WINDOW)
