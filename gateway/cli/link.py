"""Make links that let scripts written for Slurm run unchanged: `sbatch` and its kin, pointing to sgw."""

import argparse
import shutil
import sys
from pathlib import Path

from gateway.cli.environment import Environment
from gateway.cli.errors import CommandError
from gateway.cli.status import ExitStatus

HELP = """Make links named sbatch, squeue, sacct, scancel and sinfo in a directory.

Put the directory first in PATH, and scripts that call Slurm's commands talk to the gateway instead."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="where the links go; it is made if need be")


def run(args: argparse.Namespace, env: Environment) -> int:
    from gateway.cli.main import COMMANDS  # main imports every command lazily; this is the way back

    target = _own_path()
    directory = env.cwd / args.directory
    directory.mkdir(parents=True, exist_ok=True)
    names = [name for name, command in COMMANDS.items() if command.slurm]
    for name in names:
        link = directory / name
        if link.is_symlink() and link.readlink() == target:
            continue
        if link.exists() or link.is_symlink():
            raise CommandError(f"{link} exists and is not a link of ours: choose another directory, or remove it")
        link.symlink_to(target)
    env.say(f"Linked {', '.join(names)} in {directory}. Use them with: export PATH={directory}:$PATH")
    return ExitStatus.OK


def _own_path() -> Path:
    """Find the `sgw` that runs now: the one beside our Python when it was started by another name."""
    beside = Path(sys.executable).with_name("sgw")
    found = beside if beside.exists() else shutil.which("sgw")
    if found is None:
        raise CommandError("the program `sgw` is not in PATH: install the distribution slurm-gateway first")
    return Path(found)
