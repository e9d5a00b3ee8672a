"""List waiting and running jobs the way Slurm's squeue does."""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.cli.addresses import Address, parse_addresses
from gateway.cli.columns import Column, parse_format, queue_cell
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.listing import Choice, find_jobs, names_of
from gateway.cli.queue_fields import FIELDS
from gateway.cli.rows import Row, rows_of
from gateway.cli.states import ACTIVE, COMPACT, words_of
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import coloured, printable
from gateway.client import GatewayClient
from gateway.wire import JobPage, JobView

HELP = """List the jobs that wait or run, as squeue does.

The jobs are those of your tenant. A user is named as in the gateway or as on the cluster. An id is the gateway's own;
every command of sgw takes it."""

DEFAULT: Final = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
LONG: Final = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-u", "--user", "--users", action="append", metavar="NAMES", help="only jobs of these users")
    add("--me", action="store_true", help="only your own jobs")
    add("-j", "--jobs", action="append", metavar="IDS", help="only these jobs or array tasks: 36,40_1")
    add("-t", "--states", action="append", metavar="STATES", help="only these states: PD,R,FAILED; or all")
    add("-n", "--name", action="append", metavar="NAMES", help="only jobs with these names")
    add("-p", "--partition", "--partitions", action="append", metavar="NAMES", help="only these pools")
    add("-A", "--account", "--accounts", action="append", metavar="NAMES", help="only these Slurm accounts")
    add("-h", "--noheader", action="store_true", help="print no header line")
    add("-o", "--format", metavar="FORMAT", help="fields as in squeue(1), such as '%%.18i %%t %%j'")
    add("-l", "--long", action="store_true", help="print more columns")
    add("-S", "--sort", metavar="FIELDS", help="sort by letters of the format, + or - before each; default P,t")
    add("-r", "--array", action="store_true", help="print each waiting task of an array on its own line")
    add("-a", "--all", action="store_true", help="accepted and without effect: nothing is hidden")
    add("--array-unique", action="store_true", help=argparse.SUPPRESS)
    add("-v", "--verbose", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, env: Environment) -> int:
    try:
        wanted = words_of(",".join(args.states)) if args.states else set(ACTIVE)
    except ValueError as error:
        raise UsageError(f"--states: {error}", see="sgw squeue") from error
    prefix, columns = _columns(args, env)
    order = _letters(args.sort or env.variables.get("SQUEUE_SORT") or "P,t")
    addresses = parse_addresses(args.jobs or ())
    client = connect(env)
    jobs = _jobs(client, args, addresses, active=wanted <= ACTIVE)
    rows = _sorted(_rows(client, jobs, args, env, wanted, addresses), order, env)
    if args.json:
        env.say(JobPage(items=tuple({row.job.id: row.job for row in rows}.values())).model_dump_json(indent=2))
    elif jobs or not addresses:
        _print(rows, prefix, columns, args, env)
    missing = sorted({address.job for address in addresses} - {job.id for job in jobs}, key=int)
    for job_id in missing:
        env.warn(f"error: there is no job {job_id}, or it is not yours to see")
    return ExitStatus.NOT_FOUND if missing else ExitStatus.OK


def _print(
    rows: Iterable[Row], prefix: str, columns: Sequence[Column], args: argparse.Namespace, env: Environment
) -> None:
    if args.long and not args.format and not args.noheader:
        env.say(env.now().astimezone(env.zone).strftime("%a %b %d %H:%M:%S %Y"))
    if not args.noheader:
        env.say(prefix + "".join(_header(column) for column in columns))
    for row in rows:
        env.say(prefix + "".join(_cell(row, column, env) for column in columns))


def _columns(args: argparse.Namespace, env: Environment) -> tuple[str, tuple[Column, ...]]:
    given: str = args.format or (LONG if args.long else env.variables.get("SQUEUE_FORMAT") or DEFAULT)
    if given.lower() == "%all":
        given = "|".join(f"%{letter}" for letter in FIELDS)
    try:
        prefix, columns = parse_format(given)
    except ValueError as error:
        raise UsageError(f"--format: {error}", see="sgw squeue") from error
    for column in columns:
        if column.letter not in FIELDS:
            raise UsageError(f"--format: %{column.letter} is not a field of squeue", see="sgw squeue")
    return prefix, columns


def _letters(order: str) -> list[tuple[str, str]]:
    if not re.fullmatch(r"[+-]?[A-Za-z](,?[+-]?[A-Za-z])*", order):
        raise UsageError(f"--sort: {order!r} is not a list of fields such as P,t,-M", see="sgw squeue")
    letters = re.findall(r"([+-]?)([A-Za-z])", order)
    for _, letter in letters:
        if letter not in FIELDS:
            raise UsageError(f"--sort: {letter!r} is not a field of squeue", see="sgw squeue")
    return letters


def _jobs(
    client: GatewayClient, args: argparse.Namespace, addresses: Sequence[Address], *, active: bool
) -> list[JobView]:
    owner = client.whoami().user if args.me else None
    choice = Choice(
        users=names_of(args.user),
        names=names_of(args.name),
        pools=names_of(args.partition),
        accounts=names_of(args.account),
    )
    # With ids, ended jobs are read too: only so can an id that never was be told from a job that is over.
    return list(find_jobs(client, choice, owner=owner, ids={a.job for a in addresses}, active=active and not addresses))


def _rows(
    client: GatewayClient,
    jobs: Iterable[JobView],
    args: argparse.Namespace,
    env: Environment,
    wanted: set[str],
    addresses: Sequence[Address],
) -> Iterator[Row]:
    asked = {str(address) for address in addresses}
    expand = {address.job for address in addresses if address.task is not None}
    for job in jobs:
        if job.ended_at is not None and job.array is not None and wanted <= ACTIVE:
            continue  # none of its tasks can be wanted, and they may be ten thousand
        for row in rows_of(client, job, env.now(), expand=args.array or job.id in expand):
            if row.word in wanted and (not asked or asked & {row.address, row.job.id}):
                yield row


def _sorted(rows: Iterable[Row], letters: Sequence[tuple[str, str]], env: Environment) -> list[Row]:
    """Sort as squeue does: the first letter counts most; among equals the older job comes first."""
    found = sorted(rows, key=lambda row: (int(row.job.id), _number(row.task)))
    for sign, letter in reversed(letters):
        keys = {id(row): _order(row, letter, env) for row in found}
        found.sort(key=lambda row, keys=keys: keys[id(row)], reverse=sign == "-")  # type: ignore[misc]
    return found


def _order(row: Row, letter: str, env: Environment) -> tuple[int, float, str]:
    if letter in "tT":
        return (0, list(COMPACT).index(row.word), "")
    if letter in "iAF":
        return (0, int(row.job.id), "")
    if letter == "M":
        return (0, row.elapsed_s, "")
    text = FIELDS[letter].value(row, env)
    return (0, float(text), "") if text.isdecimal() else (1, 0, text)


def _number(task: str | None) -> int:
    found = re.match(r"\d+", task or "")
    return int(found[0]) if found else -1


def _header(column: Column) -> str:
    # Slurm cuts every header but those of the node lists: TIME_LIMIT becomes TIME_LIMI above values of nine.
    return queue_cell(FIELDS[column.letter].header, column, cut=column.letter not in "NR") + column.suffix


def _cell(row: Row, column: Column, env: Environment) -> str:
    field = FIELDS[column.letter]
    cell = queue_cell(printable(field.value(row, env)), column, cut=field.cut)
    if column.letter in "tT":
        cell = coloured(cell, row.word, on=env.coloured)
    return cell + column.suffix
