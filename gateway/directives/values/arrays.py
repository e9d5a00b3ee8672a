"""Read, count and write the indexes of a job array, without listing them."""

import re
from dataclasses import dataclass
from itertools import pairwise

from gateway.directives.diagnostics import BadValue

_RANGE = re.compile(r"\[?(\d{1,10})\]?(?:-(\d{1,10})\]?(?::(\d{1,10})\]?)?)?(?:%(\d{1,9}))?\]?", re.ASCII)
_HINT = "use numbers and ranges (1,3-5), with a step (0-100:5) and a limit of running tasks (1-100%4)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """The indexes of an array's tasks as (first, last, step) ranges, and how many may run at once."""

    ranges: tuple[tuple[int, int, int], ...]
    throttle: int | None = None

    @property
    def largest(self) -> int:
        """The largest index (a range's last number, reached or not: Slurm checks that one)."""
        return max(last for _, last, _ in self.ranges)

    def count(self, cap: int) -> int:
        """Return the number of tasks, or any number above `cap` when there are more than that."""
        total = sum(len(range(first, last + 1, step)) for first, last, step in self.ranges)
        if total > cap or not self._overlaps():
            return total
        return len(self.indexes())

    def indexes(self) -> list[int]:
        """List every index once, in order; `count` first where the text is not one of Slurm's own."""
        return sorted({index for first, last, step in self.ranges for index in range(first, last + 1, step)})

    def __str__(self) -> str:
        text = ",".join(_text(*r) for r in self.ranges)
        return text if self.throttle is None else f"{text}%{self.throttle}"

    def _overlaps(self) -> bool:
        ordered = sorted(self.ranges)
        return any(later[0] <= earlier[1] for earlier, later in pairwise(ordered))


def parse_array(text: str) -> ArraySpec:
    """Read `--array`: `1,3-5%2`, `0-10:5`, `[1-3]` (_parse_array_tok in slurmctld)."""
    ranges = []
    throttle = None
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            raise BadValue(f"{part!r} is not an array index or range", _HINT)
        first = int(match[1])
        last = int(match[2] or first)
        step = int(match[3] or 1)
        if last < first:
            raise BadValue(f"the range {part!r} runs backwards", _HINT)
        if step < 1:
            raise BadValue(f"the step in {part!r} must be at least 1", _HINT)
        if match[4] and throttle is None:
            throttle = int(match[4]) or None  # %0 means no limit to Slurm
        ranges.append((first, last, step if last > first else 1))
    return ArraySpec(ranges=tuple(ranges), throttle=throttle)


def _text(first: int, last: int, step: int) -> str:
    if first == last:
        return str(first)
    return f"{first}-{last}" + (f":{step}" if step > 1 else "")
