"""Say who is asking, and turn that into a type that queries demand."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.errors import Forbidden
from gateway.ids import TenantId, TokenId, UserId
from gateway.wire import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleTenants:
    """The tenants whose things a query may return. Made only from a Principal."""

    tenant: TenantId | None
    """None: all of them."""

    def allow(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Return the condition that every query serving a person carries."""
        return sa.true() if self.tenant is None else column == self.tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user of a tenant, by the token that was shown."""

    tenant: TenantId
    user_id: UserId
    user: str
    unix_user: str
    account: str
    role: Role
    token_id: TokenId
    expires_at: datetime | None

    @property
    def visible(self) -> VisibleTenants:
        """What this principal may see."""
        return VisibleTenants(tenant=None if self.role == "operator" else self.tenant)

    @property
    def actor(self) -> str:
        """How events name this principal."""
        return f"user:{self.user}"

    def may_cancel(self, *, tenant: str, user_id: int) -> bool:
        """One's own jobs; as an admin the tenant's; as an operator any."""
        if self.role == "operator":
            return True
        return tenant == self.tenant and (self.role == "admin" or user_id == self.user_id)

    def demand_operator(self) -> None:
        """Raise Forbidden for anyone but an operator."""
        if self.role != "operator":
            raise Forbidden("This needs an operator's token.", hint="Ask whoever runs the gateway.")

    def demand_admin_of(self, tenant: str) -> None:
        """Raise Forbidden for anyone but the tenant's admins and operators."""
        if self.role == "operator" or (self.role == "admin" and self.tenant == tenant):
            return
        raise Forbidden("This needs an admin's token of that tenant.", hint="Ask your tenant's admin.")
