"""Cancel or signal jobs and array tasks the way Slurm's scancel does."""

import argparse
from collections.abc import Iterator
from typing import Literal

from gateway.cli.addresses import parse_addresses
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.listing import Choice, find_jobs, names_of
from gateway.cli.report import explain_problem, status_of
from gateway.cli.states import ACTIVE, job_word, words_of
from gateway.cli.status import ExitStatus
from gateway.client import ApiProblem, GatewayClient
from gateway.directives.diagnostics import BadValue
from gateway.directives.values.signals import signal_name
from gateway.states import FINAL
from gateway.wire import JobPage, JobView, SignalRequest

HELP = """Cancel jobs, or tasks of job arrays: 36, 36_1, 36_[2-9].

Options choose among the jobs that wait or run; with ids they narrow these. A job that has ended is left as it is, and
that is no error."""

_PATIENCE_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help="job or task, also as a comma list")
    add("-u", "--user", action="append", metavar="NAMES", help="jobs of these users")
    add("--me", action="store_true", help="your own jobs")
    add("-n", "--name", "--jobname", action="append", metavar="NAMES", help="jobs with these names")
    add("-t", "--state", action="append", metavar="STATES", help="jobs in these states: PENDING or RUNNING")
    add("-p", "--partition", action="append", metavar="NAMES", help="jobs in these pools")
    add("-A", "--account", action="append", metavar="NAMES", help="jobs of these Slurm accounts")
    add("-s", "--signal", metavar="NAME", help="send this signal to what runs, and cancel nothing; KILL cancels")
    add("-b", "--batch", action="store_true", help="signal the batch script alone")
    add("-f", "--full", action="store_true", help="signal the batch script and the steps; default the steps alone")
    add("-v", "--verbose", action="store_true", help="say what is done")
    add("-Q", "--quiet", action="store_true", help="do not complain about ids that are not there")


def run(args: argparse.Namespace, env: Environment) -> int:
    signal = _signal(args)
    narrowed = args.user or args.me or args.name or args.state or args.partition or args.account
    if not args.ids and not narrowed:
        raise UsageError(
            "no job is named: write an id, or choose with --me, --user, --name, --state", see="sgw scancel"
        )
    client = connect(env)
    chosen = list(_chosen(client, args)) if narrowed else [str(a) for a in parse_addresses(args.ids)]
    reached: list[JobView] = []
    worst = ExitStatus.OK
    for address in chosen:
        try:
            # A signal is not sent again by itself: twice is not the same as once.
            job = client.signal(address, signal) if signal else client.cancel(address, patience_s=_PATIENCE_S)
        except ApiProblem as error:
            status = status_of(error.problem)
            if not (args.quiet and status is ExitStatus.NOT_FOUND):
                explain_problem(error.problem, env, about=f"job {address}")
                worst = max(worst, status)
        else:
            reached.append(job)
            if args.verbose and signal:
                env.warn(f"{address}: was sent {signal.signal}")
            elif args.verbose:
                env.warn(f"{address}: " + ("had ended before" if job.phase in FINAL else "is being cancelled"))
    if args.json:
        env.say(JobPage(items=tuple(reached)).model_dump_json(indent=2))
    return worst


def _signal(args: argparse.Namespace) -> SignalRequest | None:
    """Return the signal that is asked for; None to cancel, which is also what Slurm makes of KILL to a whole job."""
    if not args.signal:
        return None
    if args.batch and args.full:
        raise UsageError("--batch and --full exclude each other", see="sgw scancel")
    try:
        name = signal_name(args.signal)
    except BadValue as error:
        raise UsageError(f"--signal: {error}", see="sgw scancel") from error
    target: Literal["batch", "full"] | None = "batch" if args.batch else "full" if args.full else None
    return None if name == "KILL" and target is None else SignalRequest(signal=name, target=target)


def _chosen(client: GatewayClient, args: argparse.Namespace) -> Iterator[str]:
    """Choose among the active jobs; a list that changes while it is read cannot make this cancel a wrong one."""
    try:
        # What waits cannot be signalled.
        wanted = words_of(",".join(args.state)) if args.state else {"RUNNING"} if args.signal else ACTIVE
    except ValueError as error:
        raise UsageError(f"--state: {error}", see="sgw scancel") from error
    owner = client.whoami().user if args.me else None
    choice = Choice(
        users=names_of(args.user),
        names=names_of(args.name),
        pools=names_of(args.partition),
        accounts=names_of(args.account),
    )
    asked = parse_addresses(args.ids)
    found = find_jobs(client, choice, owner=owner, ids={address.job for address in asked}, active=True)
    matching = {job.id for job in found if job_word(job) in wanted}
    if asked:
        yield from (str(address) for address in asked if address.job in matching)
    else:
        yield from sorted(matching, key=int)
