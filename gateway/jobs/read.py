"""Answer every question about jobs, for those who may ask. Another tenant's job does not exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gateway.auth.principal import VisibleTenants
from gateway.db import tables
from gateway.errors import InvalidRequest, NotFound
from gateway.ids import AttemptId, ClusterName, JobId, UnixUser
from gateway.jobs.arrays import demand_task
from gateway.jobs.views import JOB_ROWS, array_counts, event_view, job_view, task_view
from gateway.services import Services
from gateway.states import FINAL, STATE_OF, Phase, State
from gateway.wire import ArrayCounts, EventPage, JobPage, JobView, TaskPage

MAX_PAGE: Final = 1000
j, s, a, t, e = tables.jobs.c, tables.steps.c, tables.attempts.c, tables.tasks.c, tables.events.c


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs of those that are visible. Empty means no condition."""

    states: tuple[State, ...] = ()
    active: bool | None = None
    """True: not final. False: final."""
    user: str | None = None
    name: str | None = None
    pool: str | None = None
    tenant: str | None = None
    ids: tuple[JobId, ...] = ()
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    ended_after: datetime | None = None
    """As every bound on the end, this leaves out what has not ended."""
    ended_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where a job's output lies, and whether more can come."""

    cluster: ClusterName
    user: UnixUser
    attempt: AttemptId | None
    """None: the job was not handed to Slurm yet."""
    number: int
    step: str
    final: bool
    state: State
    exit_code: int | None
    signal: int | None
    merged: bool
    """stderr is in the same file as stdout."""
    array: bool


def get(services: Services, visible: VisibleTenants, job_id: JobId) -> JobView:
    """Return one job; raises NotFound."""
    with services.database.read() as connection:
        row = _row(connection, visible, job_id)
        counts = _counts(connection, [row])
    return job_view(row, now=services.clock.now(), counts=counts.get(row.id))


def page(
    services: Services, visible: VisibleTenants, wanted: JobFilter, *, limit: int, cursor: str | None = None
) -> JobPage:
    """Return a page of jobs, newest first. `cursor` is the `next_cursor` of the page before."""
    limit = _bounded(limit)
    phases = _phases(wanted)
    query = JOB_ROWS.where(visible.allow(j.tenant_id), *_conditions(wanted, phases))
    if cursor is not None:
        query = query.where(j.id < _number(cursor))
    # Live jobs are few and history is long: to find them in the order of ids, SQLite walks through all of it (65 ms for
    # 100,000 jobs). An order that no index has makes it look them up by phase and sort (1 ms).
    order = j.id + 0 if phases is not None and not phases & FINAL else j.id
    with services.database.read() as connection:
        rows = connection.execute(query.order_by(order.desc()).limit(limit + 1)).all()
        counts = _counts(connection, rows[:limit])
    now = services.clock.now()
    items = tuple(job_view(row, now=now, counts=counts.get(row.id)) for row in rows[:limit])
    return JobPage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)


def tasks(
    services: Services, visible: VisibleTenants, job_id: JobId, *, limit: int, cursor: str | None = None
) -> TaskPage:
    """Return the array tasks that have left the queue, by number."""
    limit = _bounded(limit)
    with services.database.read() as connection:
        row = _row(connection, visible, job_id)
        after = t.task > (_number(cursor) if cursor is not None else -1)
        query = sa.select(tables.tasks).where(t.attempt_id == row.attempt_id, after).order_by(t.task)
        rows = connection.execute(query.limit(limit + 1)).all()
    items = tuple(task_view(job_id, task) for task in rows[:limit])
    return TaskPage(items=items, next_cursor=str(items[-1].task) if len(rows) > limit else None)


def events(
    services: Services, visible: VisibleTenants, job_id: JobId, *, limit: int, cursor: str | None = None
) -> EventPage:
    """Return a job's story, oldest first."""
    limit = _bounded(limit)
    with services.database.read() as connection:
        row = _row(connection, visible, job_id)
        after = e.seq > (_number(cursor) if cursor is not None else 0)
        query = sa.select(tables.events).where(e.tenant_id == row.tenant_id, e.job_id == job_id, after)
        rows = connection.execute(query.order_by(e.seq).limit(limit + 1)).all()
    items = tuple(event_view(event) for event in rows[:limit])
    return EventPage(items=items, next_cursor=str(items[-1].seq) if len(rows) > limit else None)


