"""Offer the dev cluster as `sgw dev …`."""

import argparse
from typing import Any

from gateway.devcluster import console


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Add the `dev` command."""
    parser = subparsers.add_parser("dev", help="a real Slurm cluster on this computer, to try things and to test")
    console.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; return the exit code."""
    return console.run(args)
