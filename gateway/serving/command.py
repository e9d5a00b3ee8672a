"""Offer `sgw serve`: run the gateway, migrate its database, make the first operator."""

import argparse
import os
from pathlib import Path
from typing import Final

from gateway import app, wiring, worker
from gateway.cli.environment import Environment
from gateway.cli.status import ExitStatus
from gateway.db import schema
from gateway.logging import configure
from gateway.serving.bootstrap import first_operator
from gateway.serving.supervise import run_all
from gateway.settings import CONFIG_VARIABLE, Settings, load

HELP: Final = "Run the gateway on this machine. Settings come from --config (TOML) and SGW_… variables."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, help=f"settings file; {CONFIG_VARIABLE} names it as well")
    what = parser.add_subparsers(dest="what", metavar="WHAT")
    what.add_parser("all", help="Redis (where none is shared), API and one controller; the default")
    what.add_parser("api", help="the API alone")
    what.add_parser("controller", help="one controller alone; any number may run")
    what.add_parser("migrate", help="bring the database to this version's schema")
    operator = what.add_parser("operator", help="make an operator's token, directly in the database")
    operator.add_argument("name", help="the operator's name in the gateway")
    operator.add_argument("--unix-user", required=True, help="the Unix user this operator's own jobs run as")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do what `args.what` says."""
    if args.config is not None:
        os.environ[CONFIG_VARIABLE] = str(args.config)
    settings = load()
    match args.what or "all":
        case "all":
            configure("supervisor")
            _migrate(settings)
            run_all(settings, environment=os.environ)
        case "api":
            configure("api")
            app.run(settings)
        case "controller":
            configure("controller")
            worker.run(settings)
        case "migrate":
            _migrate(settings)
        case "operator":
            database = wiring.database(settings)
            env.say(first_operator(database, name=args.name, unix_user=args.unix_user))
            database.dispose()
    return ExitStatus.OK


def _migrate(settings: Settings) -> None:
    database = wiring.database(settings)
    schema.migrate(database)
    database.dispose()
