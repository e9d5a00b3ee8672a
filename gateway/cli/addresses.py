"""Read what people write to name a job or a task of its array: `36`, `36_1`, `36_[1-3,7]`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.cli.errors import UsageError

_ADDRESS = re.compile(r"([1-9]\d{0,18})(?:_(\d{1,9}))?")
_TASKS = re.compile(r"([1-9]\d{0,18})_\[([\d,\-:]+)\]")
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_MOST_TASKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A job, or one task of its array."""

    job: str
    task: int | None

    def __str__(self) -> str:
        return self.job if self.task is None else f"{self.job}_{self.task}"


def parse_address(text: str) -> Address:
    """Read one address; raises UsageError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not a job id: write a number such as 36, or 36_1 for a task of its array")
    return Address(job=found[1], task=int(found[2]) if found[2] else None)


def parse_addresses(texts: Iterable[str]) -> list[Address]:
    """Read addresses and comma lists of them, tasks in brackets too; raises UsageError."""
    found: list[Address] = []
    for text in texts:
        parts = re.findall(r"(?:\[[^\]]*\]|[^,\s])+", text)
        if not parts:  # `scancel --me "$JOB"` with an empty variable must not cancel everything
            raise UsageError("a job id is empty: write a number such as 36, or 36_1 for a task of its array")
        for part in parts:
            if tasks := _TASKS.fullmatch(part):
                found += [Address(job=tasks[1], task=task) for task in _numbers(part, tasks[2])]
            else:
                found.append(parse_address(part))
    return found


def _numbers(part: str, ranges: str) -> list[int]:
    numbers: list[int] = []
    for piece in ranges.split(","):
        found = _RANGE.fullmatch(piece)
        if found is None or found[3] == "0":
            raise UsageError(f"{part!r}: {piece!r} is no task number or range such as 1-3")
        first, last = int(found[1]), int(found[2] or found[1])
        chosen = range(first, last + 1, int(found[3] or 1))
        if len(numbers) + len(chosen) > _MOST_TASKS:
            raise UsageError(f"{part!r} names more than {_MOST_TASKS} tasks: name the whole job instead")
        numbers += chosen
    return numbers
