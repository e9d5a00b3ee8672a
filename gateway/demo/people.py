"""Make the demo's tenants, users and tokens through the API, each only once."""

from gateway.client import GatewayClient
from gateway.demo.place import Place
from gateway.demo.service import operator_token, save_token
from gateway.wire import TenantRequest, TokenRequest, UserRequest


def settle(place: Place) -> None:
    """Make what is missing; a tenant's token belongs to its first user, each user has one of its own too."""
    client = GatewayClient(place.url, operator_token(place))
    known = {tenant.id for tenant in client.tenants()}
    for tenant, users in place.cluster.tenants.items():
        if tenant not in known:
            client.create_tenant(TenantRequest(id=tenant))
        there = {user.name for user in client.users(tenant)}
        for name in users:
            if name not in there:
                client.create_user(tenant, UserRequest(name=name, unix_user=place.cluster.user_prefix + name))
            _token(place, client, tenant, name)
        save_token(place.home / "tokens" / tenant, token_of(place, users[0]))


def token_of(place: Place, user: str) -> str:
    """Return a demo user's token."""
    return (place.home / "tokens" / f"user-{user}").read_text().strip()


def _token(place: Place, client: GatewayClient, tenant: str, name: str) -> None:
    path = place.home / "tokens" / f"user-{name}"
    if not path.exists():
        made = client.create_token(tenant, TokenRequest(user=name, label="demo"))
        if made.token is None:
            raise AssertionError("a new token comes with its text")
        save_token(path, made.token)
