"""Explain a command, or what is common to all of them."""

import argparse

from gateway.cli.environment import Environment
from gateway.cli.status import ExitStatus

HELP = "Explain a command; `sgw help exit-codes` lists the exit codes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", metavar="COMMAND", help="a command of sgw, or exit-codes")


def run(args: argparse.Namespace, env: Environment) -> int:
    from gateway.cli.main import overview, program  # main imports every command lazily; this is the way back

    if args.topic is None:
        env.say(overview())
        return ExitStatus.OK
    if args.topic == "exit-codes":
        env.say(exit_codes())
        return ExitStatus.OK
    return program(["sgw", args.topic, "--help"], env)


def exit_codes() -> str:
    """List the exit codes."""
    own = "`sgw sbatch --wait` and `sgw logs --exit-code` end with the job's own exit code."
    return "\n".join([*(f"{status.value:>4}  {status.meaning}" for status in ExitStatus), "", own])
