"""Turn jobs and array tasks into the rows that squeue and sacct print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from gateway.cli.states import job_why, job_word, task_word
from gateway.client import GatewayClient
from gateway.states import FINAL, State
from gateway.wire import JobView, TaskView


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

    `expand` gives each waiting task a row of its own.
    """
    if job.array is None:
        yield job_row(job, now)
        return
    tasks = list(all_tasks(client, job.id))
    apart = [task for task in tasks if expand or task.state is not State.PENDING]
    for task in apart:
        yield _task_row(job, task, now)
    waiting = [task.task for task in tasks if task not in apart]
    unlisted = job.array.total - len(tasks)
    if waiting or unlisted > 0:
        yield _rest_row(job, waiting, unlisted=unlisted > 0)


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


def _rest_row(job: JobView, tasks: Sequence[int], *, unlisted: bool) -> Row:
    """Make the row of the tasks that share it: those that wait, or never came to run before the job was over.

    The gateway lists a task once Slurm has split it off; of the others it tells the number only. They stand as `...`,
    Slurm's own sign for what it leaves out of such a list.
    """
    parts = [task_expression(tasks)] if tasks else []
    throttle = job.placement.resources.array_throttle
    text = ",".join([*parts, *(["..."] if unlisted else [])]) + (f"%{throttle}" if throttle else "")
    return Row(
        job=job,
        address=f"{job.id}_[{text}]",
        task=text,
        word="PENDING" if job.phase not in FINAL else "CANCELLED",
        why=job_why(job) if job.state is State.PENDING else job.message or "None",
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
        why="None" if task.state is not State.PENDING else job.message or "None",
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
