"""Say who the current token makes one."""

import argparse

from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.status import ExitStatus
from gateway.cli.times import stamp

HELP = "Say which user of which tenant the current token stands for, and where."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace, env: Environment) -> int:
    client = connect(env)
    me = client.whoami()
    if args.json:
        env.say(me.model_dump_json(indent=2))
    else:
        until = f", until {stamp(me.expires_at, env.zone)}" if me.expires_at else ""
        env.say(f"{me.user} of {me.tenant} ({me.role}) at {client.url}, token {me.token_id}{until}")
    return ExitStatus.OK
