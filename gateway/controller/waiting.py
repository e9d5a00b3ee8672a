"""Read what is known of jobs that wait in the gateway for their turn."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.controller.decide import Need
from gateway.db import tables
from gateway.db.database import Transaction
from gateway.ids import StepId
from gateway.states import Phase


def reachable(transaction: Transaction, cluster: str) -> bool:
    """Say whether the collector's last look at the cluster went well: while it is down, jobs wait here."""
    w = tables.cluster_watches.c
    row = transaction.execute(sa.select(w.seen_at, w.error).where(w.cluster == cluster)).one_or_none()
    return row is not None and row.seen_at is not None and row.error is None


def load(transaction: Transaction, step_ids: Sequence[StepId]) -> dict[StepId, Any]:
    """Read the jobs of steps with their scripts."""
    s, j, b = tables.steps.c, tables.jobs.c, tables.job_scripts.c
    rows = (
        sa.select(s.id, s.job_id, s.name.label("step_name"), s.tries, j.unix_user, j.uid, j.spec, b.script)
        .add_columns(j.cancel_requested_at)
        .join(tables.jobs, j.id == s.job_id)
        .join(tables.job_scripts, b.job_id == j.id)
        .where(s.id.in_(step_ids))
    )
    return {StepId(row.id): row for row in transaction.execute(rows)}


def load_needs(transaction: Transaction, job_ids: Sequence[int]) -> dict[int, list[Need]]:
    """Read the conditions of jobs on other jobs, and where those stand."""
    d, j = tables.job_dependencies.c, tables.jobs.c
    rows = (
        sa.select(d.job_id, d.kind, j.phase, j.started_at)
        .join(tables.jobs, j.id == d.needs_job_id)
        .where(d.job_id.in_(job_ids))
    )
    needs: dict[int, list[Need]] = {}
    for row in transaction.execute(rows):
        need = Need(kind=row.kind, phase=Phase(row.phase), started=row.started_at is not None)
        needs.setdefault(row.job_id, []).append(need)
    return needs
