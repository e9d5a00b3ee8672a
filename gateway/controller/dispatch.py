"""Hand waiting jobs to Slurm: record the intent, run sbatch as the tenant, record the answer.

Intent and answer are two transactions, many jobs in each, with the slow sbatch between them and outside of both. An
answer that does not come in time is left to `doubt.py`; this module never runs an attempt's sbatch twice.
"""

import queue
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from gateway.controller import decide
from gateway.controller.leases import ACTOR, Lease, LeaseKeeper, claim, release
from gateway.controller.order import make_order
from gateway.controller.waiting import load, load_needs, reachable
from gateway.db.database import Transaction
from gateway.errors import ClusterRefused, ClusterUnreachable
from gateway.ids import JobId, UnixUser, attempt_id
from gateway.jobs import facts
from gateway.jobs.lifecycle import advance, lock_accounts
from gateway.jobs.moves import Move, NewAttempt
from gateway.jobs.spec import JobSpec
from gateway.services import Services
from gateway.slurm.answers import Accepted, Refused, SbatchVerdict, read_answer
from gateway.slurm.sessions import RunnerRefused
from gateway.slurm.transport import SubmitOrder
from gateway.states import Phase, Reason

log = structlog.get_logger()

MAX_STARTS: Final = 3
_BACK_OFF: Final = timedelta(seconds=5)
_UNREADABLE_PAUSE: Final = timedelta(minutes=1)
_IN_FLIGHT_PER_SBATCH: Final = 4
"""How many intents may be on record for every sbatch that may run: enough that none ever idles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """An intent on record, to be carried out."""

    lease: Lease
    """With the step's version after the intent."""
    attempt: NewAttempt
    row: Any
    """The job, as the intent's transaction read it."""
    spec: JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted:
    """No sbatch was started, for a reason that may pass."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What became of a launch; `verdict` None: no answer (yet)."""

    launch: Launch
    verdict: SbatchVerdict | NotStarted | None


class Dispatcher:
    """Dispatch one cluster's jobs. `run_once` is called by the loop, from one thread."""

    def __init__(self, services: Services, cluster: str, keeper: LeaseKeeper) -> None:
        self._services = services
        self._cluster = cluster
        self._keeper = keeper
        self._settings = services.settings.clusters[cluster]
        self._transport = services.transports[cluster]
        self._landed: queue.SimpleQueue[Landing] = queue.SimpleQueue()
        self._in_flight = 0
        self._pool = ThreadPoolExecutor(self._settings.submit_parallel, thread_name_prefix=f"sbatch-{cluster}")
        self.wake = threading.Event()
        """Set when there may be something to do."""

    def run_once(self) -> bool:
        """Record what landed, launch what is due; returns whether anything happened."""
        landed = self._land()
        room = self._settings.submit_parallel * _IN_FLIGHT_PER_SBATCH - self._in_flight
        with self._services.database.begin() as transaction:
            launches, ended = self._intend(transaction, room)
        self._in_flight += len(launches)
        self._keeper.keep([launch.lease for launch in launches])
        for launch in launches:
            self._pool.submit(self._carry_out, launch)
        return bool(landed or launches or ended)

    def close(self) -> None:
        """Wait for the sbatch calls under way and record their answers."""
        self._pool.shutdown(wait=True)
        self._land()

    def _land(self) -> int:
        """Record the answers that came; returns how many."""
        landings = []
        while not self._landed.empty():
            landings.append(self._landed.get())
        if not landings:
            return 0
        try:
            with self._services.database.begin() as transaction:
                _record(transaction, landings)
        finally:
            # Also when nothing could be recorded: the answers lie in the attempt directories too, and `doubt.py` finds
            # them there once nobody renews these leases.
            self._in_flight -= len(landings)
            self._keeper.let_go([landing.launch.lease for landing in landings])
        return len(landings)

    def _intend(self, transaction: Transaction, room: int) -> tuple[list[Launch], int]:
        """Claim due steps and record the intent to submit them."""
        if room <= 0 or not reachable(transaction, self._cluster):
            return [], 0
        leases = claim(
            transaction,
            holder=self._keeper.holder,
            cluster=self._cluster,
            phase=Phase.PENDING,
            limit=room,
            lease_s=self._keeper.lease_s,
        )
        if not leases:
            return [], 0
        rows = load(transaction, [lease.step for lease in leases])
        needs = load_needs(transaction, [row.job_id for row in rows.values()])
        deadline = transaction.now + timedelta(seconds=self._services.settings.lease_s)
        launches, moves = [], []
        for lease in leases:
            row = rows[lease.step]
            spec = _read_spec(row)
            if spec is None:
                release(transaction, [lease], due_at=transaction.now + _UNREADABLE_PAUSE)
                continue
            cancelled = row.cancel_requested_at is not None
            any_need = spec.any_dependency
            match decide.dispatch(cancelled=cancelled, needs=needs.get(row.job_id, []), any_need=any_need):
                case decide.Wait(after=pause):
                    release(transaction, [lease], due_at=transaction.now + pause)
                case decide.End(to=to, reason=reason, message=message):
                    moves.append(lease.move(to, reason, message))
                case decide.Dispatch():
                    launches.append(_launch(lease, row, spec, deadline))
        ended = len(moves)
        applied = advance(transaction, [*moves, *map(_intent, launches)])
        return [launch for launch in launches if launch.lease.step in applied], ended

    def _carry_out(self, launch: Launch) -> None:
        verdict: SbatchVerdict | NotStarted | None = None
        try:
            answer = self._transport.submit(self._order(launch), wait_s=self._settings.submit_wait_s)
            verdict = None if answer is None else read_answer(answer)
        except ClusterRefused as error:
            verdict = Refused(message=str(error))
        except RunnerRefused as error:
            # The helper said no before anything was started: a full disk, a user that a directory server lost.
            verdict = NotStarted(message=str(error))
        except ClusterUnreachable as error:
            log.warning("submit.unanswered", attempt=launch.attempt.id, error=str(error))
        except Exception:
            log.exception("submit.failed", attempt=launch.attempt.id)
        self._landed.put(Landing(launch=launch, verdict=verdict))
        self.wake.set()

    def _order(self, launch: Launch) -> SubmitOrder:
        return make_order(
            job=JobId(launch.row.job_id),
            attempt=launch.attempt.id,
            number=launch.attempt.number,
            user=UnixUser(launch.row.unix_user),
            uid=launch.row.uid,
            spec=launch.spec,
            script=launch.row.script,
            cluster=self._settings,
            deadline=launch.attempt.sbatch_deadline.timestamp(),
        )


