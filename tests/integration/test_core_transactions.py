"""Transactions, group commits and event numbers, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.db import tables
from gateway.db.database import Database, Transaction
from gateway.db.writer import GroupWriter
from gateway.errors import GatewayFault
from tests.core_world import add_job, settle_people
from tests.databases import Opener


@pytest.fixture
def writer(database: Database) -> Any:
    writer = GroupWriter(database)
    writer.start()
    yield writer
    writer.stop()


def say(text: str, tenant: str = "acme") -> Callable[[Transaction], None]:
    """An action that only tells an event."""

    def act(transaction: Transaction) -> None:
        transaction.emit({"tenant_id": tenant, "kind": text, "actor": "test"})

    return act


def told(database: Database, tenant: str = "acme") -> list[Any]:
    e = tables.events.c
    with database.read() as connection:
        return list(connection.execute(sa.select(e.seq, e.kind).where(e.tenant_id == tenant).order_by(e.seq)))


def test_64_threads_write_together_and_each_gets_its_own_result(database: Database, writer: GroupWriter) -> None:
    settle_people(database)
    with ThreadPoolExecutor(64) as pool:
        jobs = list(pool.map(lambda n: writer.run(lambda t: add_job(t, name=f"job-{n}"), tenant="acme"), range(64)))
    with database.read() as connection:
        j = tables.jobs.c
        names = {row.id: row.name for row in connection.execute(sa.select(j.id, j.name))}
    assert [names[job] for job in jobs] == [f"job-{n}" for n in range(64)]
    assert [seq for seq, _ in told(database)] == list(range(1, 65))


def test_an_action_that_raises_is_undone_alone(database: Database, writer: GroupWriter) -> None:
    settle_people(database)

    def fail(number: int) -> None:
        def act(transaction: Transaction) -> None:
            add_job(transaction, name=f"job-{number}")
            if number % 2:
                raise LookupError(number)

        writer.run(act, tenant="acme")

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(fail, number) for number in range(32)]
    raised = [number for number, future in enumerate(futures) if isinstance(future.exception(), LookupError)]
    assert raised == list(range(1, 32, 2))
    with database.read() as connection:
        kept = set(connection.execute(sa.select(tables.jobs.c.name)).scalars())
    assert kept == {f"job-{number}" for number in range(0, 32, 2)}
    assert [seq for seq, _ in told(database)] == list(range(1, 17)), "what was undone left no gap"


def test_an_action_that_the_database_refuses_does_not_harm_its_neighbours(
    database: Database, writer: GroupWriter
) -> None:
    settle_people(database)
    hold, outcomes = threading.Event(), []
    first = threading.Thread(target=lambda: writer.run(lambda _: hold.wait(10), tenant="acme"))
    first.start()
    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(writer.run, lambda t: add_job(t, name="good"), tenant="acme")
        bad = pool.submit(writer.run, lambda t: add_job(t, tenant_id="nobody"), tenant="acme")
        hold.set()
        outcomes = [good.exception(), bad.exception()]
    first.join()
    assert outcomes[0] is None
    assert isinstance(outcomes[1], sa.exc.IntegrityError)


def test_a_result_is_given_only_when_it_is_durable(opener: Opener) -> None:
    writing, looking = opener(), opener()
    settle_people(writing)
    writer = GroupWriter(writing)
    writer.start()
    for number in range(20):
        job = writer.run(add_job, tenant="acme")
        with looking.read() as connection:
            found = connection.execute(sa.select(tables.jobs.c.id).where(tables.jobs.c.id == job)).scalar_one_or_none()
        assert found == job, f"write {number} was reported before others could see it"
    writer.stop()


def test_with_a_dead_database_every_waiter_gets_the_error(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        transaction.execute(sa.text("DROP TABLE events"))
    writer = GroupWriter(database)
    writer.start()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(writer.run, say("hello"), tenant="acme") for _ in range(8)]
        assert all(isinstance(one.exception(timeout=30), sa.exc.DBAPIError) for one in waiting)
    assert writer.run(lambda _: "still at work", tenant="acme") == "still at work"
    writer.stop()


def test_stop_finishes_what_was_asked_for_and_refuses_what_comes_later(database: Database) -> None:
    settle_people(database)
    writer, begun, hold = GroupWriter(database), threading.Event(), threading.Event()
    writer.start()

    def act(transaction: Transaction) -> int:
        begun.set()
        assert hold.wait(10)
        return add_job(transaction)

    with ThreadPoolExecutor(3) as pool:
        asked: Future[int] = pool.submit(writer.run, act, tenant="acme")
        assert begun.wait(10)
        stopping = pool.submit(writer.stop)
        hold.set()
        assert asked.result(10) > 0
        stopping.result(10)
    with pytest.raises(GatewayFault, match="shutting down"):
        writer.run(add_job, tenant="acme")


def test_event_numbers_are_gap_free_and_in_the_order_of_commits(opener: Opener) -> None:
    watching = opener()
    settle_people(watching)
    seen: list[int] = []
    over = threading.Event()

    def follow() -> None:
        # A follower that never looks back must not miss one: whatever is visible at any moment has no gap before it.
        while True:
            last = over.is_set()
            new = [seq for seq, _ in told(watching) if seq > (seen[-1] if seen else 0)]
            seen.extend(new)
            if last:
                return

    def work(process: int) -> None:
        mine = opener()
        for number in range(25):
            with mine.begin() as transaction:
                say(f"{process}.{number}")(transaction)
                if number % 3 == 0:
                    say(f"{process}.{number}", "globex")(transaction)
                    say(f"{process}.{number}+")(transaction)

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    over.set()
    follower.join()
    assert seen == list(range(1, 4 * (25 + 9) + 1))
    assert [seq for seq, _ in told(watching, "globex")] == list(range(1, 4 * 9 + 1))


def test_a_failed_transaction_uses_no_event_number(database: Database) -> None:
    settle_people(database)

    def fail() -> None:
        with database.begin() as transaction:
            say("lost")(transaction)
            transaction.write_events()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with database.begin() as transaction:
        say("kept")(transaction)
    assert told(database) == [(1, "kept")]


def test_events_are_announced_after_the_commit_and_a_deaf_audience_undoes_nothing(opener: Opener) -> None:
    reader, announced = opener(), []

    def announce(events: Any) -> None:
        announced.append(len(told(reader)))
        raise OSError("nobody listens")

    database = opener(publish=announce)
    settle_people(database)
    with database.begin() as transaction:
        say("first")(transaction)
        say("second")(transaction)
    assert announced == [2]
    assert len(told(reader)) == 2


def test_times_come_back_in_utc_as_they_were_stored(database: Database) -> None:
    settle_people(database)
    with database.begin() as transaction:
        job, now = add_job(transaction), transaction.now
    with database.read() as connection:
        stored = connection.execute(sa.select(tables.jobs.c.created_at).where(tables.jobs.c.id == job)).scalar_one()
    assert stored == now
    assert stored.utcoffset().total_seconds() == 0
