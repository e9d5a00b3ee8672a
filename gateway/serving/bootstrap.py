"""Make the first operator of an installation, directly in the database: nobody can sign in before."""

import sqlalchemy as sa

from gateway.auth import tokens
from gateway.db import tables
from gateway.db.database import Database
from gateway.errors import Conflict

OPERATORS = "operators"


def first_operator(database: Database, *, name: str, unix_user: str) -> str:
    """Make the tenant `operators`, a user in it and an operator's token; returns the token's text.

    For an existing user a further token is made: whoever can write the database is an operator already. Raises
    Conflict when the Unix user belongs to a tenant.
    """
    t, u = tables.tenants, tables.users
    made = tokens.generate()
    with database.begin() as transaction:
        if transaction.execute(sa.select(t.c.id).where(t.c.id == OPERATORS)).one_or_none() is None:
            values = {"id": OPERATORS, "account": OPERATORS, "last_event": 0, "created_at": transaction.now}
            transaction.execute(t.insert().values(**values))
        elsewhere = sa.select(u.c.tenant_id).where(u.c.unix_user == unix_user, u.c.tenant_id != OPERATORS)
        if (tenant := transaction.execute(elsewhere.limit(1)).scalar_one_or_none()) is not None:
            raise Conflict(f"The Unix user {unix_user!r} belongs to the tenant {tenant!r}.")
        found = sa.select(u.c.id).where(u.c.tenant_id == OPERATORS, u.c.name == name)
        user_id = transaction.execute(found).scalar_one_or_none()
        if user_id is None:
            values = {"tenant_id": OPERATORS, "name": name, "unix_user": unix_user, "created_at": transaction.now}
            user_id = transaction.execute(u.insert().values(**values).returning(u.c.id)).scalar_one()
        transaction.execute(
            tables.tokens.insert().values(
                id=made.id,
                user_id=user_id,
                digest=made.digest,
                role="operator",
                label="made on the gateway's machine",
                created_at=transaction.now,
            )
        )
    return made.text
