"""Sign out: forget the stored token."""

import argparse

from gateway.cli.credentials import FILE
from gateway.cli.environment import Environment
from gateway.cli.status import ExitStatus

HELP = """Forget the stored gateway and token.

The token itself stays valid: `sgw admin token revoke ID` ends it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace, env: Environment) -> int:
    del args
    path = env.config_dir / FILE
    env.say(f"Removed {path}." if path.exists() else "Nobody was signed in.")
    path.unlink(missing_ok=True)
    return ExitStatus.OK
