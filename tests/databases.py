"""Give tests a database of each kind: an SQLite file, and a real PostgreSQL that lives as long as the test run."""

import os
import pwd
import shutil
import subprocess
import tempfile
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
    # initdb refuses to be root.
    become = ["runuser", "-u", owner.pw_name, "--"] if os.getuid() == 0 else []

    def run(name: str, *arguments: str) -> None:
        command = [*become, str(_BINARIES[-1] / name), *arguments]
        done = subprocess.run(command, cwd=room, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    data, options = str(room / "data"), " ".join(f"-c {name}={value!r}" for name, value in _SETTINGS.items())
    try:
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")
        run("pg_ctl", "-D", data, "-w", "-l", str(room / "log"), "-o", f"{options} -k {room}", "start")
        try:
            _admin(room, "CREATE DATABASE migrated")
            _migrate(_url(room, "migrated"))
            yield str(room)
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(room)


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
