"""Any order of submissions, claims, decisions, facts, pauses and cancels, against a model that fits on one screen."""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gateway.clock import ManualClock
from gateway.controller import leases
from gateway.controller.leases import Lease
from gateway.db import tables
from gateway.db.columns import METADATA
from gateway.db.database import Database
from gateway.ids import JobId, SlurmJobId, StepId, attempt_id
from gateway.jobs import facts
from gateway.jobs.lifecycle import advance
from gateway.jobs.moves import IllegalMove, Move, NewAttempt
from gateway.states import FINAL, MOVES, STATE_OF, Phase, Reason
from tests.core_world import CLUSTER, add_job, settle_people, step_of
from tests.databases import hasten

LEASE_S = 30
LIVING = {Phase.SUBMITTING, Phase.QUEUED, Phase.RUNNING, Phase.FINALIZING}
TURNS = st.integers(0, 11)
"""Which way to go: mostly one that the table of moves allows, else jobs would never get far."""


@dataclass
class Believed:
    """What the step of a job must be like."""

    tenant: str
    step: StepId
    phase: Phase = Phase.PENDING
    version: int = 0
    token: int = 0
    held_until: datetime | None = None
    attempts: int = 0
    attempt: Phase | None = None
    """The phase of the newest attempt."""
    slurm_job: str | None = None
    cancel: bool = False


