"""Write down what happened in the world, unconditionally and idempotently; deciding what follows is others' work.

A fact is true whoever brings it: a controller that lost its lease during a slow sbatch still holds the most valuable
one there is, Slurm's job id. So nothing here compares versions or leases, and nothing here touches state or phase of
a job, step or attempt.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from gateway.db import tables
from gateway.db.database import Transaction
from gateway.ids import AttemptId, JobId, SlurmJobId


def bind(transaction: Transaction, attempt: AttemptId, slurm_job_id: SlurmJobId) -> None:
    """Record which Slurm job an attempt is. Write-once: a second, different id never replaces the first."""
    a = tables.attempts.c
    transaction.execute(
        tables.attempts.update()
        .where(a.id == attempt, a.slurm_job_id.is_(None))
        .values(slurm_job_id=slurm_job_id, bound_at=transaction.now)
    )


_SEEN: Final = (
    tables.attempts.update()
    .where(tables.attempts.c.id == bindparam("b_id"))
    .values(
        slurm_state=bindparam("word"),
        slurm_reason=bindparam("why"),
        array_rest=bindparam("rest"),
        slurm_submitted=sa.func.coalesce(
            tables.attempts.c.slurm_submitted, bindparam("submitted", type_=sa.BigInteger)
        ),
        started_at=bindparam("started", type_=tables.attempts.c.started_at.type),
        node_list=bindparam("where"),
        nodes=bindparam("n_nodes"),
        cpus=bindparam("n_cpus"),
        missing_looks=0,
    )
)


def seen(transaction: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
    """Record what Slurm's queue says of attempts: dicts of `attempt, word, why, submitted, started, where, …`."""
    values = [{**row, "b_id": row["attempt"]} for row in rows]
    for value in values:
        del value["attempt"]
    if values:
        transaction.execute(_SEEN, values)


def missing(transaction: Transaction, attempts: Iterable[AttemptId]) -> None:
    """Record that a complete look at the cluster did not show these attempts' jobs."""
    ids = list(attempts)
    a = tables.attempts.c
    if ids:
        transaction.execute(tables.attempts.update().where(a.id.in_(ids)).values(missing_looks=a.missing_looks + 1))


def outcome(transaction: Transaction, attempt: AttemptId, *, source: str, values: Mapping[str, Any]) -> None:
    """Record how an attempt ended and who said so (`accounting`, `controller` or `record`)."""
    transaction.execute(
        tables.attempts.update().where(tables.attempts.c.id == attempt).values(outcome_source=source, **values)
    )


def tasks(transaction: Transaction, rows: list[dict[str, Any]]) -> None:
    """Record what array tasks did; the last word counts, and what is known already is not written again."""
    if not rows:
        return
    insert = sqlite.insert if transaction.connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(tables.tasks)
    keep = {column.name: statement.excluded[column.name] for column in tables.tasks.c if not column.primary_key}
    news = sa.or_(*(tables.tasks.c[name].is_distinct_from(value) for name, value in keep.items()))
    on_news = statement.on_conflict_do_update(index_elements=["attempt_id", "task"], set_=keep, where=news)
    transaction.execute(on_news, rows)


def request_cancel(transaction: Transaction, job: JobId, *, by: str) -> bool:
    """Record the wish to cancel a job: a fact beside its state, kept even when it comes too late. False: known."""
    j = tables.jobs.c
    noted = transaction.execute(
        tables.jobs.update()
        .where(j.id == job, j.cancel_requested_at.is_(None))
        .values(cancel_requested_at=transaction.now, cancel_requested_by=by)
    )
    return noted.rowcount == 1


def request_task_cancel(transaction: Transaction, job: JobId, task: int, *, by: str) -> bool:
    """Record the wish to cancel one task of an array. False: it was known."""
    insert = sqlite.insert if transaction.connection.dialect.name == "sqlite" else postgresql.insert
    noted = transaction.execute(
        insert(tables.task_cancels)
        .values(job_id=job, task=task, requested_at=transaction.now, requested_by=by)
        .on_conflict_do_nothing()
        .returning(tables.task_cancels.c.task)
    )
    return noted.first() is not None


def moment(epoch: int | None) -> datetime | None:
    """Turn Slurm's epoch seconds into a moment."""
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
