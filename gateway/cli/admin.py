"""Manage tenants, their users and tokens, through the gateway."""

import argparse
import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ValidationError

from gateway.cli.columns import table
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import CommandError, UsageError
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import printable
from gateway.cli.times import stamp
from gateway.client import GatewayClient
from gateway.wire import TenantRequest, TenantView, TokenRequest, TokenView, UserRequest, UserView

HELP = """Manage tenants, users and tokens.

Tenants and users are an operator's; the tokens of a tenant can also be managed by its admins."""

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    things = parser.add_subparsers(required=True, metavar="tenant|user|token")
    _tenant_arguments(things.add_parser("tenant", help="tenants"))
    _user_arguments(things.add_parser("user", help="users of a tenant"))
    _token_arguments(things.add_parser("token", help="tokens of a tenant's users"))


def run(args: argparse.Namespace, env: Environment) -> int:
    try:
        views = args.act(connect(env), args)
    except ValidationError as error:
        findings = tuple(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise CommandError("the request is not valid", ExitStatus.INVALID, findings=findings) from error
    if args.json:
        documents = [view.model_dump_json(indent=2) for view in views]
        env.say(documents[0] if args.single else "[" + ",\n".join(documents) + "]")
    elif args.single:
        _tell_made(views[0], env)
    elif views:
        for line in table(_COLUMNS[type(views[0])], [_row(view, env) for view in views]):
            env.say(line)
    return ExitStatus.OK


def _tenant_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="create|list")
    create = _add_verb(verbs, "create", "add a tenant")
    create.add_argument("id", metavar="ID", help="lower case letters, digits and -, as in acme")
    create.add_argument("--account", help="its Slurm account; the id when left out")
    create.add_argument("--display-name", metavar="TEXT", help="its name for people")
    create.set_defaults(act=_create_tenant, single=True)
    listing = _add_verb(verbs, "list", "list the tenants")
    listing.set_defaults(act=lambda client, _: client.tenants(), single=False)


def _user_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="create|list")
    create = _add_verb(verbs, "create", "add a user to a tenant")
    create.add_argument("tenant", metavar="TENANT")
    create.add_argument("name", metavar="NAME", help="the name in the gateway")
    create.add_argument("--unix-user", required=True, metavar="USER", help="who the user's jobs run as on the cluster")
    create.set_defaults(act=_create_user, single=True)
    listing = _add_verb(verbs, "list", "list a tenant's users")
    listing.add_argument("tenant", metavar="TENANT")
    listing.set_defaults(act=lambda client, args: client.users(args.tenant), single=False)


def _token_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="create|list|revoke")
    create = _add_verb(verbs, "create", "make a token; it is printed this once")
    create.add_argument("tenant", metavar="TENANT")
    create.add_argument("user", metavar="USER", help="the name in the gateway")
    create.add_argument("--role", choices=("member", "admin", "operator"), default="member", help="default member")
    create.add_argument("--label", metavar="TEXT", help="what it is for")
    create.add_argument("--expires", metavar="TIME", help="after this time: 12h, 90d, 4w; never when left out")
    create.set_defaults(act=_create_token, single=True)
    listing = _add_verb(verbs, "list", "list a tenant's tokens")
    listing.add_argument("tenant", metavar="TENANT")
    listing.set_defaults(act=lambda client, args: client.tokens(args.tenant), single=False)
    revoke = _add_verb(verbs, "revoke", "end a token now")
    revoke.add_argument("id", metavar="ID", help="the token's id, never the token itself")
    revoke.set_defaults(act=_revoke_token, single=False)


def _add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=summary)
    # Known to `sgw admin` itself too; without a default of its own the last word does not undo the first.
    verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the answer as JSON")
    return verb


def _create_tenant(client: GatewayClient, args: argparse.Namespace) -> Sequence[BaseModel]:
    return [client.create_tenant(TenantRequest(id=args.id, account=args.account, display_name=args.display_name))]


def _create_user(client: GatewayClient, args: argparse.Namespace) -> Sequence[BaseModel]:
    return [client.create_user(args.tenant, UserRequest(name=args.name, unix_user=args.unix_user))]


def _create_token(client: GatewayClient, args: argparse.Namespace) -> Sequence[BaseModel]:
    lasting = None if args.expires is None else _lasting(args.expires)
    request = TokenRequest(user=args.user, role=args.role, label=args.label, expires_in_s=lasting)
    return [client.create_token(args.tenant, request)]


def _revoke_token(client: GatewayClient, args: argparse.Namespace) -> Sequence[BaseModel]:
    client.revoke_token(args.id)
    return []


def _lasting(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,5})([mhdw])", text)
    if found is None:
        raise UsageError(
            f"--expires={text}: write a number and m, h, d or w, such as 90d", see="sgw admin token create"
        )
    return int(found[1]) * _SECONDS[found[2]]


def _tell_made(view: BaseModel, env: Environment) -> None:
    if isinstance(view, TokenView):
        # The remark goes to stderr, so that TOKEN=$(sgw admin token create …) holds the token alone.
        env.warn(f"token {view.id} for {view.user} of {view.tenant} ({view.role}); it is shown only now")
        env.say(view.token or "")
    elif isinstance(view, UserView):
        env.say(f"User {view.name} of {view.tenant} runs jobs as the Unix user {view.unix_user}.")
    elif isinstance(view, TenantView):
        env.say(f"Tenant {view.id} uses the Slurm account {view.account}.")


def _row(view: BaseModel, env: Environment) -> tuple[str, ...]:
    values = (getattr(view, name.lower().replace(" ", "_")) for name in _COLUMNS[type(view)])
    return tuple(
        "-" if value is None else stamp(value, env.zone) if isinstance(value, datetime) else printable(str(value))
        for value in values
    )


_COLUMNS: dict[type[BaseModel], tuple[str, ...]] = {
    TenantView: ("ID", "ACCOUNT", "DISPLAY NAME", "CREATED AT"),
    UserView: ("NAME", "TENANT", "UNIX USER", "CREATED AT"),
    TokenView: ("ID", "USER", "ROLE", "LABEL", "CREATED AT", "EXPIRES AT", "REVOKED AT"),
}