class Lifecycle(RuleBasedStateMachine):
    """The database on one side, a dictionary on the other."""

    jobs = Bundle("jobs")
    held = Bundle("held")
    """Leases that were given out, current or long lost."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sgw-life-"))
        self.clock = ManualClock()
        self.announced: list[dict[str, object]] = []
        self.database = Database(f"sqlite:///{self.folder}/db", clock=self.clock, publish=self.announced.extend)
        hasten(self.database)
        METADATA.create_all(self.database.engine)
        settle_people(self.database)
        self.model: dict[JobId, Believed] = {}
        self.events = {"acme": 0, "globex": 0}

    def teardown(self) -> None:
        self.database.dispose()
        shutil.rmtree(self.folder)

    @rule(target=jobs, owner=st.sampled_from(["ada", "eve"]))
    def submit(self, owner: str) -> JobId:
        with self.database.begin() as transaction:
            job = add_job(transaction, owner)
            step = StepId(step_of(transaction, job).id)
        tenant = "acme" if owner == "ada" else "globex"
        self.model[job] = Believed(tenant=tenant, step=step)
        self.events[tenant] += 1
        return job

    @rule(target=held, job=jobs, limit=st.integers(1, 3))
    def claim(self, job: JobId, limit: int) -> object:
        phase = self.model[job].phase
        with self.database.begin() as transaction:
            taken = leases.claim(transaction, holder="x", cluster=CLUSTER, phase=phase, limit=limit, lease_s=LEASE_S)
        free = [one for one in self.model.values() if one.phase is phase and not self._is_held(one)]
        expected = sorted(free, key=lambda one: one.step)[:limit]
        assert [lease.step for lease in taken] == [one.step for one in expected], "all that are free, and no other"
        for one, lease in zip(expected, taken, strict=True):
            one.token += 1
            one.held_until = self.clock.now() + timedelta(seconds=LEASE_S)
            assert (lease.token, lease.version) == (one.token, one.version)
        return multiple(*taken)

    @rule(lease=held, turn=TURNS, keep=st.booleans())
    def decide_under_a_lease(self, lease: Lease, turn: int, keep: bool) -> None:
        job, one = self._of(lease)
        to = _turn(one.phase, turn)
        current = one.held_until is not None and (lease.token, lease.version) == (one.token, one.version)
        self._advance(job, to, version=lease.version, token=lease.token, keep=keep, applies=current)

    @rule(job=jobs, turn=TURNS, behind=st.sampled_from([0, 0, 0, 1]))
    def decide_without_a_lease(self, job: JobId, turn: int, behind: int) -> None:
        one = self.model[job]
        to = _turn(one.phase, turn)
        applies = not behind and not self._is_held(one)
        self._advance(job, to, version=one.version - behind, token=None, keep=False, applies=applies)

    @rule(lease=consumes(held))
    def give_back(self, lease: Lease) -> None:
        with self.database.begin() as transaction:
            leases.release(transaction, [lease], due_at=transaction.now)
        _, one = self._of(lease)
        if one.held_until is not None and one.token == lease.token:
            one.held_until = None

    @rule(seconds=st.sampled_from([1, 20, LEASE_S]))
    def pause(self, seconds: int) -> None:
        """The machine sleeps; leases may run out meanwhile."""
        self.clock.advance(seconds)

    @rule(job=jobs)
    def wish_to_cancel(self, job: JobId) -> None:
        with self.database.begin() as transaction:
            assert facts.request_cancel(transaction, job, by="test") is not self.model[job].cancel
        self.model[job].cancel = True

    @rule(job=jobs, number=st.integers(1, 3))
    def sbatch_answers(self, job: JobId, number: int) -> None:
        """A fact: kept whatever the step's phase, version or lease; and the first one stays."""
        one = self.model[job]
        if one.attempts:
            with self.database.begin() as transaction:
                attempt = step_of(transaction, job).attempt_id
                facts.bind(transaction, attempt, SlurmJobId(str(number)))
            one.slurm_job = one.slurm_job or str(number)

    @invariant()
    def the_database_is_as_believed(self) -> None:
        s, j, a = tables.steps, tables.jobs, tables.attempts
        with self.database.read() as connection:
            steps = {row.job_id: row for row in connection.execute(s.select())}
            jobs = {row.id: row for row in connection.execute(j.select())}
            attempts = {row.id: row for row in connection.execute(a.select())}
        assert set(steps) == set(jobs) == set(self.model)
        for job, one in self.model.items():
            step, row = steps[job], jobs[job]
            assert (step.phase, step.version, step.lease_token) == (one.phase, one.version, one.token)
            assert (step.lease_holder is None) == (one.held_until is None)
            assert (row.phase, row.state) == (one.phase, STATE_OF[one.phase]), "the job is what its steps add up to"
            assert (row.ended_at is not None) == (one.phase in FINAL)
            assert (row.cancel_requested_at is not None) == one.cancel
            mine = [attempt for attempt in attempts.values() if attempt.job_id == job]
            assert (len(mine), step.tries) == (one.attempts, one.attempts)
            assert sum(attempt.phase not in FINAL for attempt in mine) <= 1, "one live attempt at most"
            if mine:
                assert attempts[step.attempt_id].phase == one.attempt
                assert attempts[step.attempt_id].slurm_job_id == one.slurm_job

    @invariant()
    def every_change_is_one_event_and_no_number_is_missing(self) -> None:
        e = tables.events
        with self.database.read() as connection:
            rows = connection.execute(sa.select(e).order_by(e.c.tenant_id, e.c.seq)).all()
        for tenant, count in self.events.items():
            assert [row.seq for row in rows if row.tenant_id == tenant] == list(range(1, count + 1))
        assert len(self.announced) == len(rows)
        last: dict[int, str] = {}
        for row in rows:
            assert row.from_phase == last.get(row.job_id), "an event begins where the one before it ended"
            last[row.job_id] = row.to_phase
        assert last == {job: one.phase for job, one in self.model.items()}

    def _advance(self, job: JobId, to: Phase, *, version: int, token: int | None, keep: bool, applies: bool) -> None:
        one = self.model[job]
        new = None
        if to is Phase.SUBMITTING:
            name = attempt_id(job, "main", one.attempts + 1, f"{one.attempts:08x}")
            new = NewAttempt(id=name, number=one.attempts + 1, sbatch_deadline=self.clock.now())
        wish = Move(
            step=one.step, version=version, to=to, reason=Reason.ENDED, actor="test", lease_token=token,
            new_attempt=new, keep_lease=keep,
        )  # fmt: skip
        legal = to in MOVES[one.phase]
        try:
            with self.database.begin() as transaction:
                moved = advance(transaction, [wish])
        except IllegalMove:
            assert applies
            assert not legal
            return
        assert moved == ({one.step} if applies else set())
        if not applies:
            return
        assert legal
        if new:
            one.attempt = to
        elif one.phase in LIVING:
            one.attempt = Phase.FAILED if to is Phase.PENDING else to
        one.phase = to
        one.version += 1
        one.held_until = one.held_until if keep else None
        if new:
            one.attempts += 1
            one.slurm_job = None
        self.events[one.tenant] += 1

    def _is_held(self, one: Believed) -> bool:
        return one.held_until is not None and one.held_until > self.clock.now()

    def _of(self, lease: Lease) -> tuple[JobId, Believed]:
        return next((job, one) for job, one in self.model.items() if one.step == lease.step)


def _turn(at: Phase, turn: int) -> Phase:
    ways = sorted(MOVES[at]) if turn < 9 and MOVES[at] else list(Phase)
    return ways[turn % len(ways)]


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
