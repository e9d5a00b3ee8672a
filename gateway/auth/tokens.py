"""Make tokens, and recognise them without ever storing one.

A token is `sgw_<id>_<secret>`: the id finds the row, the secret (256 random bits) is compared as a SHA-256 digest in
constant time. A secret of that size cannot be guessed, so a slow password hash would only slow the service down.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.db.database import Database
from gateway.errors import Unauthenticated
from gateway.ids import TenantId, TokenId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token just made: `text` is shown once and kept nowhere."""

    id: TokenId
    text: str
    digest: bytes


def generate() -> NewToken:
    """Make a new random token."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewToken(id=TokenId(token_id), text=f"sgw_{token_id}_{secret}", digest=_digest(secret))


def authenticate(database: Database, text: str, now: datetime) -> Principal:
    """Return who a token speaks for; raises Unauthenticated.

    An unknown id and a wrong secret get the same words, so that nobody learns which ids exist. Whoever has the whole
    secret is told whether it was revoked or has expired.
    """
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    with database.read() as connection:
        row = connection.execute(_BY_ID, {"token": token_id}).one_or_none()
    expected = row.digest if row else _NOBODY
    genuine = hmac.compare_digest(_digest(secret), expected)
    if row is None or not genuine or prefix != "sgw":
        raise Unauthenticated("This token is not valid.", hint="Sign in again: `sgw login`.")
    if row.revoked_at is not None:
        raise Unauthenticated("This token was revoked.", hint="Ask your tenant's admin for a new one.")
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthenticated("This token has expired.", hint="Ask your tenant's admin for a new one.")
    return Principal(
        tenant=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        user=row.name,
        unix_user=row.unix_user,
        account=row.account,
        role=row.role,
        token_id=TokenId(row.id),
        expires_at=row.expires_at,
    )


def is_valid(database: Database, token_id: TokenId, now: datetime) -> bool:
    """Say whether a token that was shown before still counts."""
    with database.read() as connection:
        row = connection.execute(_BY_ID, {"token": token_id}).one_or_none()
    return row is not None and row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


_NOBODY = _digest(secrets.token_urlsafe(32))

_BY_ID = (
    sa.select(
        *(tables.tokens.c.id, tables.tokens.c.digest, tables.tokens.c.role, tables.tokens.c.expires_at),
        *(tables.tokens.c.revoked_at, tables.tokens.c.user_id),
        *(tables.users.c.name, tables.users.c.unix_user, tables.users.c.tenant_id, tables.tenants.c.account),
    )
    .join(tables.users, tables.users.c.id == tables.tokens.c.user_id)
    .join(tables.tenants, tables.tenants.c.id == tables.users.c.tenant_id)
    .where(tables.tokens.c.id == sa.bindparam("token"))
)
