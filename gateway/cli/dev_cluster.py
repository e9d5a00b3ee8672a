"""Offer the Slurm cluster on this machine as `sgw dev`."""

import argparse

from gateway.cli.environment import Environment
from gateway.devcluster import console

HELP = "Run a real Slurm cluster of four nodes on this machine, to try things and to test."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    console.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    del env  # the dev cluster changes this machine itself, there is nothing to stand in for it
    return console.run(args)
