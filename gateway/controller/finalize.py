"""Give ended jobs their final state: one question to accounting for all of them, then the slower witnesses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from gateway.controller import decide
from gateway.controller.ending import (
    Accounting,
    Ended,
    EndEvidence,
    ExitRecord,
    TaskEnd,
    finish,
    has_ended,
    newest,
    read_record,
)
from gateway.controller.leases import Lease, LeaseKeeper, claim, release
from gateway.controller.remembered import Tasks, bound_before_restart, is_it, load, load_tasks
from gateway.db.database import Transaction
from gateway.errors import ClusterError, GatewayFault
from gateway.ids import AttemptId, SlurmJobId, StepId, UnixUser
from gateway.jobs import facts
from gateway.jobs.facts import moment
from gateway.jobs.lifecycle import advance, lock_accounts
from gateway.services import Services
from gateway.slurm.runner import ReadRequest
from gateway.slurm.states import phase_of
from gateway.slurm.transport import Outcome
from gateway.states import Phase

log = structlog.get_logger()

_BATCH: Final = 64
_WHILE_UNREACHABLE: Final = timedelta(seconds=5)

Verdict = Ended | decide.End | decide.Wait


class Finalizer:
    """End one cluster's jobs. `run_once` is called by the loop."""

    def __init__(self, services: Services, cluster: str, keeper: LeaseKeeper) -> None:
        self._services = services
        self._cluster = cluster
        self._keeper = keeper
        self._transport = services.transports[cluster]
        self._patience = timedelta(seconds=services.settings.outcome_patience_s)
        self._state: Accounting | None = None
        """How accounting stands, in this sweep; None: not asked yet."""

    def run_once(self) -> bool:
        """Settle every ended job that nobody holds; returns whether any was settled."""
        with self._services.database.begin() as transaction:
            leases = claim(
                transaction,
                holder=self._keeper.holder,
                cluster=self._cluster,
                phase=Phase.FINALIZING,
                limit=_BATCH,
                lease_s=self._keeper.lease_s,
            )
            rows = load(transaction, [lease.step for lease in leases]) if leases else {}
            now = transaction.now
        if not leases:
            return False
        with self._keeper.holding(leases):
            verdicts = self._ask([rows[lease.step] for lease in leases], now)
            settled = [(lease, rows[lease.step], verdicts[lease.step]) for lease in leases]
            with self._services.database.begin() as transaction:
                _apply(transaction, settled)
        return any(not isinstance(verdict, decide.Wait) for _, _, verdict in settled)

    def _ask(self, rows: Sequence[Any], now: datetime) -> dict[StepId, Verdict]:
        """Ask about all of them: one question to accounting, and one to the controller for those it cannot tell."""
        self._state = None
        accounted: Mapping[AttemptId, Sequence[Outcome]] = {}
        try:
            accounted = self._accounting(rows)
        except (ClusterError, GatewayFault) as error:
            log.warning("finalize.no_accounting", cluster=self._cluster, error=str(error))
            self._state = "failed"
        untold = [row for row in rows if not _told_whole(accounted.get(AttemptId(row.attempt_id), ()), row)]
        try:
            remembered = self._memory(untold)
        except (ClusterError, GatewayFault) as error:
            log.warning("finalize.no_controller", cluster=self._cluster, error=str(error))
            remembered, rows = {}, [row for row in rows if row not in untold]
        tasks = load_tasks(self._services.database, [row for row in rows if row.array_tasks])
        verdicts: dict[StepId, Verdict] = {StepId(row.id): decide.Wait(after=_WHILE_UNREACHABLE) for row in untold}
        for row in rows:
            attempt = AttemptId(row.attempt_id)
            told = accounted.get(attempt, ()), remembered.get(attempt, ())
            verdicts[StepId(row.id)] = self._ask_one(row, *told, tasks.get(attempt, Tasks()), now)
        return verdicts

    def _accounting(self, rows: Sequence[Any]) -> dict[AttemptId, Sequence[Outcome]]:
        ids = _slurm_ids(rows)
        if not ids:
            return {}
        since = min(row.slurm_submitted or int(row.created_at.timestamp()) for row in rows) - 60
        # Ours first, the newest of ours second: an id may have been used again by somebody else's job since.
        found = _by_attempt(self._transport.outcomes(ids, since=since), rows)
        return {attempt: newest(outcomes) for attempt, outcomes in found.items()}

    def _memory(self, rows: Sequence[Any]) -> dict[AttemptId, Sequence[Outcome]]:
        ids = _slurm_ids(rows)
        return _by_attempt(self._transport.controller_outcomes(ids), rows) if ids else {}

    def _ask_one(
        self, row: Any, accounting: Sequence[Outcome], controller: Sequence[Outcome], tasks: Tasks, now: datetime
    ) -> Verdict:
        try:
            evidence = self._evidence(row, accounting, controller, tasks, now)
            verdict = finish(evidence)
            if isinstance(verdict, decide.Void):
                claimed = self._transport.claim(UnixUser(row.unix_user), AttemptId(row.attempt_id), void=True)
                verdict = finish(replace(evidence, void=claimed.void))
        except (ClusterError, GatewayFault) as error:
            # No answer, or the helper may not act as this user: this job waits, the others of the batch do not.
            log.warning("finalize.unanswered", attempt=row.attempt_id, error=str(error))
            return decide.Wait(after=_WHILE_UNREACHABLE)
        return decide.Wait(after=_WHILE_UNREACHABLE) if isinstance(verdict, decide.Void) else verdict

    def _evidence(
        self, row: Any, accounting: Sequence[Outcome], controller: Sequence[Outcome], tasks: Tasks, now: datetime
    ) -> EndEvidence:
        told = [*accounting, *controller]
        succeeded = has_ended(told) and all(outcome.exit_code == 0 and not outcome.signal for outcome in told)
        unread = succeeded or row.array_tasks
        return EndEvidence(
            accounting=accounting,
            controller=controller,
            record=None if unread else self._record(UnixUser(row.unix_user), AttemptId(row.attempt_id)),
            cancel_requested=row.cancel_requested_at is not None,
            waited=now - row.since,
            patience=self._patience,
            accounting_state="settled" if succeeded and not row.array_tasks else self._accounting_state(),
            # Accounting goes on calling a job PENDING that slurmctld has forgotten: that is no sign of life.
            lost_by_restart=not controller and not _any_ended(accounting) and bound_before_restart(row),
            void=False,
            array_tasks=row.array_tasks,
            seen_tasks=tasks.ended,
            cancelled_tasks=frozenset(tasks.cancelled),
        )

    def _accounting_state(self) -> Accounting:
        """Asked at most once a sweep, however many jobs wait for it."""
        if not self._services.settings.clusters[self._cluster].accounting:
            return "off"
        if self._state is None:
            self._state = "settled" if self._transport.accounting_settled() else "behind"
        return self._state

    def _record(self, user: UnixUser, attempt: AttemptId) -> ExitRecord | None:
        [found] = self._transport.read_many(user, [ReadRequest(attempt=attempt, name="exit.json")])
        return read_record(found.data) if found.identity is not None else None


