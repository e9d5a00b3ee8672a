"""Write where and how a job is meant to run, in words."""

from collections.abc import Iterator

from gateway.cli.times import queue_duration
from gateway.wire import Placement


def placement_words(placement: Placement) -> Iterator[tuple[str, str]]:
    """Yield what to call each thing, and the thing."""
    asked, limit = placement.resources, placement.time_limit_s
    memory = f"{asked.memory_mb} MB" if asked.memory_mb else "all memory of its nodes"
    yield "Pool", f"{placement.pool or 'the default'} on {placement.cluster}"
    yield "Asks for", f"{asked.nodes} nodes, {asked.tasks} tasks, {asked.cpus} CPUs, {memory}, {asked.gpus} GPUs"
    yield "Time limit", "none" if limit is None else queue_duration(limit)
    if asked.array_tasks is not None:
        yield "Array", f"{asked.array_tasks} tasks of this size, at most {asked.array_throttle} at once"
