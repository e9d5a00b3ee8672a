"""Show jobs to their people: rows in, wire models out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gateway.db import tables
from gateway.directives.values.arrays import parse_array
from gateway.jobs.spec import JobSpec
from gateway.states import FINAL, STATE_OF, Phase, Reason, State
from gateway.wire import ArrayCounts, EventView, JobView, Placement, TaskView

s, j, a = tables.steps.c, tables.jobs.c, tables.attempts.c

JOB_ROWS: Final = (
    sa.select(
        *(j.id, j.tenant_id, j.user_id, j.user_name, j.name, j.cluster, j.pool, j.unix_user, j.account, j.priority),
        *(j.state, j.phase, j.reason, j.message, j.spec, j.warnings, j.array_tasks, j.created_at, j.started_at),
        *(j.ended_at, j.exit_code, j.exit_signal, j.cancel_requested_at),
        *(s.attempt_id, a.number, a.slurm_job_id, a.slurm_state, a.slurm_reason, a.array_rest, a.node_list, a.nodes),
    )
    .join(tables.steps, s.job_id == j.id)
    .outerjoin(tables.attempts, a.id == s.attempt_id)
)
"""Everything a JobView needs, in one query without a second look per job."""


def job_view(row: Any, *, now: datetime, counts: ArrayCounts | None) -> JobView:
    """Show one row of JOB_ROWS."""
    spec = JobSpec.from_json(row.spec)
    phase = Phase(row.phase)
    return JobView(
        id=str(row.id),
        name=row.name,
        tenant=row.tenant_id,
        user=row.user_name,
        unix_user=row.unix_user,
        account=row.account,
        state=State(row.state),
        phase=phase,
        reason=Reason(row.reason),
        message=row.message or _why(row, phase),
        pool=row.pool,
        cluster=row.cluster,
        runtime=spec.runtime,
        placement=placement_of(spec, cluster=row.cluster, pool=row.pool, priority=row.priority),
        slurm_job_id=row.slurm_job_id,
        node_list=row.node_list,
        nodes_allocated=row.nodes if row.node_list else None,
        attempt=row.number or 0,
        array=counts,
        workdir=spec.workdir,
        submitted_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        elapsed_s=_elapsed(row, now),
        exit_code=row.exit_code,
        signal=row.exit_signal,
        cancel_requested=row.cancel_requested_at is not None,
        warnings=tuple(row.warnings),
    )


def placement_of(spec: JobSpec, *, cluster: str, pool: str, priority: int) -> Placement:
    """Show where and how a job is meant to run."""
    return Placement(
        cluster=cluster,
        pool=pool,
        partition=spec.partition,
        resources=spec.resources,
        time_limit_s=spec.time_limit_s,
        expected_runtime_s=spec.expected_runtime_s,
        priority=priority,
    )


def _why(row: Any, phase: Phase) -> str | None:
    """While Slurm has the job, its own word for why it waits; else our sentence where it tells something."""
    if phase is Phase.QUEUED:
        return None if row.slurm_reason is None else str(row.slurm_reason)
    if phase in {Phase.PENDING, Phase.FAILED, Phase.CANCELLED} and row.reason != Reason.SUBMITTED:
        return Reason(row.reason).sentence
    return None


def _elapsed(row: Any, now: datetime) -> int | None:
    if row.started_at is None:
        return None
    return max(0, int(((row.ended_at or now) - row.started_at).total_seconds()))


def task_view(job: int, row: Any) -> TaskView:
    """Show one array task that has left the queue."""
    phase = Phase(row.phase)
    return TaskView(
        task=row.task,
        address=f"{job}_{row.task}",
        state=STATE_OF[phase],
        reason=None if row.reason is None else Reason(row.reason),
        slurm_job_id=row.slurm_job_id,
        node_list=row.node_list,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        signal=row.exit_signal,
    )


def event_view(row: Any) -> EventView:
    """Show one entry of a job's story."""
    return EventView(
        seq=row.seq,
        job_id=str(row.job_id),
        step=row.step,
        attempt=row.attempt,
        at=row.at,
        kind=row.kind,
        from_phase=None if row.from_phase is None else Phase(row.from_phase),
        to_phase=None if row.to_phase is None else Phase(row.to_phase),
        reason=None if row.reason is None else Reason(row.reason),
        actor=row.actor,
        message=row.message or (None if row.reason is None else Reason(row.reason).sentence),
    )


def array_counts(row: Any, by_phase: Mapping[str, int]) -> ArrayCounts:
    """Count an array's tasks: one without a row of its own waits in the rest, or was cancelled before it started."""
    left = max(0, row.array_tasks - sum(by_phase.values()))
    phase, rest = Phase(row.phase), row.array_rest
    if rest is None and left == row.array_tasks and phase is not Phase.RUNNING:
        rest = row.spec["array"]  # Slurm does not have it yet, or it was not looked at since
    waiting = 0 if rest is None or phase in FINAL else min(left, parse_array(rest).count(left))
    return ArrayCounts(
        expression=row.spec["array"],
        rest=rest,
        rest_reason=row.slurm_reason if waiting else None,
        total=row.array_tasks,
        pending=waiting + by_phase.get(Phase.QUEUED, 0),
        running=by_phase.get(Phase.RUNNING, 0),
        completed=by_phase.get(Phase.COMPLETED, 0),
        failed=by_phase.get(Phase.FAILED, 0),
        cancelled=by_phase.get(Phase.CANCELLED, 0) + left - waiting,
    )