def script(services: Services, visible: VisibleTenants, job_id: JobId) -> bytes:
    """Return the job's script, as it was or will be run."""
    b = tables.job_scripts.c
    with services.database.read() as connection:
        _row(connection, visible, job_id)
        found: bytes = connection.execute(sa.select(b.script).where(b.job_id == job_id)).scalar_one()
        return found


def log_place(services: Services, visible: VisibleTenants, job_id: JobId, *, task: int | None = None) -> LogPlace:
    """Say where a job's (or an array task's) output lies. Raises NotFound, also for a task that does not exist."""
    with services.database.read() as connection:
        row = _row(connection, visible, job_id)
        of_task = sa.select(tables.tasks).where(t.attempt_id == row.attempt_id, t.task == task)
        one = connection.execute(of_task).one_or_none() if task is not None else None
    if task is not None:
        demand_task(job_id, row.spec["array"], task)
    if task is None and row.array_tasks is not None:
        raise InvalidRequest(
            f"Job {job_id} is an array; every task has a log of its own.", hint=f"Name one, such as {job_id}_0."
        )
    phase = Phase(row.phase if one is None or row.phase in FINAL else one.phase)
    over = row if one is None else one
    return LogPlace(
        cluster=ClusterName(row.cluster),
        user=UnixUser(row.unix_user),
        attempt=None if row.attempt_id is None else AttemptId(row.attempt_id),
        number=row.number or 0,
        step="main",
        final=phase in FINAL,
        state=STATE_OF[phase],
        exit_code=over.exit_code,
        signal=over.exit_signal,
        merged=bool(row.spec["merged"]),
        array=row.array_tasks is not None,
    )


def _row(connection: sa.Connection, visible: VisibleTenants, job_id: JobId) -> Any:
    row = connection.execute(JOB_ROWS.where(j.id == job_id, visible.allow(j.tenant_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def _phases(wanted: JobFilter) -> set[Phase] | None:
    """Return the phases that a filter allows, for they have an index and states have none; None: any."""
    if not wanted.states and wanted.active is None:
        return None
    shown = {phase for phase in Phase if not wanted.states or STATE_OF[phase] in wanted.states}
    return shown if wanted.active is None else shown - FINAL if wanted.active else shown & FINAL


def _conditions(wanted: JobFilter, phases: set[Phase] | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [] if phases is None else [j.phase.in_(phases)]
    if wanted.ids:
        conditions.append(j.id.in_(wanted.ids))
    equal = ((j.user_name, wanted.user), (j.name, wanted.name), (j.pool, wanted.pool), (j.tenant_id, wanted.tenant))
    conditions += [column == value for column, value in equal if value is not None]
    from_, before = (
        ((j.created_at, wanted.submitted_after), (j.ended_at, wanted.ended_after)),
        ((j.created_at, wanted.submitted_before), (j.ended_at, wanted.ended_before)),
    )
    conditions += [column >= moment for column, moment in from_ if moment is not None]
    conditions += [column < moment for column, moment in before if moment is not None]
    return conditions


def _counts(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, ArrayCounts]:
    arrays = {row.attempt_id: row for row in rows if row.array_tasks is not None}
    if not arrays:
        return {}
    grouped = sa.select(t.attempt_id, t.phase, sa.func.count()).where(t.attempt_id.in_([*arrays]))
    by_attempt: dict[str, dict[str, int]] = {}
    for attempt, phase, count in connection.execute(grouped.group_by(t.attempt_id, t.phase)):
        by_attempt.setdefault(attempt, {})[phase] = count
    return {row.id: array_counts(row, by_attempt.get(attempt, {})) for attempt, row in arrays.items()}


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise InvalidRequest("cursor: is not one that this list gave out.")
    return int(cursor)
