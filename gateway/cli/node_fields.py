"""Know the fields of sinfo's format: their letters, headers and values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.cli.times import queue_duration
from gateway.directives.values.hosts import fold_hosts, unfold_hosts
from gateway.wire import NodePool, NodeStateView

_MARKS: Final = "*~#!%$@^-+"
_COMPACT: Final = {
    "allocated": "alloc",
    "completing": "comp",
    "drained": "drain",
    "draining": "drng",
    "failing": "failg",
    "future": "futr",
    "mixed": "mix",
    "perfctrs": "npc",
    "planned": "plnd",
    "reboot": "boot",
    "reserved": "resv",
    "resume": "resm",
    "unknown": "unk",
}
"""Slurm's short words for a node's state where they differ from the long ones (node_state_string_compact, 22.05.8)."""
_ALLOCATED: Final = frozenset({"alloc", "mix", "comp", "drng"})
_OTHER: Final = ("down", "drain", "fail", "error", "inval")


def compact(state: str) -> str:
    """Shorten a state as sinfo's %t does; its mark stays."""
    word = state.rstrip(_MARKS)
    return _COMPACT.get(word, word) + state[len(word) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Nodes of one pool in one state."""

    pool: NodePool
    state: str
    names: tuple[str, ...]
    cpus: tuple[int, int, int] | None
    """Allocated, idle and all of them; None where it is known only together with other nodes."""

    @classmethod
    def in_state(cls, pool: NodePool, state: NodeStateView) -> "Nodes":
        """Take all nodes of a pool that are in one state."""
        cpus = (state.cpus_allocated, state.cpus_idle, state.cpus)
        return cls(pool=pool, state=state.state, names=tuple(unfold_hosts(state.node_list)), cpus=cpus)

    @classmethod
    def none_of(cls, pool: NodePool) -> "Nodes":
        """Take no node: the line of a pool without any."""
        return cls(pool=pool, state="n/a", names=(), cpus=(0, 0, 0))

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.names)

    @property
    def word(self) -> str:
        """The short word for the state, without its mark."""
        return compact(self.state).rstrip(_MARKS)

    def only(self, names: Iterable[str]) -> "Nodes":
        """Keep some of them. Nodes in one state are alike, but those that are used in part."""
        kept = tuple(names)
        if len(kept) == len(self.names):
            return self
        alike = self.cpus is not None and (0 in self.cpus[:2])
        return replace(self, names=kept, cpus=self._share(len(kept)) if alike else None)

    def _share(self, count: int) -> tuple[int, int, int] | None:
        if self.cpus is None:
            return None
        allocated, idle, total = (number * count // max(1, len(self.names)) for number in self.cpus)
        return allocated, idle, total


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """What one line tells of: nodes that look the same, each once, although it may be in several pools."""

    pool: NodePool
    state: str
    word: str
    names: tuple[str, ...]
    counts: tuple[int, int, int]
    """Nodes allocated, idle and other."""
    cpus: tuple[int, int, int] | None

    @classmethod
    def of(cls, members: Sequence[Nodes]) -> "NodeGroup":
        """Add nodes up."""
        names: dict[str, None] = {}
        counts, cpus, known = [0, 0, 0], [0, 0, 0], True
        for member in members:
            new = member.only(name for name in member.names if name not in names)
            if member.names and not new.names:
                continue
            names |= dict.fromkeys(new.names)
            counts[_kind(new.word)] += new.count
            known = known and new.cpus is not None
            cpus = [old + more for old, more in zip(cpus, new.cpus or (0, 0, 0), strict=True)]
        return cls(
            pool=members[0].pool,
            state=members[0].state,
            word=members[0].word,
            names=tuple(names),
            counts=(counts[0], counts[1], counts[2]),
            cpus=(cpus[0], cpus[1], cpus[2]) if known else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeField:
    """One letter of the format; headers are those of src/sinfo/print.c."""

    header: str
    value: Callable[[NodeGroup], str]
    adds_up: bool = False
    """Nodes that differ here alone still share a line."""


def _kind(word: str) -> int:
    if word in _ALLOCATED:
        return 0
    return 2 if word.startswith(_OTHER) else 1


def _cpus(group: NodeGroup) -> str:
    if group.cpus is None:
        return "N/A"
    allocated, idle, total = group.cpus
    return f"{allocated}/{idle}/{total - allocated - idle}/{total}"


def _limit(group: NodeGroup) -> str:
    return "infinite" if group.pool.max_time_s is None else queue_duration(group.pool.max_time_s)


def _absent(header: str) -> NodeField:
    """A field that sinfo has and the gateway does not know: it stays a column, so that scripts keep their count."""
    return NodeField(header=header, value=lambda _: "N/A")


FIELDS: Final[dict[str, NodeField]] = {
    "a": NodeField(header="AVAIL", value=lambda g: "up" if g.pool.available else "down"),
    "A": NodeField(header="NODES(A/I)", value=lambda g: f"{g.counts[0]}/{g.counts[1]}", adds_up=True),
    "b": _absent("ACTIVE_FEATURES"),
    "B": _absent("MAX_CPUS_PER_NODE"),
    "c": NodeField(header="CPUS", value=lambda g: str(g.pool.cpus_per_node)),
    "C": NodeField(header="CPUS(A/I/O/T)", value=_cpus, adds_up=True),
    "d": _absent("TMP_DISK"),
    "D": NodeField(header="NODES", value=lambda g: str(len(g.names)), adds_up=True),
    "e": _absent("FREE_MEM"),
    "E": _absent("REASON"),
    "f": _absent("AVAIL_FEATURES"),
    "F": NodeField(
        header="NODES(A/I/O/T)", value=lambda g: "/".join(map(str, (*g.counts, sum(g.counts)))), adds_up=True
    ),
    "g": _absent("GROUPS"),
    "G": _absent("GRES"),
    "h": _absent("OVERSUBSCRIBE"),
    "H": _absent("TIMESTAMP"),
    "l": NodeField(header="TIMELIMIT", value=_limit),
    "L": _absent("DEFAULTTIME"),
    "m": NodeField(header="MEMORY", value=lambda g: str(g.pool.memory_mb_per_node)),
    "M": _absent("PREEMPT_MODE"),
    "n": NodeField(header="HOSTNAMES", value=lambda g: fold_hosts(g.names)),
    "N": NodeField(header="NODELIST", value=lambda g: fold_hosts(g.names), adds_up=True),
    "O": _absent("CPU_LOAD"),
    "p": _absent("PRIO_TIER"),
    "P": NodeField(header="PARTITION", value=lambda g: g.pool.name + ("*" if g.pool.default else "")),
    "r": _absent("ROOT"),
    "R": NodeField(header="PARTITION", value=lambda g: g.pool.name),
    "s": _absent("JOB_SIZE"),
    "S": _absent("ALLOCNODES"),
    "t": NodeField(header="STATE", value=lambda g: compact(g.state)),
    "T": NodeField(header="STATE", value=lambda g: g.state),
    "u": _absent("USER"),
    "U": _absent("USER"),
    "v": _absent("VERSION"),
    "w": _absent("WEIGHT"),
    "X": _absent("SOCKETS"),
    "Y": _absent("CORES"),
    "z": _absent("S:C:T"),
    "Z": _absent("THREADS"),
}