def _read_spec(row: Any) -> JobSpec | None:
    """Read a stored spec; one that only a newer gateway understands must not keep the others from going."""
    try:
        return JobSpec.from_json(row.spec)
    except (ValueError, TypeError, KeyError) as error:
        log.error("dispatch.unreadable", job=row.job_id, error=str(error))  # noqa: TRY400 - the trace tells nothing more
        return None


def _launch(lease: Lease, row: Any, spec: JobSpec, deadline: datetime) -> Launch:
    number = row.tries + 1
    attempt = attempt_id(JobId(row.job_id), row.step_name, number, secrets.token_hex(4))
    after = Lease(step=lease.step, token=lease.token, version=lease.version + 1)
    new = NewAttempt(id=attempt, number=number, sbatch_deadline=deadline)
    return Launch(lease=after, attempt=new, row=row, spec=spec)


def _intent(launch: Launch) -> Move:
    return Move(
        step=launch.lease.step,
        version=launch.lease.version - 1,
        lease_token=launch.lease.token,
        to=Phase.SUBMITTING,
        reason=Reason.DISPATCHED,
        actor=ACTOR,
        new_attempt=launch.attempt,
        keep_lease=True,
    )


def _record(transaction: Transaction, landings: Sequence[Landing]) -> None:
    """Record answers: facts first and always, decisions where still current."""
    lock_accounts(transaction, [landing.launch.lease.step for landing in landings])
    moves = []
    for landing in landings:
        lease = landing.launch.lease
        match landing.verdict:
            case Accepted(job_id=job_id):
                facts.bind(transaction, landing.launch.attempt.id, job_id)
                moves.append(lease.move(Phase.QUEUED, Reason.ACCEPTED_BY_SLURM))
            case Refused(message=message):
                moves.append(lease.move(Phase.FAILED, Reason.SUBMIT_REJECTED, message))
            case NotStarted(message=message):
                moves.append(_try_again(landing.launch, message, transaction.now))
            case _:
                # No answer, or one that proves nothing: `doubt.py` looks at once.
                release(transaction, [lease], due_at=transaction.now)
    advance(transaction, moves)


def _try_again(launch: Launch, message: str, now: datetime) -> Move:
    number = launch.attempt.number
    if number >= MAX_STARTS:
        return launch.lease.move(Phase.FAILED, Reason.SUBMIT_REJECTED, message)
    due_at = now + _BACK_OFF * 2**number
    return launch.lease.move(Phase.PENDING, Reason.NOT_HANDED_OVER, message, due_at=due_at)
