"""Give tests a database of each kind: an SQLite file, and a real PostgreSQL that lives as long as the test run."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from gateway.clock import ManualClock
from gateway.db import schema
from gateway.db.database import Database

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# The cluster is thrown away at the end, so nothing in it needs to survive a power cut.
_SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "120"}

Opener = Callable[..., Database]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The folder of the Unix socket of a running PostgreSQL with a migrated template database `migrated`."""
    if not _BINARIES:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    room = Path(tempfile.mkdtemp(prefix="sgw-pg-", dir="/tmp"))
    owner = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    os.chown(room, owner.pw_uid, owner.pw_gid)
    # A live gateway under test runs as a user of its own and has to reach the socket; the data's folder is 0700 anyway.
    room.chmod(0o755)
    # initdb refuses to be root. The server ends with us, also when the test run is killed.
    become = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=INT"]
    become = become if os.getuid() == 0 else become[:1] + become[-1:]
    data, settings = str(room / "data"), [f"--{name}={value}" for name, value in _SETTINGS.items()]
    make = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"]
    serve = ["postgres", "-D", data, "-k", str(room), *settings]
    with (room / "log").open("wb") as log:

        def run(name: str, *arguments: str) -> subprocess.Popen[bytes]:
            command = [*become, str(_BINARIES[-1] / name), *arguments]
            return subprocess.Popen(command, cwd=room, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        try:
            assert run(*make).wait(60) == 0, (room / "log").read_text()
            server = run(*serve)
            try:
                _wait_for(server, room)
                _admin(room, "CREATE DATABASE migrated")
                _migrate(_url(room, "migrated"))
                yield str(room)
            finally:
                server.send_signal(signal.SIGQUIT)
                server.wait(30)
        finally:
            shutil.rmtree(room)


def _wait_for(server: subprocess.Popen[bytes], room: Path) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            return _admin(room, "SELECT 1")
        except psycopg.OperationalError:
            assert server.poll() is None, (room / "log").read_text()
            assert time.monotonic() < until, (room / "log").read_text()
            time.sleep(0.02)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/gateway.db"
    else:
        yield from _temporary(request.getfixturevalue("postgres"), template="template0")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/gateway.db"
        _migrate(url)
        yield url
    else:
        yield from _temporary(request.getfixturevalue("postgres"), template="migrated")


@pytest.fixture
def opener(database_url: str) -> Iterator[Opener]:
    """Open the same database several times, as several processes would; closed at the end of the test."""
    opened: list[Database] = []

    def open_database(clock: ManualClock | None = None, **options: object) -> Database:
        opened.append(Database(database_url, clock=clock or ManualClock(), **options))  # type: ignore[arg-type]
        hasten(opened[-1])
        return opened[-1]

    yield open_database
    for database in opened:
        database.dispose()


@pytest.fixture
def database(opener: Opener) -> Database:
    """One migrated database."""
    return opener()


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database on the real PostgreSQL."""
    yield from _temporary(postgres, template="template0")


def hasten(database: Database) -> None:
    """Do without fsync: what is tested here survives no power cut, and half of the time would be spent on it."""
    if database.is_sqlite:
        sa.event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))


def _temporary(room: str, *, template: str) -> Iterator[str]:
    name = f"test_{os.urandom(6).hex()}"
    _admin(Path(room), f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(Path(room), name)
    _admin(Path(room), f"DROP DATABASE {name} WITH (FORCE)")


def _admin(room: Path, statement: str) -> None:
    with psycopg.connect(f"host={room} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def _url(room: Path, name: str) -> str:
    return f"postgresql://postgres@/{name}?host={room}"


def _migrate(url: str) -> None:
    database = Database(url, clock=ManualClock())
    schema.migrate(database)
    database.dispose()
