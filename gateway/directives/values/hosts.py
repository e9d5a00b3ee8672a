"""Read, count, unfold and fold lists of node names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_HOSTS = re.compile(r"[A-Za-z0-9._,\[\]-]+")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_PARTS = re.compile(r"(?:\[[^\]]*\]|[^,\[])+")
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """A list of node names, with ranges as Slurm writes them."""

    text: str

    @property
    def count(self) -> int:
        """How many names it stands for, duplicates counted twice."""
        flat = _BRACKETS.sub(lambda match: "*" + str(_numbers(match[1])), self.text)
        total = 0
        for part in flat.split(","):
            size = 1
            for factor in part.split("*")[1:]:
                size *= int(re.match(r"\d+", factor)[0])  # type: ignore[index]  # the line above put digits there
            total += size
        return total

    def __str__(self) -> str:
        return self.text


def parse_hosts(text: str) -> Hosts:
    """Take a node list. A path, which sbatch would read on the submitting host, is refused."""
    if "/" in text:
        raise BadValue("names a file on the submitting host", "list the nodes themselves (n[1-4],n7)")
    try:
        hosts = Hosts(text=text)
        if _HOSTS.fullmatch(text) and text.count("[") == text.count("]") and hosts.count <= 100_000:
            return hosts
    except ValueError:
        pass
    raise BadValue("not a list of nodes", "use names and ranges (n[1-4],n7)")


def unfold_hosts(text: str) -> list[str]:
    """List the names that a list of Slurm's own stands for: `n[1-3,07]` is n1, n2, n3 and n07."""
    names: list[str] = []
    for part in _PARTS.findall(text):
        head, bracket, rest = part.partition("[")
        if not bracket:
            names.append(part)
            continue
        ranges, _, tail = rest.partition("]")
        ends = unfold_hosts(tail) if tail else [""]
        names += [head + number + end for piece in ranges.split(",") for number in _unfold(piece) for end in ends]
    return names


def fold_hosts(names: Iterable[str]) -> str:
    """Write names sorted and once each with ranges, as Slurm does (hostlist_ranged_string): `c[1-3],gpu,n[07-08]`."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names), key=host_order):
        prefix = name.rstrip(_DIGITS)
        groups.setdefault(prefix, []).append(name.removeprefix(prefix))
    return ",".join(_fold(prefix, numbers) for prefix, numbers in groups.items())


def host_order(name: str) -> tuple[str, int, int]:
    """Sort by prefix, then by number: c2 comes before c10."""
    prefix = name.rstrip(_DIGITS)
    number = name.removeprefix(prefix)
    return prefix, int(number or -1), len(number)


def _unfold(piece: str) -> list[str]:
    first, dash, last = piece.partition("-")
    return [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)] if dash else [first]


def _fold(prefix: str, numbers: list[str]) -> str:
    if not numbers[0]:  # a name without a number comes first
        return ",".join([prefix, *([_fold(prefix, numbers[1:])] if numbers[1:] else [])])
    runs: list[list[str]] = []
    for number in numbers:
        if runs and number == str(int(runs[-1][-1]) + 1).zfill(len(runs[-1][-1])):
            runs[-1].append(number)
        else:
            runs.append([number])
    ranges = ",".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return prefix + (f"[{ranges}]" if len(numbers) > 1 else ranges)


def _numbers(ranges: str) -> int:
    total = 0
    for part in ranges.split(","):
        first, dash, last = part.partition("-")
        total += int(last) - int(first) + 1 if dash else len(str(int(first))) > 0
    return total
