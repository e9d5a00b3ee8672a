"""Read what sinfo says of every partition: how much it has, and what its nodes are doing. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.directives.values.hosts import fold_hosts, unfold_hosts
from gateway.slurm import values
from gateway.slurm.commands import POOL_FIELDS, SEPARATOR
from gateway.slurm.transport import NodeState, PoolCapacity

_FLAWS: Final = "*~#!%$@^-+"
"""sinfo's marks behind a node's state."""
_DOWN: Final = ("down", "drain", "fail", "inval", "unknown", "error", "planned_down", "blocked")


def pools(text: str) -> list[PoolCapacity]:
    """Read sinfo's answer: one line per kind of node, added up by partition and by state, in sinfo's order."""
    found: dict[str, PoolCapacity] = {}
    for line in text.splitlines():
        fields = line.split(SEPARATOR)
        if len(fields) == len(POOL_FIELDS):
            pool = _pool(fields, rank=len(found))
            before = found.get(pool.partition)
            found[pool.partition] = pool if before is None else _together(before, pool)
    return list(found.values())


def _pool(fields: Sequence[str], *, rank: int) -> PoolCapacity:
    name, available, longest, default, count, state, cpu_states, cpus, memory, gres, node_list = fields
    nodes = values.number(count) or 0
    word = state.rstrip(_FLAWS).lower()
    asleep = "~" in state or "%" in state or word.startswith("power")
    down = not asleep and (word.startswith(_DOWN) or "*" in state)
    allocated, idle, _other, total = (values.number(part) or 0 for part in (cpu_states.split("/") + ["0"] * 4)[:4])
    alike = NodeState(
        state=state, nodes=nodes, node_list=node_list, cpus=total, cpus_allocated=allocated, cpus_idle=idle
    )
    return PoolCapacity(
        partition=name.rstrip("*"),
        rank=rank,
        default=name.endswith("*"),
        available=available == "up",
        nodes=nodes,
        nodes_idle=nodes if word == "idle" and not (asleep or down) else 0,
        nodes_allocated=nodes if word in {"allocated", "mixed", "completing"} and not down else 0,
        nodes_down=nodes if down else 0,
        nodes_powered_down=nodes if asleep else 0,
        states=(alike,) if nodes else (),
        cpus=total,
        cpus_allocated=allocated,
        cpus_idle=idle,
        cpus_per_node=values.number(cpus.rstrip("+")) or 0,
        memory_mb_per_node=values.number(memory.rstrip("+")) or 0,
        gpus=values.gpus(gres) * nodes,
        gpus_per_node=values.gpus(gres),
        max_time_s=values.duration(longest),
        default_time_s=values.duration(default),
    )


def _together(one: PoolCapacity, other: PoolCapacity) -> PoolCapacity:
    return replace(
        one,
        nodes=one.nodes + other.nodes,
        nodes_idle=one.nodes_idle + other.nodes_idle,
        nodes_allocated=one.nodes_allocated + other.nodes_allocated,
        nodes_down=one.nodes_down + other.nodes_down,
        nodes_powered_down=one.nodes_powered_down + other.nodes_powered_down,
        states=_added(one.states, other.states),
        cpus=one.cpus + other.cpus,
        cpus_allocated=one.cpus_allocated + other.cpus_allocated,
        cpus_idle=one.cpus_idle + other.cpus_idle,
        cpus_per_node=max(one.cpus_per_node, other.cpus_per_node),
        memory_mb_per_node=max(one.memory_mb_per_node, other.memory_mb_per_node),
        gpus=one.gpus + other.gpus,
        gpus_per_node=max(one.gpus_per_node or 0, other.gpus_per_node or 0),
    )


def _added(states: Sequence[NodeState], more: Sequence[NodeState]) -> tuple[NodeState, ...]:
    found = {state.state: state for state in states}
    for new in more:
        old = found.get(new.state)
        found[new.state] = new if old is None else _joined(old, new)
    return tuple(found.values())


def _joined(one: NodeState, other: NodeState) -> NodeState:
    return NodeState(
        state=one.state,
        nodes=one.nodes + other.nodes,
        node_list=fold_hosts([*unfold_hosts(one.node_list), *unfold_hosts(other.node_list)]),
        cpus=one.cpus + other.cpus,
        cpus_allocated=one.cpus_allocated + other.cpus_allocated,
        cpus_idle=one.cpus_idle + other.cpus_idle,
    )
