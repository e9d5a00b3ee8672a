"""Administer tenants, their users and their tokens."""

import re
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.auth import tokens
from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.db.database import Database, Transaction
from gateway.errors import Conflict, Detail, Forbidden, InvalidRequest, NotFound
from gateway.ids import is_name
from gateway.wire import TenantRequest, TenantView, TokenRequest, TokenView, UserRequest, UserView

_UNIX_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def create_tenant(database: Database, principal: Principal, request: TenantRequest) -> TenantView:
    """Add a tenant; raises Conflict when the id is taken."""
    principal.demand_operator()
    _demand_name("id", request.id)
    account = request.account or request.id
    if not _ACCOUNT.fullmatch(account):
        raise _invalid("account", f"{account!r} is not a Slurm account name")
    values = {"id": request.id, "account": account, "display_name": request.display_name, "last_event": 0}
    try:
        with database.begin() as transaction:
            transaction.execute(tables.tenants.insert().values(**values, created_at=transaction.now))
            return _tenant_view({**values, "created_at": transaction.now})
    except IntegrityError:
        raise Conflict(f"There is a tenant {request.id!r} already.") from None


def list_tenants(database: Database, principal: Principal) -> list[TenantView]:
    """Return the tenants that the principal may see, by id."""
    query = sa.select(tables.tenants).where(principal.visible.allow(tables.tenants.c.id)).order_by(tables.tenants.c.id)
    with database.read() as connection:
        return [_tenant_view(row) for row in connection.execute(query).mappings()]


def create_user(database: Database, principal: Principal, tenant: str, request: UserRequest) -> UserView:
    """Add a user to a tenant, mapped to a Unix user; raises Conflict when the name is taken."""
    principal.demand_operator()
    _demand_name("name", request.name)
    if not _UNIX_USER.fullmatch(request.unix_user):
        raise _invalid("unix_user", f"{request.unix_user!r} is not a Unix user name")
    values = {"tenant_id": tenant, "name": request.name, "unix_user": request.unix_user}
    try:
        with database.begin() as transaction:
            _demand_tenant(transaction.connection, principal, tenant)
            _demand_own_unix_user(transaction, tenant, request.unix_user)
            transaction.execute(tables.users.insert().values(**values, created_at=transaction.now))
            return _user_view({**values, "created_at": transaction.now})
    except IntegrityError:
        raise Conflict(f"There is a user {request.name!r} in {tenant!r} already.") from None


def list_users(database: Database, principal: Principal, tenant: str) -> list[UserView]:
    """Return a tenant's users, by name."""
    query = sa.select(tables.users).where(tables.users.c.tenant_id == tenant).order_by(tables.users.c.name)
    with database.read() as connection:
        _demand_tenant(connection, principal, tenant)
        return [_user_view(row) for row in connection.execute(query).mappings()]


def create_token(database: Database, principal: Principal, tenant: str, request: TokenRequest) -> TokenView:
    """Make a token for a user of the tenant. The answer is the only place where its text is ever seen."""
    with database.begin() as transaction:
        _demand_tenant(transaction.connection, principal, tenant)
        principal.demand_admin_of(tenant)
        if request.role == "operator":
            principal.demand_operator()
        u = tables.users.c
        user_id = transaction.execute(
            sa.select(u.id).where(u.tenant_id == tenant, u.name == request.user)
        ).scalar_one_or_none()
        if user_id is None:
            raise NotFound(f"Tenant {tenant!r} has no user {request.user!r}.")
        made = tokens.generate()
        life = timedelta(seconds=request.expires_in_s) if request.expires_in_s else None
        values: dict[str, Any] = {
            "id": made.id,
            "role": request.role,
            "label": request.label,
            "created_at": transaction.now,
            "expires_at": transaction.now + life if life else None,
            "revoked_at": None,
        }
        transaction.execute(tables.tokens.insert().values(**values, user_id=user_id, digest=made.digest))
        return TokenView(**values, tenant=tenant, user=request.user, token=made.text)


def list_tokens(database: Database, principal: Principal, tenant: str) -> list[TokenView]:
    """Return a tenant's tokens without their secrets, newest first."""
    t, u = tables.tokens.c, tables.users.c
    query = (
        sa.select(t.id, t.role, t.label, t.created_at, t.expires_at, t.revoked_at, u.tenant_id.label("tenant"))
        .add_columns(u.name.label("user"))
        .join(tables.users, u.id == t.user_id)
        .where(u.tenant_id == tenant)
        .order_by(t.created_at.desc(), t.id)
    )
    with database.read() as connection:
        _demand_tenant(connection, principal, tenant)
        principal.demand_admin_of(tenant)
        return [TokenView(**row) for row in connection.execute(query).mappings()]


def revoke_token(database: Database, principal: Principal, token_id: str) -> None:
    """End a token's validity, now. Revoking twice is fine."""
    t, u = tables.tokens.c, tables.users.c
    with database.begin() as transaction:
        row = transaction.execute(
            sa.select(u.tenant_id, u.id).join(tables.tokens, t.user_id == u.id).where(t.id == token_id)
        ).one_or_none()
        if row is None or (principal.role != "operator" and row.tenant_id != principal.tenant):
            raise NotFound("There is no such token.")
        if row.id != principal.user_id:
            principal.demand_admin_of(row.tenant_id)
        transaction.execute(
            tables.tokens.update().where(t.id == token_id, t.revoked_at.is_(None)).values(revoked_at=transaction.now)
        )


def _demand_tenant(connection: sa.Connection, principal: Principal, tenant: str) -> None:
    t = tables.tenants.c.id
    found = connection.execute(sa.select(t).where(t == tenant, principal.visible.allow(t))).one_or_none()
    if found is None:
        raise NotFound(f"There is no tenant {tenant!r}.")


def _demand_own_unix_user(transaction: Transaction, tenant: str, unix_user: str) -> None:
    # A Unix user shared by two tenants would let each read the other's files. The accounts are locked before the look:
    # on PostgreSQL two tenants' users could be added at the same time, and neither see the other.
    transaction.lock_tenants(set(transaction.execute(sa.select(tables.tenants.c.id)).scalars()))
    u = tables.users.c
    other = sa.select(u.tenant_id).where(u.unix_user == unix_user, u.tenant_id != tenant).limit(1)
    if transaction.execute(other).one_or_none() is not None:
        raise Forbidden(f"The Unix user {unix_user!r} belongs to another tenant.")


def _demand_name(field: str, text: str) -> None:
    if not is_name(text):
        raise _invalid(field, f"{text!r} is not a name: lower-case letters, digits and `-`, a letter first, at most 31")


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}", details=(Detail(where=field, message=message),))


def _tenant_view(row: Any) -> TenantView:
    return TenantView(
        id=row["id"], account=row["account"], display_name=row["display_name"], created_at=row["created_at"]
    )


def _user_view(row: Any) -> UserView:
    return UserView(tenant=row["tenant_id"], name=row["name"], unix_user=row["unix_user"], created_at=row["created_at"])
