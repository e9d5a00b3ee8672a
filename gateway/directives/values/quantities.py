"""Read and write counts, node ranges and amounts of memory."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_MEMORY = re.compile(r"(\d+)(?:([kmgt])b?)?", re.IGNORECASE | re.ASCII)
_KIB_PER_UNIT = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}
_NODES = re.compile(r"(\d+)([km]?)", re.IGNORECASE | re.ASCII)
_SCALE = {"": 1, "k": 1024, "m": 1024**2}
_LARGEST = 2**31 - 1
_DIGITS = 19
"""More digits than any sensible number has; Slurm's own strtol stops here too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory in MiB (Slurm's "MB"). Zero means all memory of the node where `--mem` is concerned."""

    mb: int

    def __str__(self) -> str:
        # Never without a unit: a site can make gigabytes the default (SchedulerParameters=default_gbytes).
        return f"{self.mb}M"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRange:
    """How many nodes a job may get, both ends included."""

    min: int
    max: int

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min}-{self.max}"


def parse_memory(text: str) -> Memory:
    """Read an amount of memory: MiB, or with K, M, G or T and an optional B; kilobytes round up."""
    match = _MEMORY.fullmatch(text)
    if not match or len(match[1]) > _DIGITS:
        raise BadValue("not an amount of memory", "use megabytes (4000) or a number with K, M, G or T (4G)")
    kib = int(match[1]) * _KIB_PER_UNIT[(match[2] or "m").lower()]
    mb = -(-kib // 1024)
    if mb > 2**43:
        raise BadValue("more memory than any computer has")
    return Memory(mb=mb)


def parse_nodes(text: str) -> NodeRange:
    """Read `--nodes`: `2`, `2-4`, `-4` (from one), `1k`. Zero nodes, which sbatch lets pass, is refused here."""
    low, dash, high = text.partition("-")
    smallest = _node_count(low or "1" if dash else low, text)
    largest = _node_count(high, text) if dash else smallest
    if smallest < 1:
        raise BadValue("a job needs at least one node")
    if largest < smallest:
        raise BadValue(f"the maximum, {largest}, is less than the minimum, {smallest}")
    return NodeRange(min=smallest, max=largest)


def parse_count(text: str) -> int:
    """Read a number of things, one at least."""
    number = parse_count_or_zero(text)
    if number == 0:
        raise BadValue("must be at least 1")
    return number


def parse_count_or_zero(text: str) -> int:
    """Read a number of things that may be none."""
    number = parse_integer(text)
    if number < 0:
        raise BadValue("must not be negative")
    return number


def parse_integer(text: str) -> int:
    """Read a whole number of either sign."""
    if not re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII):
        raise BadValue("not a whole number")
    number = int(text)
    if abs(number) > _LARGEST:
        raise BadValue(f"larger than {_LARGEST}")
    return number


def _node_count(text: str, whole: str) -> int:
    match = _NODES.fullmatch(text)
    if not match or len(match[1]) > _DIGITS:
        raise BadValue(f'"{whole}" is not a valid node count', "use a number (2) or a range (2-4)")
    count = int(match[1]) * _SCALE[match[2].lower()]
    if count > _LARGEST:
        raise BadValue(f"larger than {_LARGEST}")
    return count
