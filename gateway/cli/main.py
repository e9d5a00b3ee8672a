"""Find the command that is meant, and run it.

A command is a module with `HELP` (text), `add_arguments(parser)` and `run(args, env) -> int`. It is imported only when
it is called, so that each stays fast to start. One that parses its own command line says `OWN_PARSER = True` instead of
having `add_arguments`, and finds the words in `args.words`.
"""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Final, NoReturn, Protocol

from gateway.cli.environment import Environment, real_environment
from gateway.cli.errors import CommandError, UsageError
from gateway.cli.status import ExitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row of the table of commands."""

    module: str
    summary: str
    slurm: bool = False
    """Whether the name is also Slurm's, so that a link of that name can stand in for Slurm's own command."""


COMMANDS: Final[dict[str, Command]] = {
    "login": Command(module="gateway.cli.login", summary="sign in to a gateway"),
    "logout": Command(module="gateway.cli.logout", summary="forget the stored token"),
    "whoami": Command(module="gateway.cli.whoami", summary="say who the token makes you"),
    "sbatch": Command(module="gateway.cli.sbatch", summary="submit a batch script", slurm=True),
    "squeue": Command(module="gateway.cli.squeue", summary="list waiting and running jobs", slurm=True),
    "sacct": Command(module="gateway.cli.sacct", summary="list jobs of the past", slurm=True),
    "scancel": Command(module="gateway.cli.scancel", summary="cancel or signal jobs and array tasks", slurm=True),
    "sinfo": Command(module="gateway.cli.sinfo", summary="show the pools of nodes", slurm=True),
    "show": Command(module="gateway.cli.show", summary="show one job in detail, with its story"),
    "logs": Command(module="gateway.cli.logs", summary="print or follow a job's output"),
    "admin": Command(module="gateway.cli.admin", summary="manage tenants, users and tokens"),
    "link": Command(module="gateway.cli.link", summary="make links named sbatch, squeue, … to sgw"),
    "serve": Command(module="gateway.serving.command", summary="run the gateway itself, or prepare its database"),
    "help": Command(module="gateway.cli.topics", summary="explain a command, or `exit-codes`"),
    "dev": Command(module="gateway.cli.dev_cluster", summary="run a Slurm cluster on this machine, for trying things"),
}


class _Module(Protocol):
    HELP: str

    def run(self, args: argparse.Namespace, env: Environment) -> int: ...


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of leaving the process, and prints to the environment."""

    env: Environment

    def joined(self, words: Sequence[str]) -> list[str]:
        """Join an option and its value where the value begins with a dash, as getopt does: `squeue -S -i`."""
        joined: list[str] = []
        for word in words:
            last = joined[-1] if joined else ""
            action = self._option_string_actions.get(last)
            if action is not None and action.nargs is None and word.startswith("-"):
                joined[-1] = f"{last}={word}" if last.startswith("--") else f"{last}{word}"
            else:
                joined.append(word)
        return joined

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, see=self.prog)

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        self.env.stdout.write(message)


def raw_main() -> NoReturn:
    """Be the console script."""
    try:
        env = real_environment()
        status = main(sys.argv, env)
        env.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it flushes at exit: give it something to flush into.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = ExitStatus.BROKEN_PIPE
    sys.exit(status)


def main(argv: Sequence[str], env: Environment) -> int:
    """Run a command line and explain what goes wrong; BrokenPipeError alone is the caller's."""
    debug = "--debug" in argv or bool(env.variables.get("SGW_DEBUG"))
    try:
        return program(argv, env)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except Exception as error:  # noqa: BLE001 (nothing but a traceback is left above this)
        from gateway.cli.report import explain  # loads the HTTP library, which `sgw --help` does without

        return explain(error, env, debug=debug)


def program(argv: Sequence[str], env: Environment) -> int:
    """Run a command line; every error is raised."""
    name = PurePath(argv[0]).name
    words = list(argv[1:])
    if name in COMMANDS and COMMANDS[name].slurm:
        words.insert(0, name)
    chosen = argparse.Namespace(json=False, debug=False)
    while words and words[0] in {"--json", "--debug"}:
        setattr(chosen, words.pop(0).removeprefix("--"), True)
    if not words or words[0] in {"-h", "--help"}:
        env.say(overview())
        return ExitStatus.OK if words else ExitStatus.USAGE
    asked = words[1] if words[0] in COMMANDS and COMMANDS[words[0]].slurm and len(words) > 1 else words[0]
    if asked in {"-V", "--version"}:  # every command of Slurm's has them
        env.say(f"sgw {_version()}")
        return ExitStatus.OK
    return _run(words[0], words[1:], chosen, env)


def overview() -> str:
    """List the commands."""
    rows = (f"  {name:<10}{command.summary}" for name, command in COMMANDS.items())
    return "\n".join(
        [
            "usage: sgw [--json] [--debug] COMMAND …",
            "",
            "Slurm for many tenants: submit, watch and cancel jobs through the gateway.",
            "",
            *rows,
            "",
            "`sgw COMMAND --help` explains one; `sgw help exit-codes` lists the exit codes.",
        ]
    )


def _version() -> str:
    try:
        return version("slurm-gateway")
    except PackageNotFoundError:
        return "from a checkout that is not installed"


def _run(name: str, words: list[str], chosen: argparse.Namespace, env: Environment) -> int:
    module = _load(name)
    if getattr(module, "OWN_PARSER", False):
        while words and words[0] in {"--json", "--debug"}:
            setattr(chosen, words.pop(0).removeprefix("--"), True)
        chosen.words = words
        return module.run(chosen, env)
    try:
        parser = _parser_of(name, module, env)
        args = parser.parse_args(parser.joined(words), chosen)
    except SystemExit:  # argparse's way to say that --help has been printed
        return ExitStatus.OK
    return module.run(args, env)


def _load(name: str) -> _Module:
    """Import a command's module; raises UsageError with a suggestion for a name that is none."""
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise UsageError(f"there is no command {name!r}" + (f", did you mean {near[0]!r}?" if near else ""), see="sgw")
    try:
        module: _Module = importlib.import_module(COMMANDS[name].module)
    except ModuleNotFoundError as error:
        raise CommandError(f"`sgw {name}` is not part of this installation ({error})") from error
    return module


def _parser_of(name: str, module: _Module, env: Environment) -> Parser:
    """Build the parser of a command that leaves its command line to argparse."""
    # A class of its own carries the environment into the parsers of sub-commands, which argparse builds itself.
    bound: type[Parser] = type("Parser", (Parser,), {"env": env})
    parser = bound(
        prog=f"sgw {name}",
        description=module.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        conflict_handler="resolve",  # in Slurm's commands `-h` is --noheader
    )
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON document")
    parser.add_argument("--debug", action="store_true", help="print tracebacks")
    module.add_arguments(parser)  # type: ignore[attr-defined]
    return parser


if __name__ == "__main__":
    raw_main()
