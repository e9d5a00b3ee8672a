"""Settle submissions whose answer was lost: adopt what reached Slurm, void what did not, and never run sbatch again.

Comes into play when an sbatch is slow, when a controller died between intent and answer, and when its host was
paused past its lease.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog

from gateway.controller import decide
from gateway.controller.leases import Lease, LeaseKeeper, claim, release
from gateway.db import tables
from gateway.db.database import Transaction
from gateway.errors import ClusterError, GatewayFault
from gateway.ids import AttemptId, SlurmJobId, StepId, UnixUser
from gateway.jobs import facts
from gateway.jobs.lifecycle import advance, lock_accounts
from gateway.services import Services
from gateway.slurm.answers import read_answer
from gateway.states import Phase

log = structlog.get_logger()

_BATCH: Final = 16
_WHILE_UNREACHABLE: Final = timedelta(seconds=5)

Settled = decide.Bind | decide.Wait | decide.End


class Doubter:
    """Settle one cluster's doubtful submissions. `run_once` is called by the loop."""

    def __init__(self, services: Services, cluster: str, keeper: LeaseKeeper) -> None:
        self._services = services
        self._cluster = cluster
        self._keeper = keeper
        self._transport = services.transports[cluster]
        self._munge_life = timedelta(seconds=services.settings.clusters[cluster].munge_life_s)

    def run_once(self) -> bool:
        """Look at every submission in doubt that nobody holds; returns whether there was any."""
        with self._services.database.begin() as transaction:
            leases = claim(
                transaction,
                holder=self._keeper.holder,
                cluster=self._cluster,
                phase=Phase.SUBMITTING,
                limit=_BATCH,
                lease_s=self._keeper.lease_s,
            )
            rows = _load(transaction, [lease.step for lease in leases])
            now = transaction.now
        if not leases:
            return False
        with self._keeper.holding(leases):
            settled = [(lease, rows[lease.step], self._settle(rows[lease.step], now)) for lease in leases]
            with self._services.database.begin() as transaction:
                _apply(transaction, settled)
        return any(not isinstance(verdict, decide.Wait) for _, _, verdict in settled)

    def _settle(self, row: Any, now: datetime) -> Settled:
        try:
            verdict = decide.submission(self._evidence(row, now, void=False))
            if isinstance(verdict, decide.Void):
                verdict = decide.submission(self._evidence(row, now, void=True))
        except (ClusterError, GatewayFault) as error:
            # No answer, or the helper may not act as this user: nothing follows for this attempt, nor for any other.
            log.warning("doubt.unanswered", attempt=row.attempt_id, error=str(error))
            return decide.Wait(after=_WHILE_UNREACHABLE)
        # The claim was asked for and neither we nor a job holds it: the helper could not write. Try again.
        return decide.Wait(after=_WHILE_UNREACHABLE) if isinstance(verdict, decide.Void) else verdict

    def _evidence(self, row: Any, now: datetime, *, void: bool) -> decide.SubmitEvidence:
        user, attempt = UnixUser(row.unix_user), AttemptId(row.attempt_id)
        answer = self._transport.answer(user, attempt)
        claimed = self._transport.claim(user, attempt, void=void)
        return decide.SubmitEvidence(
            now=now,
            created=row.created_at,
            bound=None if row.slurm_job_id is None else SlurmJobId(row.slurm_job_id),
            verdict=None if answer is None else read_answer(answer),
            claimed_by=claimed.slurm_job_id,
            void=claimed.void,
            sbatch_dead=self._transport.sbatch_is_dead(user, attempt),
            deadline=row.sbatch_deadline,
            munge_life=self._munge_life,
        )


def _apply(transaction: Transaction, settled: Sequence[tuple[Lease, Any, Settled]]) -> None:
    lock_accounts(transaction, [lease.step for lease, _, _ in settled])
    moves = []
    for lease, row, verdict in settled:
        match verdict:
            case decide.Wait(after=pause):
                release(transaction, [lease], due_at=transaction.now + pause)
            case decide.Bind(job_id=job_id, reason=reason):
                facts.bind(transaction, AttemptId(row.attempt_id), job_id)
                moves.append(lease.move(Phase.QUEUED, reason))
            case decide.End(to=to, reason=reason, message=message, pause=pause):
                moves.append(lease.move(to, reason, message, due_at=transaction.now + pause))
    advance(transaction, moves)


def _load(transaction: Transaction, step_ids: Sequence[StepId]) -> dict[StepId, Any]:
    s, a = tables.steps.c, tables.attempts.c
    rows = (
        sa.select(s.id, s.attempt_id, a.unix_user, a.created_at, a.sbatch_deadline, a.slurm_job_id)
        .join(tables.attempts, a.id == s.attempt_id)
        .where(s.id.in_(step_ids))
    )
    return {StepId(row.id): row for row in transaction.execute(rows)}
