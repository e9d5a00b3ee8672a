"""Cancel in Slurm what must not go on there: what its people no longer want, and what can never run tenant code."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
import structlog

from gateway.controller.watch import Stray
from gateway.db import tables
from gateway.errors import ClusterError, GatewayFault
from gateway.ids import AttemptId, JobId, UnixUser
from gateway.services import Services
from gateway.states import FINAL

log = structlog.get_logger()

_AGAIN_S: Final = 10.0
"""scancel is repeated while the job is still there: the first may have come before slurmctld knew the job."""
_MOST_STRAYS: Final = 1000
"""Looked up at once: anyone can start jobs in directories with names like ours."""


class Canceller:
    """Cancel one cluster's jobs. Every scancel runs as the job's own user, so a wrong id can hurt nobody else."""

    def __init__(self, services: Services, cluster: str) -> None:
        self._services = services
        self._cluster = cluster
        self._transport = services.transports[cluster]
        self._sent: dict[str, float] = {}

    def cancel(self, rows: Mapping[AttemptId, Any], strays: Sequence[Stray]) -> None:
        """Cancel by the wishes on record for watched attempts, and the strays that the last look found."""
        now = time.monotonic()
        self._sent = {key: at for key, at in self._sent.items() if now - at < _AGAIN_S}
        wanted: dict[UnixUser, list[str]] = defaultdict(list)
        tasks: dict[str, tuple[JobId, int]] = {}
        for row in rows.values():
            if row.cancel_requested_at is not None and row.slurm_job_id is not None:
                wanted[UnixUser(row.unix_user)].append(row.slurm_job_id)
        for row, task in self._wanted_tasks(rows):
            address = f"{row.slurm_job_id}_{task}"
            wanted[UnixUser(row.unix_user)].append(address)
            tasks[address] = JobId(row.job_id), task
        for user, stray in self._confirmed(rows, strays):
            if stray.job_id not in self._sent:
                log.warning("collector.stray", cluster=self._cluster, attempt=stray.attempt, slurm_job_id=stray.job_id)
            wanted[user].append(stray.job_id)
        for user, ids in wanted.items():
            due = [one for one in ids if one not in self._sent]
            if due and self._scancel(user, due):
                self._sent.update(dict.fromkeys(due, now))
                self._note_sent([tasks[one] for one in due if one in tasks])

    def _scancel(self, user: UnixUser, ids: Sequence[str]) -> bool:
        """Say whether Slurm took the request; one user's trouble is nobody else's."""
        try:
            done = self._transport.cancel(user, ids)
        except (ClusterError, GatewayFault) as error:
            log.warning("cancel.unanswered", cluster=self._cluster, user=user, error=str(error))
            return False
        if done.exit_code != 0:
            log.warning("cancel.refused", cluster=self._cluster, user=user, exit_code=done.exit_code, said=done.stderr)
        return done.exit_code == 0

    def _confirmed(self, rows: Mapping[AttemptId, Any], strays: Sequence[Stray]) -> Iterator[tuple[UnixUser, Stray]]:
        """Keep the strays that are ours: of a watched attempt, or of one that is over (its sbatch landed late)."""
        over = self._over([stray for stray in strays if stray.attempt not in rows][:_MOST_STRAYS])
        for stray in strays:
            row = rows.get(stray.attempt) or over.get(stray.attempt)
            if row is not None and row.uid == stray.uid:
                yield UnixUser(row.unix_user), stray

    def _over(self, strays: Sequence[Stray]) -> dict[AttemptId, Any]:
        if not strays:
            return {}
        a = tables.attempts.c
        query = sa.select(a.id, a.uid, a.unix_user).where(
            a.id.in_({stray.attempt for stray in strays}), a.cluster == self._cluster, a.phase.in_(FINAL)
        )
        with self._services.database.read() as connection:
            return {AttemptId(row.id): row for row in connection.execute(query)}

    def _wanted_tasks(self, rows: Mapping[AttemptId, Any]) -> list[tuple[Any, int]]:
        arrays = {row.job_id: row for row in rows.values() if row.array_tasks and row.slurm_job_id}
        if not arrays:
            return []
        c, t, a = tables.task_cancels.c, tables.tasks.c, tables.attempts.c
        over = (
            sa.select(t.task)
            .join(tables.attempts, a.id == t.attempt_id)
            .where(a.job_id == c.job_id, t.task == c.task, t.phase.in_(FINAL))
        )
        query = sa.select(c.job_id, c.task).where(c.job_id.in_(arrays), c.sent_at.is_(None), ~over.exists())
        with self._services.database.read() as connection:
            return [(arrays[row.job_id], row.task) for row in connection.execute(query)]

    def _note_sent(self, tasks: Iterable[tuple[JobId, int]]) -> None:
        """Only now: a wish that was noted before an scancel that failed would be forgotten."""
        c = tables.task_cancels.c
        marked = [{"b_job": job, "b_task": task} for job, task in tasks]
        if not marked:
            return
        with self._services.database.begin() as transaction:
            update = tables.task_cancels.update().where(
                c.job_id == sa.bindparam("b_job"), c.task == sa.bindparam("b_task")
            )
            transaction.execute(update.values(sent_at=transaction.now), marked)
