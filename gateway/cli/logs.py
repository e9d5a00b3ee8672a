"""Print what a job writes, unchanged to the byte, or follow it until the job ends."""

import argparse
import base64
import json
import math
import re
from typing import Literal

from gateway.cli.addresses import Address, parse_address
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.report import explain_problem
from gateway.cli.status import ExitStatus
from gateway.cli.waiting import exit_code_of
from gateway.client import GatewayClient, LogBytes, LogGap
from gateway.wire import LogEnd, Problem

HELP = """Print the output of a job (36) or of one task of its array (36_1).

The job's stdout goes to stdout, its stderr to stderr. With --follow the output is printed as it is written until the
job ends; a lost connection is taken up again where it broke, and no byte is lost or repeated. The exit code is 0, or
with --exit-code the job's."""

_TAIL = re.compile(r"\d{1,9}[smh]?")
_Side = Literal["stdout", "stderr"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("job", metavar="JOB[_TASK]", help="a job's id, or the address of an array's task")
    add("-f", "--follow", action="store_true", help="go on until the job ends")
    add("--stream", choices=("stdout", "stderr", "both"), default="both", help="default both")
    add("--tail", metavar="N|TIME", help="begin with the last lines (100), or with what the last 10s, 5m or 2h brought")
    add("--exit-code", action="store_true", help="wait for the job's end and answer with its exit code")


def run(args: argparse.Namespace, env: Environment) -> int:
    address = parse_address(args.job)
    if args.tail is not None and not _TAIL.fullmatch(args.tail):
        raise UsageError(f"--tail={args.tail}: write a number of lines (100) or a time (10s, 5m, 2h)", see="sgw logs")
    if args.json and (args.follow or args.exit_code):
        raise UsageError("--json prints one document and so cannot follow: leave out --follow and --exit-code")
    client = connect(env)
    if args.follow or args.exit_code:
        end = _follow(client, address, args, env)
        return exit_code_of(end.state, end.exit_code) if args.exit_code else ExitStatus.OK
    sides: tuple[_Side, ...] = ("stdout", "stderr") if args.stream == "both" else (args.stream,)
    found = {side: client.logs(address.job, stream=side, task=address.task, tail=args.tail) for side in sides}
    if args.json:
        env.say(json.dumps({side: _as_json(data) for side, data in found.items()}, indent=2, ensure_ascii=False))
        return ExitStatus.OK
    for side, data in found.items():
        _print(side, data, env)
    return ExitStatus.OK


def _follow(client: GatewayClient, address: Address, args: argparse.Namespace, env: Environment) -> LogEnd:
    items = client.follow_logs(address.job, stream=args.stream, task=address.task, tail=args.tail, patience_s=math.inf)
    for item in items:
        if isinstance(item, LogBytes):
            _print(item.stream, item.data, env)
        elif isinstance(item, Problem):
            explain_problem(item, env)
        elif isinstance(item, LogGap):
            env.warn(f"{item.stream}: bytes {item.start} to {item.stop} were skipped ({item.reason})")
        else:
            return item
    raise AssertionError("follow_logs ends with a LogEnd or raises")


def _print(side: _Side, data: bytes, env: Environment) -> None:
    if side == "stdout":
        env.emit(data)
    else:
        env.emit_aside(data)


def _as_json(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
