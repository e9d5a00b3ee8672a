"""Read and count lists of node names."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_HOSTS = re.compile(r"[A-Za-z0-9._,\[\]-]+")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


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


def _numbers(ranges: str) -> int:
    total = 0
    for part in ranges.split(","):
        first, dash, last = part.partition("-")
        total += int(last) - int(first) + 1 if dash else len(str(int(first))) > 0
    return total
