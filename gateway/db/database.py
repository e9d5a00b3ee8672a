"""Open the database and its transactions: one transaction is one use-case, with no I/O inside."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.clock import Clock
from gateway.db import tables

log = structlog.get_logger()

POOL_SIZE = 48
"""At least as many as threads that may ask at once (the API's 40 and the controllers'), or they wait for each other."""

_SQLITE_WAIT_S: Final = 30.0
_SQLITE_POLL_S: Final = 0.001

EventRow = dict[str, Any]


class Transaction:
    """One use-case's changes: all of them, or none. Made by `Database.begin`."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        """The database's time when the transaction began: the same for every change in it."""
        self.events: list[EventRow] = []

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run one Core statement."""
        result = self.connection.execute(statement, parameters)
        assert isinstance(result, sa.CursorResult)  # noqa: S101 - Connection.execute always returns one; for the type only
        return result

    def emit(self, event: EventRow) -> None:
        """Append an event; it gets its number at the very end of the transaction."""
        self.events.append(event)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happens inside when it fails, events included."""
        events = len(self.events)
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            del self.events[events:]
            raise

    def lock_tenants(self, tenant_ids: set[str]) -> None:
        """Lock the accounts, in one order everywhere. SQLite's writers are alone already."""
        if self.connection.dialect.name == "sqlite" or not tenant_ids:
            return
        rows = sa.select(tables.tenants.c.id).where(tables.tenants.c.id.in_(sorted(tenant_ids)))
        self.execute(rows.order_by(tables.tenants.c.id).with_for_update())

    def write_events(self) -> None:
        """Number the events from the tenants' counters, as the last act: order of numbers is then order of commits."""
        for tenant in sorted({event["tenant_id"] for event in self.events}):
            mine = [event for event in self.events if event["tenant_id"] == tenant]
            counter = tables.tenants.c.last_event
            last: int = self.connection.execute(
                tables.tenants.update()
                .where(tables.tenants.c.id == tenant)
                .values(last_event=counter + len(mine))
                .returning(counter)
            ).scalar_one()
            first = last - len(mine) + 1
            rows = [{**event, "seq": first + number, "at": self.now} for number, event in enumerate(mine)]
            self.connection.execute(tables.events.insert(), rows)


class Database:
    """A pool of connections and the two ways to use one."""

    def __init__(
        self, url: str, *, clock: Clock, publish: Callable[[Sequence[EventRow]], None] = lambda _: None
    ) -> None:
        self._clock = clock
        self._publish = publish
        """Told the events of every transaction once they are durable."""
        self.engine = _engine(url)
        self._writer = self.engine.execution_options(sgw_write=True)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a writing transaction; commits at the end, rolls back on any exception."""
        with self._writer.connect() as connection, connection.begin():
            transaction = Transaction(connection, self._now(connection))
            yield transaction
            transaction.write_events()
        if transaction.events:
            self._announce(transaction.events)

    def _announce(self, events: Sequence[EventRow]) -> None:
        # Whoever is told that this failed would take a durable change for one that was undone, and repeat it.
        try:
            self._publish(events)
        except Exception:
            log.exception("database.unannounced", events=len(events))

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a reading transaction: one consistent look, no locks."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def now(self) -> datetime:
        """Return the time that leases are measured in."""
        if self.is_sqlite:
            return self._clock.now()
        with self.read() as connection:
            return self._now(connection)

    def dispose(self) -> None:
        """Close all connections; needed in a forked child and at the end."""
        self.engine.dispose()

    def _now(self, connection: sa.Connection) -> datetime:
        # Several machines may share a PostgreSQL, so its clock counts. SQLite has no clock but this machine's.
        if self.is_sqlite:
            return self._clock.now()
        now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            parsed,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            connect_args={"check_same_thread": False, "timeout": _SQLITE_WAIT_S},
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(parsed, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_pre_ping=True)
    raise ValueError(f"database_url: only sqlite and postgresql are supported, not {parsed.get_backend_name()!r}")


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite does, and knows which kind.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer later fails at once with "database is locked", whatever the time-out.
    if not connection.get_execution_options().get("sgw_write", False):
        connection.exec_driver_sql("BEGIN")
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - for the type only
    until = time.monotonic() + _SQLITE_WAIT_S
    while not _begins_now(driver):
        if time.monotonic() > until:
            raise TimeoutError(f"the database stayed locked for {_SQLITE_WAIT_S:g} s")
        time.sleep(_SQLITE_POLL_S)


def _begins_now(driver: sqlite3.Connection) -> bool:
    """Take the write lock if it is free.

    SQLite's own way to wait is to sleep longer and longer, up to 100 ms, so that whoever came last wins. Measured
    beside a process that writes 5 ms of every 6: a write waited 1 s (p99) that way, and waits 14 ms by asking often.
    """
    driver.execute("PRAGMA busy_timeout=0")
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout={_SQLITE_WAIT_S * 1000:.0f}")
    return True
