"""List jobs of the past and the present the way Slurm's sacct does."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.cli.addresses import parse_addresses
from gateway.cli.columns import record_cell, record_header
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.listing import Choice, find_jobs, names_of
from gateway.cli.record_fields import FIELDS, RecordField, field_named
from gateway.cli.rows import Row, rows_of
from gateway.cli.states import words_of
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import coloured, printable
from gateway.cli.times import parse_moment
from gateway.client import GatewayClient
from gateway.wire import JobPage, JobView

HELP = """List your jobs, ended or not, as sacct does.

Without -j the jobs are those that were in any state since midnight, or between --starttime and --endtime. A job is one
line, an array one line for each task; the gateway keeps no record of the steps (.batch, .0) inside a job."""

DEFAULT: Final = "JobID,JobName,Partition,Account,AllocCPUS,State,ExitCode"
BRIEF: Final = "JobID,State,ExitCode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-j", "--jobs", action="append", metavar="IDS", help="these jobs or array tasks, whenever they ran")
    add("-S", "--starttime", metavar="TIME", help="jobs that had not ended before; default midnight")
    add("-E", "--endtime", metavar="TIME", help="jobs that were submitted before; default now")
    add("-u", "--user", "--uid", action="append", metavar="NAMES", help="jobs of these users; default your own")
    add("-a", "--allusers", action="store_true", help="jobs of all users of your tenant")
    add("-s", "--state", action="append", metavar="STATES", help="only these states: CD,F,TIMEOUT")
    add("-A", "--accounts", action="append", metavar="NAMES", help="only these Slurm accounts")
    add("-r", "--partition", action="append", metavar="NAMES", help="only these pools")
    add("--name", action="append", metavar="NAMES", help="only jobs with these names")
    add("-o", "--format", "--fields", action="append", metavar="FIELDS", help="fields, such as JobID%%20,State,Elapsed")
    add("-b", "--brief", action="store_true", help=f"the fields {BRIEF}")
    add("-n", "--noheader", action="store_true", help="print no header lines")
    add("-p", "--parsable", action="store_true", help="separate by | and end each line with one")
    add("-P", "--parsable2", action="store_true", help="separate by |")
    add("--delimiter", metavar="TEXT", help="separate by this with -p or -P")
    add("-e", "--helpformat", action="store_true", help="list the fields")
    add("-X", "--allocations", action="store_true", help="accepted and without effect: there are no steps to leave out")
    for ignored in (("-D", "--duplicates"), ("-T", "--truncate"), ("--noconvert",), ("-v", "--verbose")):
        add(*ignored, action="store_true", help=argparse.SUPPRESS)
    add("--units", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, env: Environment) -> int:
    if args.helpformat:
        env.say("\n".join(field.name for field in FIELDS))
        return ExitStatus.OK
    fields = _fields(args, env)
    try:
        wanted = words_of(",".join(args.state)) if args.state else set()
        start, end = _window(args, env)
    except ValueError as error:
        raise UsageError(str(error), see="sgw sacct") from error
    # `36.batch` asks for a step; its job is what there is.
    asked = {str(a) for a in parse_addresses(text.partition(".")[0] for text in names_of(args.jobs))}
    client = connect(env)
    jobs = list(_jobs(client, args, {a.partition("_")[0] for a in asked}, start, end))
    rows = [
        row
        for job in sorted(jobs, key=lambda job: int(job.id))
        for row in rows_of(client, job, env.now(), expand=any(a.startswith(f"{job.id}_") for a in asked))
        if (not wanted or row.word in wanted) and (not asked or asked & {row.address, job.id})
    ]
    if args.json:
        env.say(JobPage(items=tuple({row.job.id: row.job for row in rows}.values())).model_dump_json(indent=2))
    else:
        for line in _lines(rows, fields, args, env):
            env.say(line)
    return ExitStatus.OK


def _fields(args: argparse.Namespace, env: Environment) -> list[RecordField]:
    given = ",".join(args.format or ()) or (BRIEF if args.brief else env.variables.get("SACCT_FORMAT") or DEFAULT)
    if given.lower() == "all":
        return list(FIELDS)
    fields = []
    for text in filter(None, given.split(",")):
        name, _, width = text.strip().partition("%")
        field = field_named(name)
        if field is None:
            raise UsageError(f"{name!r} is not a field of sacct: `sgw sacct --helpformat` lists them")
        if width and not width.lstrip("-").isdecimal():
            raise UsageError(f"{text!r}: after % comes a width, such as {name}%20")
        fields.append(replace(field, width=int(width)) if width and int(width) else field)
    return fields


def _window(args: argparse.Namespace, env: Environment) -> tuple[datetime | None, datetime | None]:
    if args.jobs and not args.starttime and not args.endtime:
        return None, None
    start = parse_moment(args.starttime or "midnight", env.now(), env.zone)
    end = parse_moment(args.endtime, env.now(), env.zone) if args.endtime else None
    if end is not None and end < start:
        raise ValueError("--endtime is before --starttime")
    return start, end


def _jobs(
    client: GatewayClient, args: argparse.Namespace, ids: set[str], start: datetime | None, end: datetime | None
) -> Iterable[JobView]:
    choice = Choice(
        users=names_of(args.user),
        names=names_of(args.name),
        pools=names_of(args.partition),
        accounts=names_of(args.accounts),
    )
    owner = None if choice.users or args.allusers or ids else client.whoami().user
    if start is None:
        return find_jobs(client, choice, ids=ids, owner=owner)
    # The live ones first: a job that ends between the two questions is in both answers, not in none.
    live = find_jobs(client, choice, ids=ids, owner=owner, active=True, submitted_before=end)
    found = {job.id: job for job in live}
    ended = find_jobs(client, choice, ids=ids, owner=owner, ended_after=start, submitted_before=end)
    return (found | {job.id: job for job in ended}).values()


def _lines(
    rows: Iterable[Row], fields: Sequence[RecordField], args: argparse.Namespace, env: Environment
) -> Iterator[str]:
    if not (args.parsable or args.parsable2):
        if not args.noheader:
            yield from record_header([(field.name, field.width) for field in fields])
        for row in rows:
            yield "".join(_cell(row, field, env) for field in fields)
        return
    separator = args.delimiter or "|"
    last = "" if args.parsable2 else separator
    if not args.noheader:
        yield separator.join(field.name for field in fields) + last
    for row in rows:
        yield separator.join(printable(field.value(row, env)) for field in fields) + last


def _cell(row: Row, field: RecordField, env: Environment) -> str:
    cell = record_cell(printable(field.value(row, env)), field.width)
    return coloured(cell, row.word, on=env.coloured) if field.name == "State" else cell