def _slurm_ids(rows: Sequence[Any]) -> list[SlurmJobId]:
    return [SlurmJobId(row.slurm_job_id) for row in rows if row.slurm_job_id]


def _by_attempt(outcomes: Sequence[Outcome], rows: Sequence[Any]) -> dict[AttemptId, Sequence[Outcome]]:
    """Give each attempt the outcomes that are provably its own."""
    by_id: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_id.setdefault(outcome.array_job_id or outcome.job_id, []).append(outcome)
    return {
        AttemptId(row.attempt_id): [outcome for outcome in by_id.get(row.slurm_job_id, ()) if is_it(outcome, row)]
        for row in rows
    }


def _any_ended(outcomes: Sequence[Outcome]) -> bool:
    return any(phase_of(outcome.state) is Phase.FINALIZING for outcome in outcomes)


def _told_whole(outcomes: Sequence[Outcome], row: Any) -> bool:
    return has_ended(outcomes) and len(outcomes) >= (row.array_tasks or 0)


def _apply(transaction: Transaction, settled: Sequence[tuple[Lease, Any, Verdict]]) -> None:
    lock_accounts(transaction, [lease.step for lease, _, _ in settled])
    moves = []
    for lease, row, verdict in settled:
        match verdict:
            case decide.Wait(after=pause):
                release(transaction, [lease], due_at=transaction.now + pause)
            case decide.End(to=to, reason=reason, message=message, pause=pause):
                moves.append(lease.move(to, reason, message, due_at=transaction.now + pause))
            case Ended(to=to, reason=reason, message=message):
                attempt = AttemptId(row.attempt_id)
                facts.outcome(transaction, attempt, source=verdict.source, values=verdict.facts)
                facts.tasks(transaction, [_task_row(attempt, *told) for told in verdict.tasks.values()])
                moves.append(lease.move(to, reason, message))
    advance(transaction, moves)


def _task_row(attempt: AttemptId, outcome: Outcome, end: TaskEnd) -> dict[str, Any]:
    return {
        "attempt_id": attempt,
        "task": outcome.array_task,
        "slurm_job_id": outcome.job_id,
        "phase": end.to,
        "reason": end.reason,
        "slurm_state": outcome.state[:32],
        "started_at": moment(outcome.started),
        "ended_at": moment(outcome.ended),
        "exit_code": end.exit_code,
        "exit_signal": end.signal,
        "node_list": outcome.node_list or None,
    }
