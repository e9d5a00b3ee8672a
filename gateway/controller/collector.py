"""Watch all jobs of one cluster with one query per tick, whoever is looking on.

Only one collector per cluster acts: it holds the lease in `cluster_watches`. It renews and applies in one thread, so
its name, which no other process has, is all the fence it needs. A look that failed, or that was not
complete, changes no job.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from gateway.controller.cancelling import Canceller
from gateway.controller.watch import Believed, Findings, compare
from gateway.db import tables
from gateway.db.database import Database, Transaction
from gateway.errors import ClusterError, GatewayFault
from gateway.ids import AttemptId, SlurmJobId, StepId
from gateway.jobs import facts
from gateway.jobs.lifecycle import advance
from gateway.jobs.moves import Move
from gateway.services import Services
from gateway.slurm.transport import Observation
from gateway.states import LIVE_IN_SLURM, Phase, Reason

log = structlog.get_logger()

ACTOR: Final = "collector"
_LEASE: Final = timedelta(seconds=15)
_CAPACITY_EVERY_S: Final = 15.0
_WATCHED: Final = (*LIVE_IN_SLURM, Phase.SUBMITTING)


class Collector:
    """One cluster's eyes. `run_once` is called by the loop."""

    def __init__(self, services: Services, cluster: str, *, holder: str) -> None:
        self._services = services
        self._cluster = cluster
        self._holder = holder
        self._transport = services.transports[cluster]
        self._sees = False
        """Whether other people's jobs are known to be shown to us."""
        self._boot_time: int | None = None
        self._capacity_at = 0.0
        self._canceller = Canceller(services, cluster)
        self.cost_s = 0.0
        """CPU and waiting of the last tick: the pause between two grows with it."""

    def run_once(self) -> bool:
        """Look once and apply what was found; returns whether a job moved."""
        if not self._take_watch():
            return False
        started = time.monotonic()
        try:
            if not self._sees:
                # Under PrivateData an ordinary user is shown an empty list, and is told that all is well.
                self._transport.check_visibility()
                self._sees = True
            look = self._transport.observe()
        except (ClusterError, GatewayFault) as error:
            self._note_failure(str(error))
            return False
        rows = self._load()
        same_memory = self._boot_time == look.boot_time
        findings = compare(look, [_believed(row) for row in rows.values()], same_memory=same_memory)
        moved = self._apply(look, findings, rows)
        self._boot_time = look.boot_time
        self._canceller.cancel(rows, findings.strays)
        self._note_capacity()
        self.cost_s = time.monotonic() - started
        return moved

    def _take_watch(self) -> bool:
        """Take or renew the cluster's watch; False while another collector holds it."""
        w = tables.cluster_watches
        with self._services.database.begin() as transaction:
            insert = _insert(self._services.database)(w).values(cluster=self._cluster, tick_cost_s=0.0)
            transaction.execute(insert.on_conflict_do_nothing())
            mine = sa.or_(
                w.c.lease_holder == self._holder, w.c.lease_holder.is_(None), w.c.lease_expires_at <= transaction.now
            )
            taken = transaction.execute(
                w.update()
                .where(w.c.cluster == self._cluster, mine)
                .values(lease_holder=self._holder, lease_expires_at=transaction.now + _LEASE)
            )
            return taken.rowcount == 1

    def _note_failure(self, error: str) -> None:
        log.warning("collector.unreachable", cluster=self._cluster, error=error)
        w = tables.cluster_watches
        with self._services.database.begin() as transaction:
            transaction.execute(w.update().where(w.c.cluster == self._cluster).values(error=error[:500]))

    def _load(self) -> dict[AttemptId, Any]:
        """Read every attempt that Slurm may have; one indexed query."""
        s, a, j = tables.steps.c, tables.attempts.c, tables.jobs.c
        query = (
            sa.select(s.id.label("step_id"), s.version, s.phase, s.name.label("step"), s.job_id, a.id, a.uid)
            .add_columns(a.unix_user, a.slurm_job_id, a.slurm_submitted, a.missing_looks, a.slurm_state, a.slurm_reason)
            .add_columns(a.array_rest, j.cancel_requested_at, j.array_tasks, j.tenant_id)
            .join(tables.attempts, a.id == s.attempt_id)
            .join(tables.jobs, j.id == s.job_id)
            .where(s.cluster == self._cluster, s.phase.in_(_WATCHED))
        )
        with self._services.database.read() as connection:
            return {AttemptId(row.id): row for row in connection.execute(query)}

    def _apply(self, look: Observation, findings: Findings, rows: Mapping[AttemptId, Any]) -> bool:
        with self._services.database.begin() as transaction:
            if not self._note_look(transaction, look):
                return False
            transaction.lock_tenants({rows[attempt].tenant_id for attempt in findings.attempts()})
            for attempt, job_id in findings.adopted:
                facts.bind(transaction, attempt, job_id)
            facts.seen(transaction, findings.seen)
            facts.tasks(transaction, findings.tasks)
            facts.missing(transaction, findings.missing)
            moves = [_adoption(rows[attempt]) for attempt, _ in findings.adopted]
            changes = [change for change in findings.changes if rows[change.attempt].phase in LIVE_IN_SLURM]
            moves += [
                Move(
                    step=StepId(rows[change.attempt].step_id),
                    version=rows[change.attempt].version,
                    to=change.to,
                    reason=change.reason,
                    actor=ACTOR,
                    message=change.message,
                )
                for change in changes
            ]
            return bool(advance(transaction, moves))

    def _note_look(self, transaction: Transaction, look: Observation) -> bool:
        """Note the look; False when the watch was lost meanwhile (a paused machine): what was seen is then stale."""
        w = tables.cluster_watches
        noted = transaction.execute(
            w.update()
            .where(w.c.cluster == self._cluster, w.c.lease_holder == self._holder)
            .values(seen_at=transaction.now, error=None, boot_time=look.boot_time, tick_cost_s=self.cost_s)
        )
        return noted.rowcount == 1

    def _note_capacity(self) -> None:
        if time.monotonic() - self._capacity_at < _CAPACITY_EVERY_S:
            return
        try:
            pools, version = self._transport.capacity(), self._transport.ping()
        except ClusterError as error:
            log.warning("collector.no_capacity", cluster=self._cluster, error=str(error))
            return
        self._capacity_at = time.monotonic()
        with self._services.database.begin() as transaction:
            save_capacity(transaction, self._cluster, pools, version)


