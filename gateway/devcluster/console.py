"""Read the dev cluster's command line and do what it says."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DEFAULT_ROOT

_ONE_NODE = {
    "kill-node": "cut a machine's power: everything on it dies at once",
    "cut-node": "pull a machine's network cable",
    "heal-node": "bring a machine back into service, whatever was done to it",
}
_ONE_DAEMON = {"stop": "end one daemon", "start": "start one daemon"}
_POWER = ("resume", "suspend")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options and sub-commands of `sgw dev` to a parser."""
    root = Path(os.environ.get("SGW_DEV_ROOT") or DEFAULT_ROOT)
    parser.add_argument("--root", type=Path, default=root, help="state directory (SGW_DEV_ROOT; default %(default)s)")
    commands = parser.add_subparsers(dest="dev_command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start whatever is not running; again and again is fine")
    up.add_argument("--name", help="cluster name and prefix of network devices (default sgwdev)")
    up.add_argument("--subnet", help="first three numbers of a private /24 (default 10.77.0)")
    up.add_argument("--base-port", type=int, help="first of the TCP ports, below 32768 (default 27100)")
    up.add_argument("--user-prefix", help="prefix of the Unix users (default sgwdemo-)")
    up.add_argument("--min-job-age", type=int, help="seconds Slurm remembers an ended job (default 300)")
    up.add_argument("--no-accounting", dest="accounting", action="store_false", default=None, help="without slurmdbd")
    commands.add_parser("down", help="remove everything `up` made, and nothing else")
    status = commands.add_parser("status", help="show daemons and machines; exit code 0 when all is up")
    status.add_argument("--json", action="store_true", help="for programs")
    env = commands.add_parser("env", help="print export lines for a shell")
    env.add_argument("--tenant", default="acme", help="whose token (default %(default)s)")
    for name, text in _ONE_NODE.items():
        commands.add_parser(name, help=text).add_argument("node", help="c1 … c4, b1, b2, login")
    for name, text in _ONE_DAEMON.items():
        commands.add_parser(name, help=text).add_argument("daemon", help="slurmctld, slurmdbd, mariadbd, slurmd-c1 …")
    for name in _POWER:  # Slurm's own way in, so without a help text
        commands.add_parser(name).add_argument("hostlist")


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; return the exit code."""
    try:
        return _run(DevCluster.at(args.root), args)
    except DevClusterError as error:
        print(f"sgw dev: {error}", file=sys.stderr)
        return 1


def _run(cluster: DevCluster, args: argparse.Namespace) -> int:
    command: str = args.dev_command
    if command == "up":
        chosen = ("name", "subnet", "base_port", "user_prefix", "min_job_age", "accounting")
        changes = {name: getattr(args, name) for name in chosen if getattr(args, name) is not None}
        DevCluster(replace(cluster.settings, **changes)).up()
    elif command == "status":
        status = cluster.status()
        print(status.to_json() if args.json else status.table())
        return 0 if status.up else 1
    elif command == "env":
        for name, value in cluster.env(args.tenant).items():
            print(f"export {name}={shlex.quote(value)}")
    elif command == "down":
        cluster.down()
    else:
        _change_part(cluster, command, args)
    return 0


def _change_part(cluster: DevCluster, command: str, args: argparse.Namespace) -> None:
    if command == "kill-node":
        print(f"{args.node}: {cluster.kill_node(args.node)} processes died")
    elif command in _ONE_NODE:
        {"cut-node": cluster.cut_node, "heal-node": cluster.heal_node}[command](args.node)
    elif command in _ONE_DAEMON:
        {"stop": cluster.stop, "start": cluster.start}[command](args.daemon)
    else:
        {"resume": cluster.resume, "suspend": cluster.suspend}[command](args.hostlist)
