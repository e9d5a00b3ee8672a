"""Send a signal to a job, or to one task of an array, that runs. What it does then is the job's own affair."""

from typing import Any, Final

import sqlalchemy as sa

from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.directives.diagnostics import BadValue
from gateway.directives.values.signals import signal_name
from gateway.errors import ClusterRefused, Conflict, Forbidden, NotFound
from gateway.ids import JobId, UnixUser
from gateway.jobs import read
from gateway.jobs.arrays import demand_task
from gateway.jobs.described import invalid
from gateway.jobs.views import JOB_ROWS
from gateway.services import Services
from gateway.states import Phase
from gateway.wire import JobView, SignalRequest

_GONE: Final = "Invalid job id specified"
_TO: Final = {None: "", "batch": " to the batch script", "full": " to the batch script and all steps"}


def signal(
    services: Services, principal: Principal, job_id: JobId, request: SignalRequest, *, task: int | None = None
) -> JobView:
    """Let scancel send the signal as the job's own user, and note it as an event.

    Raises NotFound, Forbidden, InvalidRequest, Conflict where nothing runs, ClusterRefused with scancel's words.
    """
    try:
        name = signal_name(request.signal)
    except BadValue as error:
        raise invalid("signal", str(error), error.hint) from None
    row, addresses = _running(services, principal, job_id, task)
    said = services.transports[row.cluster].cancel(
        UnixUser(row.unix_user), addresses, signal=name, target=request.target or "default"
    )
    if said.exit_code:
        if _GONE in said.stderr:
            raise Conflict(f"Job {job_id} has just ended; there is nothing left to signal.")
        raise ClusterRefused(said.stderr.strip()[:500] or f"scancel ended with {said.exit_code}")
    event = {
        "tenant_id": row.tenant_id,
        "job_id": row.id,
        "step": None,
        "attempt": row.number,
        "kind": "job.signalled",
        "from_phase": None,
        "to_phase": None,
        "reason": None,
        "actor": principal.actor,
        "message": f"{name}{_TO[request.target]}" + ("" if task is None else f" of task {task}"),
    }
    services.writer.run(lambda transaction: transaction.emit(event), tenant=row.tenant_id)
    return read.get(services, principal.visible, job_id)


def _running(services: Services, principal: Principal, job_id: JobId, task: int | None) -> tuple[Any, list[str]]:
    """Return the job and the addresses of what runs of it.

    What waits is left out: scancel would try for 55 s to signal it, and then fail (seen on 22.05.8).
    """
    j, t = tables.jobs.c, tables.tasks.c
    with services.database.read() as connection:
        row = connection.execute(JOB_ROWS.where(j.id == job_id, principal.visible.allow(j.tenant_id))).one_or_none()
        if row is None:
            raise NotFound(f"There is no job {job_id}.")
        started = sa.select(t.task).where(t.attempt_id == row.attempt_id, t.phase == Phase.RUNNING).order_by(t.task)
        tasks = list(connection.execute(started).scalars()) if row.array_tasks is not None else []
    if not principal.may_cancel(tenant=row.tenant_id, user_id=row.user_id):
        raise Forbidden(f"Job {job_id} is another user's.", hint="Its owner or an admin of the tenant can signal it.")
    if task is not None:
        demand_task(job_id, row.spec["array"], task)
    if row.array_tasks is not None:
        addresses = [f"{row.slurm_job_id}_{one}" for one in tasks if task is None or one == task]
    else:
        addresses = [] if row.phase != Phase.RUNNING or row.slurm_state == "COMPLETING" else [row.slurm_job_id]
    if addresses and row.array_rest is not None:
        # Seen on 22.05.8: the task gets the signal, scancel is told to try again, and sends it for 55 s every 5 s.
        raise Conflict(
            "Slurm cannot send a signal once to a task while others of its array have not started.",
            hint="Signal it when all tasks have started, or cancel it.",
        )
    if not addresses:
        what = f"Job {job_id}" if task is None else f"Task {job_id}_{task}"
        raise Conflict(f"{what} does not run, so there is nothing to signal.", hint="Cancel it to end it.")
    return row, addresses
