"""Show one job in detail, with its story."""

import argparse
import json
from collections.abc import Iterator
from datetime import datetime

from gateway.cli.addresses import parse_address
from gateway.cli.columns import table
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.placement_words import placement_words
from gateway.cli.states import job_word
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import coloured, printable
from gateway.cli.times import queue_duration, stamp
from gateway.client import GatewayClient
from gateway.wire import EventView, JobView

HELP = "Show a job's state and why it is in it, what it asked for, where it runs, and everything that happened to it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="a job's id")
    parser.add_argument("--script", action="store_true", help="print the job's script instead, unchanged")


def run(args: argparse.Namespace, env: Environment) -> int:
    client = connect(env)
    job_id = parse_address(args.job).job
    if args.script:
        env.emit(client.script(job_id))
        return ExitStatus.OK
    job = client.job(job_id)
    events = list(_all_events(client, job_id))
    if args.json:
        document = {"job": job.model_dump(mode="json"), "events": [event.model_dump(mode="json") for event in events]}
        env.say(json.dumps(document, indent=2, ensure_ascii=False))
        return ExitStatus.OK
    for name, text in _details(job, env):
        shown = coloured(printable(text), job_word(job), on=env.coloured) if name == "State" else printable(text)
        env.say(f"{name:>11}: {shown}")
    for line in _story(events, env):
        env.say(line)
    return ExitStatus.OK


def _all_events(client: GatewayClient, job_id: str) -> Iterator[EventView]:
    cursor: str | None = None
    while True:
        page = client.events(job_id, cursor=cursor)
        yield from page.items
        if (cursor := page.next_cursor) is None:
            return


def _details(job: JobView, env: Environment) -> Iterator[tuple[str, str]]:
    """Yield what is known, leaving out what is not."""
    placed = dict(placement_words(job.placement))
    yield "Job", f"{job.id}  {job.name}"
    yield "State", job_word(job) + (", its end is asked for" if job.cancel_requested and job.ended_at is None else "")
    yield "Why", job.message or job.reason.sentence
    yield "Owner", f"{job.user} of {job.tenant} (Unix user {job.unix_user}, account {job.account})"
    yield "Pool", placed["Pool"] + (f", Slurm job {job.slurm_job_id}" if job.slurm_job_id else "")
    yield "Asks for", placed["Asks for"]
    yield "Time limit", placed["Time limit"]
    if job.array:
        counts = job.array.model_dump(include={"pending", "running", "completed", "failed", "cancelled"})
        parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        yield "Array", f"{job.array.expression}, {job.array.total} tasks: {parts}"
    yield "Attempt", str(job.attempt)
    for name, moment in (("Submitted", job.submitted_at), ("Started", job.started_at), ("Ended", job.ended_at)):
        if moment is not None:
            yield name, _time(moment, env)
    if job.elapsed_s is not None:
        yield "Elapsed", queue_duration(job.elapsed_s)
    if job.node_list:
        yield "Nodes", job.node_list
    if job.exit_code is not None:
        yield "Exit code", f"{job.exit_code}" + (f", by signal {job.signal}" if job.signal else "")
    if job.workdir:
        yield "Directory", job.workdir
    for warning in job.warnings:
        yield "Warning", warning


def _story(events: list[EventView], env: Environment) -> list[str]:
    if not events:
        return []
    rows = [
        (
            _time(event.at, env),
            event.to_phase.value if event.to_phase else event.kind,
            printable(event.actor),
            printable(event.message or (event.reason.sentence if event.reason else "")),
        )
        for event in events
    ]
    return ["", *table(("WHEN", "WHAT", "BY", "WHY"), rows)]


def _time(moment: datetime, env: Environment) -> str:
    return stamp(moment, env.zone, env.variables.get("SLURM_TIME_FORMAT", ""))
