"""Say which tasks a job array has, so that every question about one that it has not gets the same answer."""

from gateway.directives.values.arrays import parse_array
from gateway.errors import NotFound
from gateway.ids import JobId


def demand_task(job_id: JobId, array: str | None, task: int) -> None:
    """Raise NotFound for a task that is not one of `array`, the expression as it was asked for (None: no array)."""
    if array is None:
        raise NotFound(f"Job {job_id} is not an array; it has no task {task}.")
    if not any(task in range(first, last + 1, step) for first, last, step in parse_array(array).ranges):
        raise NotFound(f"Job {job_id} has no task {task}: its array is {array}.")
