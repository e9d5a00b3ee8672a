"""Leases and the order of locks, on SQLite and on PostgreSQL: one holder at a time, and nobody waits in a circle."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.clock import ManualClock
from gateway.controller import leases
from gateway.controller.leases import Lease, LeaseKeeper
from gateway.db import schema, tables
from gateway.db.database import Database, Transaction
from gateway.ids import JobId, SlurmJobId, StepId
from gateway.jobs import facts
from gateway.jobs.lifecycle import advance, lock_accounts
from gateway.jobs.moves import IllegalMove, Move
from gateway.states import Phase, Reason
from tests.core_world import CLUSTER, add_job, move, settle_people, start, step_of
from tests.databases import Opener


def claim(transaction: Transaction, holder: str, *, limit: int = 100, lease_s: float = 30.0) -> list[Lease]:
    return leases.claim(transaction, holder=holder, cluster=CLUSTER, phase=Phase.PENDING, limit=limit, lease_s=lease_s)


def expire_all(database: Database) -> None:
    """Let every lease run out, as 30 s would."""
    with database.begin() as transaction:
        past = transaction.now - timedelta(seconds=1)
        transaction.execute(tables.steps.update().values(lease_expires_at=past))


def cancel_move(lease: Lease) -> Move:
    return Move(
        step=lease.step, version=lease.version, lease_token=lease.token, to=Phase.CANCELLED,
        reason=Reason.CANCELLED_BY_USER, actor="controller",
    )  # fmt: skip


def test_steps_are_claimed_by_priority_then_age_and_by_one_holder_only(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        jobs = [add_job(transaction, priority=priority) for priority in (0, 5, 0, -5, 5)]
        order = [step_of(transaction, jobs[n]).id for n in (1, 4, 0, 2, 3)]
    with database.begin() as transaction:
        first = claim(transaction, "a", limit=3)
    with database.begin() as transaction:
        second = claim(transaction, "b")
        assert claim(transaction, "c") == []
    assert [lease.step for lease in (*first, *second)] == order


def test_what_is_not_due_or_in_another_phase_is_left_alone(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        later, running = add_job(transaction), add_job(transaction)
        due = transaction.now + timedelta(seconds=60)
        transaction.execute(tables.steps.update().where(tables.steps.c.job_id == later).values(due_at=due))
    start(database, running)
    with database.begin() as transaction:
        assert claim(transaction, "a") == []


def test_many_claimers_never_hold_the_same_step(opener: Opener) -> None:
    database = opener()
    settle_people(database)
    with database.begin() as transaction:
        for owner in ("ada", "eve", "bob") * 20:
            add_job(transaction, owner)

    def work(name: str) -> list[StepId]:
        mine = opener()
        held: list[StepId] = []
        while True:
            with mine.begin() as transaction:
                taken = claim(transaction, name, limit=3)
            if not taken:
                return held
            held += [lease.step for lease in taken]

    with ThreadPoolExecutor(6) as pool:
        held = [step for part in pool.map(work, "abcdef") for step in part]
    # A claimer may leave early when another was quicker; what counts is that nothing was taken twice.
    assert len(held) == len(set(held))
    with database.begin() as transaction:
        rest = claim(transaction, "sweep")
    assert len(held) + len(rest) == 60


def test_an_expired_lease_is_taken_over_and_its_old_holder_decides_nothing_more(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        job = add_job(transaction)
        [old] = claim(transaction, "paused")
    expire_all(database)
    with database.begin() as transaction:
        [new] = claim(transaction, "awake")
        assert (new.step, new.token) == (old.step, old.token + 1)
    with database.begin() as transaction:
        assert advance(transaction, [cancel_move(old)]) == set()
        leases.release(transaction, [old], due_at=transaction.now)
        assert step_of(transaction, job).lease_holder == "awake", "nor can it give back what is not its own"
        assert advance(transaction, [cancel_move(new)]) == {new.step}


def test_the_facts_of_an_old_holder_are_kept(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        job = add_job(transaction)
        move(transaction, job, Phase.SUBMITTING, Reason.DISPATCHED)
        attempt = step_of(transaction, job).attempt_id
        [old] = leases.claim(transaction, holder="paused", cluster=CLUSTER, phase=Phase.SUBMITTING, limit=1, lease_s=30)
    expire_all(database)
    with database.begin() as transaction:
        assert leases.claim(transaction, holder="awake", cluster=CLUSTER, phase=Phase.SUBMITTING, limit=1, lease_s=30)
    with database.begin() as transaction:
        # The paused one wakes with what sbatch had told it.
        facts.bind(transaction, attempt, SlurmJobId("36"))
        late = Move(
            step=old.step, version=old.version, lease_token=old.token, to=Phase.QUEUED,
            reason=Reason.ACCEPTED_BY_SLURM, actor="controller",
        )  # fmt: skip
        assert advance(transaction, [late]) == set()
    with database.begin() as transaction:
        a = tables.attempts.c
        assert transaction.execute(sa.select(a.slurm_job_id).where(a.id == attempt)).scalar_one() == "36"
        assert step_of(transaction, job).phase == Phase.SUBMITTING


def test_a_machine_that_was_paused_past_its_leases_loses_them(tmp_path: Path) -> None:
    # On SQLite, whose time is ours to move; on PostgreSQL the leases are expired by hand in the tests above.
    clock = ManualClock()
    database = Database(f"sqlite:///{tmp_path}/gateway.db", clock=clock)
    schema.migrate(database)
    settle_people(database)
    with database.begin() as transaction:
        add_job(transaction)
        held = claim(transaction, "paused", lease_s=30)
    keeper = LeaseKeeper(database, holder="paused", lease_s=30, every_s=10)
    keeper.keep(held)
    clock.advance(20)
    keeper.renew()
    clock.advance(20)
    with database.begin() as transaction:
        assert claim(transaction, "other") == [], "renewed in time"
    clock.advance(10.1)  # as after SIGSTOP: no renewal came
    with database.begin() as transaction:
        [taken] = claim(transaction, "other")
    keeper.renew()
    with database.begin() as transaction:
        row = transaction.execute(tables.steps.select().where(tables.steps.c.id == taken.step)).one()
        assert (row.lease_holder, row.lease_token) == ("other", taken.token)
        assert row.lease_expires_at == clock.now() + timedelta(seconds=30), "the old keeper does not renew it"
    database.dispose()


def test_an_expired_lease_that_nobody_wanted_may_be_renewed_and_used(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        add_job(transaction)
        held = claim(transaction, "slow")
    expire_all(database)
    keeper = LeaseKeeper(database, holder="slow", lease_s=30, every_s=10)
    keeper.keep(held)
    keeper.renew()
    with database.begin() as transaction:
        assert claim(transaction, "other") == []
        assert advance(transaction, [cancel_move(held[0])]) == {held[0].step}


def test_what_was_let_go_is_not_renewed(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        add_job(transaction)
        held = claim(transaction, "a")
    keeper = LeaseKeeper(database, holder="a", lease_s=30, every_s=10)
    keeper.keep(held)
    keeper.let_go(held)
    expire_all(database)
    keeper.renew()
    with database.begin() as transaction:
        assert len(claim(transaction, "b")) == 1


def test_the_keeper_survives_a_database_that_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_people(database)
    with database.begin() as transaction:
        add_job(transaction)
        held = claim(transaction, "a")
    keeper = LeaseKeeper(database, holder="a", lease_s=30, every_s=0.01)
    keeper.keep(held)
    renewed, tries = threading.Event(), []
    renew = keeper.renew

    def sometimes() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise sa.exc.OperationalError("renew", None, Exception("the server closed the connection"))
        renew()
        renewed.set()

    monkeypatch.setattr(keeper, "renew", sometimes)
    thread = threading.Thread(target=keeper.run)
    thread.start()
    assert renewed.wait(10)
    keeper.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_a_decision_without_a_lease_waits_for_whoever_holds_one(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        job = add_job(transaction)
        claim(transaction, "a")
    with database.begin() as transaction:
        assert not move(transaction, job, Phase.CANCELLED, Reason.CANCELLED_BY_USER)
    expire_all(database)
    with database.begin() as transaction:
        assert move(transaction, job, Phase.CANCELLED, Reason.CANCELLED_BY_USER)


def test_an_illegal_move_applies_nothing_of_its_transaction(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        good, bad = add_job(transaction), add_job(transaction)
        steps = [step_of(transaction, job) for job in (good, bad)]

    def wish(step: Any, to: Phase) -> Move:
        return Move(step=StepId(step.id), version=0, to=to, reason=Reason.CANCELLED_BY_USER, actor="test")

    def both() -> None:
        with database.begin() as transaction:
            advance(transaction, [wish(steps[0], Phase.CANCELLED), wish(steps[1], Phase.RUNNING)])

    with pytest.raises(IllegalMove, match="from PENDING to RUNNING"):
        both()
    with database.begin() as transaction:
        assert [step_of(transaction, job).phase for job in (good, bad)] == [Phase.PENDING, Phase.PENDING]
        events = transaction.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar_one()
    assert events == 2


def test_two_decisions_on_one_step_in_one_call_count_once(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        job = add_job(transaction)
        step = StepId(step_of(transaction, job).id)
        wishes = [
            Move(step=step, version=0, to=to, reason=Reason.CANCELLED_BY_USER, actor="test")
            for to in (Phase.CANCELLED, Phase.FAILED)
        ]
        assert advance(transaction, wishes) == {step}
        row = step_of(transaction, job)
        assert (row.phase, row.version) == (Phase.CANCELLED, 1)
        assert [event["kind"] for event in transaction.events] == ["job.submitted", "step.advanced"]


class Crowd:
    """Everyone who writes about jobs, at once, on the same few jobs of two tenants."""

    def __init__(self, database: Database) -> None:
        settle_people(database)
        with database.begin() as transaction:
            self.jobs = [add_job(transaction, owner) for owner in ("ada", "eve", "bob", "eve", "ada", "bob")]
            for job in self.jobs[:4]:
                move(transaction, job, Phase.SUBMITTING, Reason.DISPATCHED)
                move(transaction, job, Phase.QUEUED, Reason.ACCEPTED_BY_SLURM)
            self.rows = [step_of(transaction, job) for job in self.jobs]

    def observe(self, transaction: Transaction, dice: random.Random) -> None:
        """As the collector: facts of many, then decisions."""
        chosen = dice.sample(self.rows[:4], 3)
        lock_accounts(transaction, [row.id for row in chosen])
        facts.missing(transaction, [row.attempt_id for row in chosen])
        advance(transaction, [self._turn(transaction, row.job_id) for row in chosen])

    def dispatch(self, transaction: Transaction, dice: random.Random) -> None:
        """As the dispatcher: leases, then decisions under them."""
        held = claim(transaction, str(dice.random()))
        to = {"to": Phase.FAILED, "reason": Reason.SUBMIT_REJECTED, "actor": "controller"}
        moves = [Move(step=one.step, version=one.version, lease_token=one.token, **to) for one in held]  # type: ignore[arg-type]
        advance(transaction, moves)

    def land(self, transaction: Transaction, dice: random.Random) -> None:
        """As the dispatcher when an answer came: a fact, a lease given back, a decision."""
        row = dice.choice(self.rows[:4])
        lock_accounts(transaction, [row.id])
        facts.bind(transaction, row.attempt_id, SlurmJobId(str(dice.randrange(9))))
        leases.release(transaction, [Lease(step=row.id, token=0, version=0)], due_at=transaction.now)
        advance(transaction, [self._turn(transaction, row.job_id)])

    def ask(self, transaction: Transaction, dice: random.Random) -> None:
        """As the API's writer: the accounts of a whole batch, then each request."""
        transaction.lock_tenants({"acme", "globex"})
        for job in dice.sample(self.jobs, 3):
            facts.request_cancel(transaction, job, by="test")
            if step_of(transaction, job).phase == Phase.FAILED:
                move(transaction, job, Phase.PENDING, Reason.SUBMITTED)

    def _turn(self, transaction: Transaction, job: JobId) -> Move:
        row = step_of(transaction, job)
        to, why = (Phase.QUEUED, Reason.REQUEUED_BY_SLURM)
        if row.phase == Phase.QUEUED:
            to, why = (Phase.RUNNING, Reason.STARTED)
        return Move(step=StepId(row.id), version=row.version, to=to, reason=why, actor="collector")


@pytest.mark.parametrize("seed", range(3))
def test_facts_leases_decisions_and_cancels_never_wait_in_a_circle(opener: Opener, seed: int) -> None:
    crowd = Crowd(opener())
    acts = (crowd.observe, crowd.dispatch, crowd.land, crowd.ask)

    def work(number: int) -> None:
        database, dice = opener(), random.Random(f"{seed}.{number}")
        keeper = LeaseKeeper(database, holder=str(number), lease_s=30, every_s=10)
        keeper.keep([Lease(step=row.id, token=1, version=0) for row in dice.sample(crowd.rows, 6)])
        for _ in range(15):
            with database.begin() as transaction:
                acts[number % len(acts)](transaction, dice)
            keeper.renew()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8), timeout=60))
