"""Read and write requests for GPUs and other countable things on a node."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_SOCKETS = r"(?:\(S:[0-9,-]+\))?"
"""slurmctld writes this behind a count and ignores it in a request; people copy it from there."""
_TYPE = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*+"
_GRES = re.compile(
    # A number, perhaps with a unit, at the end is the count and not a type: nvme:1k, but gpu:1g.5gb:2.
    rf"(?:gres[:/])?([A-Za-z_][A-Za-z0-9_.+-]*+)(?::(?!\d+[kmgtp]?(?:\(|$))({_TYPE}))?(?:[:=](\d{{1,15}})([kmgtp]?))?{_SOCKETS}",
    re.IGNORECASE | re.ASCII,
)
_GPUS = re.compile(rf"(?:({_TYPE}):)?(\d{{1,9}}){_SOCKETS}", re.ASCII)
_SCALE = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gres:
    """So many of one thing, perhaps of one type of it."""

    name: str
    type: str | None = None
    count: int = 1

    def __str__(self) -> str:
        return ":".join([self.name, *([self.type] if self.type else []), str(self.count)])


@dataclass(frozen=True, slots=True, kw_only=True)
class GresList:
    """What `--gres` asks for on each node; empty for `--gres=none`."""

    items: tuple[Gres, ...]

    @property
    def gpus(self) -> int:
        """GPUs per node."""
        return sum(item.count for item in self.items if item.name.lower() == "gpu")

    def __str__(self) -> str:
        return ",".join(str(item) for item in self.items) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """What `--gpus` and its relatives ask for: (type or None, count) pairs."""

    items: tuple[tuple[str | None, int], ...]

    @property
    def count(self) -> int:
        """All types together."""
        return sum(count for _, count in self.items)

    def __str__(self) -> str:
        return ",".join(f"{kind}:{count}" if kind else str(count) for kind, count in self.items)


def parse_gres(text: str) -> GresList:
    """Read `--gres`: `gpu:2`, `gpu:a100:4`, `nvme:1000,license:1`, `none`."""
    if text.lower() == "none":
        return GresList(items=())
    if text.lower() in {"help", "list"}:
        raise BadValue("asks for a list, not for a resource", "see `sgw sinfo -o '%P %G'`")
    items = []
    for part in text.split(","):
        match = _GRES.fullmatch(part)
        if not match:
            raise BadValue(f"{part!r} is not a generic resource", "use name:count or name:type:count (gpu:a100:2)")
        count = int(match[3] or 1) * _SCALE[(match[4] or "").lower()]
        items.append(Gres(name=match[1], type=match[2], count=count))
    return GresList(items=tuple(items))


def parse_gpus(text: str) -> Gpus:
    """Read `--gpus` and its relatives: `2`, `a100:2`, `volta:3,kepler:1`; a socket suffix `(S:0)` is dropped."""
    items = []
    for part in text.split(","):
        match = _GPUS.fullmatch(part)
        if not match:
            raise BadValue(f"{part!r} is not a number of GPUs", "use a number (2) or type:number (a100:2)")
        items.append((match[1], int(match[2])))
    return Gpus(items=tuple(items))
