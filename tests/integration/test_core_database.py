"""The database itself, on SQLite and on PostgreSQL: schema, transactions, group commits, event numbers."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.clock import ManualClock
from gateway.db import schema
from gateway.db.database import Database
from gateway.db.tables import METADATA
from gateway.errors import GatewayFault


def test_migrations_give_exactly_the_tables_that_the_code_declares(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_keys_have_the_declared_names_and_columns(database: Database) -> None:
    with database.read() as connection:
        inspector = sa.inspect(connection)
        for table in METADATA.tables.values():
            key = inspector.get_pk_constraint(table.name)
            assert key["constrained_columns"] == [column.name for column in table.primary_key]
            # SQLite forgets the name of a key that counts up.
            assert key["name"] in {table.primary_key.name} | ({None} if database.is_sqlite else set())
            found = {key["name"] for key in inspector.get_foreign_keys(table.name)}
            assert found == {key.name for key in table.foreign_key_constraints}


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    database = Database(empty_url, clock=ManualClock())
    schema.migrate(database)
    schema.migrate(database)
    schema.demand_current(database)
    database.dispose()


def test_a_database_of_another_version_is_refused(empty_url: str) -> None:
    database = Database(empty_url, clock=ManualClock())
    with pytest.raises(GatewayFault, match="schema is missing"):
        schema.demand_current(database)
    schema.migrate(database)
    with database.begin() as transaction:
        transaction.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GatewayFault, match="schema is 9999"):
        schema.demand_current(database)
    database.dispose()
