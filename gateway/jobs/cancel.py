"""Cancel jobs and array tasks. The wish is a fact; CANCELLED is said only when it is true."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.db.database import Transaction
from gateway.errors import Forbidden, NotFound
from gateway.ids import JobId, StepId
from gateway.jobs import facts, read
from gateway.jobs.arrays import demand_task
from gateway.jobs.lifecycle import advance
from gateway.jobs.moves import Move
from gateway.services import Services
from gateway.states import FINAL, Phase, Reason
from gateway.wire import JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The job after the request; `was_final` when there was nothing left to cancel."""

    view: JobView
    was_final: bool


def cancel(services: Services, principal: Principal, job_id: JobId, *, task: int | None = None) -> Cancelled:
    """Ask for the end of a job, or of one array task; idempotent. Raises NotFound, Forbidden.

    A job that waits in the gateway is cancelled at once. One that Slurm has, or may have, is cancelled there by the
    controllers, and called CANCELLED when Slurm says that it ended so.
    """

    def wish(transaction: Transaction) -> bool:
        row = _find(transaction, principal, job_id)
        if task is not None:
            demand_task(job_id, row.array, task)
        if row.phase in FINAL:
            return True
        if task is not None:
            new = facts.request_task_cancel(transaction, job_id, task, by=principal.actor)
        else:
            new = facts.request_cancel(transaction, job_id, by=principal.actor)
        if new:
            transaction.emit(_requested(row, principal, task))
        if task is None:
            _end_waiting(transaction, row, principal)
        return False

    was_final = services.writer.run(wish, tenant=_account(services, principal, job_id))
    return Cancelled(view=read.get(services, principal.visible, job_id), was_final=was_final)


def _account(services: Services, principal: Principal, job_id: JobId) -> str:
    """Return whose account is to be locked: an operator's own is not the job's."""
    j = tables.jobs.c
    with services.database.read() as connection:
        found = connection.execute(
            sa.select(j.tenant_id).where(j.id == job_id, principal.visible.allow(j.tenant_id))
        ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no job {job_id}.")
    return str(found)


def _find(transaction: Transaction, principal: Principal, job_id: JobId) -> Any:
    j, s = tables.jobs.c, tables.steps.c
    row = transaction.execute(
        sa.select(j.id, j.tenant_id, j.user_id, j.phase, s.id.label("step_id"), s.version)
        .add_columns(j.spec["array"].as_string().label("array"))
        .join(tables.steps, s.job_id == j.id)
        .where(j.id == job_id, principal.visible.allow(j.tenant_id))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    if not principal.may_cancel(tenant=row.tenant_id, user_id=row.user_id):
        raise Forbidden(f"Job {job_id} is another user's.", hint="Its owner or an admin of the tenant can cancel it.")
    return row


def _requested(row: Any, principal: Principal, task: int | None) -> dict[str, Any]:
    return {
        "tenant_id": row.tenant_id,
        "job_id": row.id,
        "step": None,
        "attempt": None,
        "kind": "job.cancel_requested",
        "from_phase": row.phase,
        "to_phase": None,
        "reason": None,
        "actor": principal.actor,
        "message": None if task is None else f"task {task}",
    }


def _end_waiting(transaction: Transaction, row: Any, principal: Principal) -> None:
    """End a job that nobody has begun to act on; if a controller holds it, that one sees the wish."""
    if row.phase != Phase.PENDING:
        return
    move = Move(
        step=StepId(row.step_id),
        version=row.version,
        to=Phase.CANCELLED,
        reason=Reason.CANCELLED_BY_USER,
        actor=principal.actor,
    )
    advance(transaction, [move])
