"""Turn jobs and array tasks into the rows that squeue and sacct print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from gateway.cli.states import job_why, job_word, task_why, task_word
from gateway.client import GatewayClient
from gateway.directives.values.arrays import parse_array
from gateway.states import FINAL
from gateway.wire import ArrayCounts, JobView, TaskView


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line about a job: the job itself, one task of its array, or the tasks that still wait together."""

    job: JobView
    address: str
    """`36`, `36_1` or `36_[2-9%4]`."""
    task: str | None
    """The part of the address behind `36_`, without brackets."""
    word: str
    """Slurm's word for the state."""
    why: str
    node_list: str
    nodes: int
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_s: int
    exit_code: int | None
    signal: int | None
    slurm_job_id: str


def rows_of(client: GatewayClient, job: JobView, now: datetime, *, expand: bool) -> Iterator[Row]:
    """Yield a job's rows: one, or as many as its array has come apart into.

    `expand` gives each task of the rest a row of its own.
    """
    if job.array is None:
        yield job_row(job, now)
        return
    rest = parse_array(job.array.rest) if job.array.rest else None
    numbers = rest.indexes() if rest else []
    if len(numbers) < job.array.total:
        for task in all_tasks(client, job.id):
            yield _task_row(job, task, now)
    if expand:
        yield from (_rest_row(job, job.array, str(number), f"{job.id}_{number}") for number in numbers)
    elif rest:
        text = task_expression(numbers) + (f"%{rest.throttle}" if rest.throttle else "")
        yield _rest_row(job, job.array, text, f"{job.id}_[{text}]")


def all_tasks(client: GatewayClient, job_id: str) -> Iterator[TaskView]:
    """Read all tasks of an array, page by page."""
    cursor: str | None = None
    while True:
        page = client.tasks(job_id, cursor=cursor)
        yield from page.items
        if (cursor := page.next_cursor) is None:
            return


def job_row(job: JobView, now: datetime) -> Row:
    """Make the one row of a job that is not an array."""
    return Row(
        job=job,
        address=job.id,
        task=None,
        word=job_word(job),
        why=job_why(job),
        node_list=job.node_list or "",
        nodes=job.nodes_allocated or job.placement.resources.nodes,
        started_at=job.started_at,
        ended_at=job.ended_at,
        elapsed_s=job.elapsed_s if job.elapsed_s is not None else _elapsed(job.started_at, job.ended_at, now),
        exit_code=job.exit_code,
        signal=job.signal,
        slurm_job_id=job.slurm_job_id or "",
    )


def task_expression(tasks: Sequence[int]) -> str:
    """Write task numbers as Slurm shows a waiting array: `0-3,7`, or `0-20:5` where they are evenly apart.

    Longer than 64 characters it ends in `...`, as squeue cuts it (src/common/slurm_protocol_defs.c, 22.05).
    """
    numbers = sorted(tasks)
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    even = all(b - a == step for a, b in pairwise(numbers))
    if step > 1 and even and len(numbers) > _STEP_TASKS and numbers[-1] - numbers[0] > _STEP_SPAN:
        return f"{numbers[0]}-{numbers[-1]}:{step}"
    text = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in _runs(numbers))
    return text if len(text) <= _EXPRESSION_MAX else text[: _EXPRESSION_MAX - 3] + "..."


def _rest_row(job: JobView, array: ArrayCounts, task: str, address: str) -> Row:
    """Make the row of one or all tasks that wait, or never came to run before the job was over."""
    return Row(
        job=job,
        address=address,
        task=task,
        word="PENDING" if job.phase not in FINAL else "CANCELLED",
        why=array.rest_reason or job_why(job),
        node_list="",
        nodes=job.placement.resources.nodes,
        started_at=None,
        ended_at=None,
        elapsed_s=0,
        exit_code=None,
        signal=None,
        slurm_job_id=job.slurm_job_id or "",
    )


def _task_row(job: JobView, task: TaskView, now: datetime) -> Row:
    return Row(
        job=job,
        address=task.address,
        task=str(task.task),
        word=task_word(task),
        why=task_why(job, task),
        node_list=task.node_list or "",
        nodes=job.placement.resources.nodes,
        started_at=task.started_at,
        ended_at=task.ended_at,
        elapsed_s=_elapsed(task.started_at, task.ended_at, now),
        exit_code=task.exit_code,
        signal=task.signal,
        slurm_job_id=task.slurm_job_id,
    )


def _elapsed(start: datetime | None, end: datetime | None, now: datetime) -> int:
    return max(0, int(((end or now) - start).total_seconds())) if start else 0


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield start, last
            start = number
        last = number
    yield start, last


_STEP_TASKS = 5
_STEP_SPAN = 10
_EXPRESSION_MAX = 63
