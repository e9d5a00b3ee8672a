"""Refuse at once what a pool can never run: Slurm would refuse it much later, or let it wait for ever.

Only what is certain is refused. A pool's nodes may differ, so each question is put to its largest node, and a range of
nodes counts at its smaller end. Every rule agrees with slurmctld 22.05.8 (`sbatch --test-only`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.directives.demand import Demand, NodeShape, demand
from gateway.directives.directives import Directives
from gateway.jobs.described import invalid
from gateway.slurm.transport import PoolCapacity


def demand_fit(directives: Directives, pool: PoolCapacity, time_limit_s: int | None) -> None:
    """Raise InvalidRequest for the first thing that is asked for and that the pool does not have."""
    d = directives
    nodes = replace(d.nodes, max=d.nodes.min) if d.nodes else None
    least = demand(replace(d, nodes=nodes), NodeShape())
    for need in (*_of_pool(d, least, pool), *_of_node(d, least, pool)):
        if need.has is not None and need.asked > need.has:
            raise invalid(need.field, need.words.format(asked=need.asked, has=need.has, pool=pool.partition))
    if pool.max_time_s and (time_limit_s is None or time_limit_s > pool.max_time_s):
        asked = "no limit is" if time_limit_s is None else f"{time_limit_s // 60} minutes are"
        raise invalid("time_limit", f"{asked} asked for; {pool.partition!r} allows {pool.max_time_s // 60} minutes")


@dataclass(frozen=True, slots=True)
class _Need:
    """So much is asked for in a field; None: how much there is, is not known."""

    field: str
    asked: int
    has: int | None
    words: str


def _of_pool(d: Directives, least: Demand, pool: PoolCapacity) -> Iterator[_Need]:
    """Compare what all nodes together must hold."""
    cpus = pool.cpus or None
    for_tasks = 0 if d.overcommit else least.tasks * (d.cpus_per_task or 1)
    for_gpus = least.gpus * (d.cpus_per_gpu or 0)
    yield _Need("nodes", least.nodes, pool.nodes, "{asked} nodes are asked for; the pool {pool!r} has {has}")
    yield _Need("gpus", least.gpus, pool.gpus, "{asked} GPUs are asked for; the pool {pool!r} has {has}")
    yield _Need("tasks", for_tasks, cpus, f"{least.tasks} tasks need {{asked}} CPUs; the pool {{pool!r}} has {{has}}")
    yield _Need("cpus_per_gpu", for_gpus, cpus, "the GPUs need {asked} CPUs; the pool {pool!r} has {has}")


def _of_node(d: Directives, least: Demand, pool: PoolCapacity) -> Iterator[_Need]:
    """Compare what one node must hold."""
    cpus, memory_mb = pool.cpus_per_node or None, pool.memory_mb_per_node or None
    per_task, most_nodes = d.cpus_per_task or 1, min(d.nodes.max if d.nodes else pool.nodes, pool.nodes)
    declared = (d.ntasks_per_node or 0) * per_task
    # However the tasks are spread, some node gets at least this many.
    crowded = 0 if d.overcommit else -(-least.tasks // max(1, most_nodes)) * per_task
    memory_per_cpu = d.mem_per_cpu.mb if d.mem_per_cpu else 0
    memory = d.mem_per_node.mb if d.mem_per_node else 0
    gpus = max(d.gres.gpus if d.gres else 0, d.gpus_per_node.count if d.gpus_per_node else 0)
    has = "a node of {pool!r} has {has}"
    yield _Need("cpus_per_task", d.cpus_per_task or 0, cpus, f"{{asked}} CPUs for one task; {has}")
    yield _Need("tasks_per_node", declared, cpus, f"{d.ntasks_per_node} tasks on a node need {{asked}} CPUs; {has}")
    yield _Need("tasks", crowded, cpus, f"{least.tasks} tasks need {{asked}} CPUs on one node; {has}")
    yield _Need("mincpus", d.min_cpus_per_node or 0, cpus, f"{{asked}} CPUs on every node; {has}")
    yield _Need("memory", memory, memory_mb, f"{{asked}} MB a node; {has} MB")
    per_node = max(per_task, declared, crowded) * memory_per_cpu
    yield _Need(
        "mem_per_cpu", per_node, memory_mb, f"{memory_per_cpu} MB for each CPU is {{asked}} MB a node; {has} MB"
    )
    yield _Need("gpus", gpus, pool.gpus_per_node, f"{{asked}} GPUs on a node; {has}")
