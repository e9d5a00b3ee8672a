"""Bring the database's tables up to this version, or refuse to work with any other."""

from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.db.database import Database
from gateway.db.tables import METADATA
from gateway.errors import GatewayFault


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, all in one transaction; nothing happens when there are none."""
    with database.engine.execution_options(sgw_write=True).connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Two processes that start together must not migrate together.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7446001)"))
        command.upgrade(_config(connection), "head")


def demand_current(database: Database) -> None:
    """Raise GatewayFault unless the schema is exactly ours: an older or newer one would be misread."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    with database.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != head:
        raise GatewayFault(
            f"The database's schema is {found or 'missing'}; this version needs {head}.",
            hint="Run `sgw serve migrate` with the newest version; never run two versions on one schema.",
        )


def revise(database: Database, message: str) -> None:
    """Write a new migration from the difference between tables and database; its author then reads and mends it."""
    with database.engine.execution_options(sgw_write=True).connect() as connection:
        command.revision(_config(connection), message=message, autogenerate=True)


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("gateway.db") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = METADATA
    return config
