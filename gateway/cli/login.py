"""Sign in: check a token against a gateway, then remember both."""

import argparse
from urllib.parse import urlsplit

from gateway.cli.credentials import Credentials, connect, store, stored
from gateway.cli.environment import Environment
from gateway.cli.errors import CommandError, UsageError
from gateway.cli.status import ExitStatus

HELP = """Sign in to a gateway with a token that its operator gave you.

The token is asked for without an echo, or read from standard input with --token-stdin. It is stored for you alone in
~/.config/sgw/credentials.json. SGW_URL and SGW_TOKEN beat what is stored."""

_LOOPBACK = ("localhost", "127.", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", metavar="URL", help="the gateway's address, such as https://sgw.example.org")
    parser.add_argument("--token-stdin", action="store_true", help="read the token from standard input")
    parser.add_argument(
        "--shared-fs", action="store_true", help="this machine sees the cluster's files: jobs start where you are"
    )


def run(args: argparse.Namespace, env: Environment) -> int:
    url = args.url or env.variables.get("SGW_URL") or _known_url(env)
    if not url:
        raise UsageError("which gateway? write its address: sgw login https://…", see="sgw login")
    token = _token(args, env)
    credentials = Credentials(url=url.rstrip("/"), token=token, shared_fs=args.shared_fs)
    me = connect(env, credentials).whoami()
    path = store(env.config_dir, credentials)
    if args.json:
        env.say(me.model_dump_json(indent=2))
    else:
        env.say(f"Signed in to {credentials.url} as {me.user} of {me.tenant} ({me.role}).")
    _warn(env, credentials.url, str(path))
    return ExitStatus.OK


def _known_url(env: Environment) -> str:
    known = stored(env.config_dir)
    return known.url if known else ""


def _token(args: argparse.Namespace, env: Environment) -> str:
    if args.token_stdin:
        token = env.stdin.readline(10_000).decode(errors="replace").strip()
    elif env.stdin_is_terminal:
        token = env.ask_secret("Token: ").strip()
    else:
        raise UsageError("there is no terminal to ask for the token: use --token-stdin", see="sgw login")
    if not token:
        raise CommandError("the token is empty: nothing was stored", ExitStatus.INVALID)
    if not (token.isascii() and token.isprintable()):
        raise CommandError("the token has characters that no token has: nothing was stored", ExitStatus.INVALID)
    return token


def _warn(env: Environment, url: str, path: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not (parts.hostname or "").startswith(_LOOPBACK):
        env.warn(f"warning: {url} is not encrypted, others on the network can read the token")
    if env.variables.get("SGW_TOKEN") or env.variables.get("SGW_URL"):
        env.warn(f"warning: SGW_URL or SGW_TOKEN is set in this shell and beats {path}")