def save_capacity(transaction: Transaction, cluster: str, pools: Sequence[Any], version: str) -> None:
    """Replace what is known of a cluster's partitions."""
    p = tables.pool_states
    transaction.execute(p.delete().where(p.c.cluster == cluster))
    rows = [
        {"cluster": cluster, "partition": pool.partition, "capacity": asdict(pool), "observed_at": transaction.now}
        for pool in pools
    ]
    if rows:
        transaction.execute(p.insert(), rows)
    w = tables.cluster_watches
    transaction.execute(w.update().where(w.c.cluster == cluster).values(version=version))


def _insert(database: Database) -> Any:
    return sqlite.insert if database.is_sqlite else postgresql.insert


def _believed(row: Any) -> Believed:
    return Believed(
        attempt=AttemptId(row.id),
        phase=Phase(row.phase),
        uid=row.uid,
        slurm_job_id=None if row.slurm_job_id is None else SlurmJobId(row.slurm_job_id),
        slurm_submitted=row.slurm_submitted,
        missing_looks=row.missing_looks,
        slurm_state=row.slurm_state,
        slurm_reason=row.slurm_reason,
        array_tasks=row.array_tasks,
        array_rest=row.array_rest,
    )


def _adoption(row: Any) -> Move:
    return Move(
        step=StepId(row.step_id),
        version=row.version,
        to=Phase.QUEUED,
        reason=Reason.ADOPTED,
        actor=ACTOR,
    )


def tick_pause(cost_s: float, *, least_s: float, most_s: float) -> float:
    """Return the pause after a tick that took `cost_s`: at most a tenth of the time is spent looking."""
    return min(max(least_s, cost_s * 9), most_s)
