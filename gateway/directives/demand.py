"""Work out what Slurm will allocate at most for what is asked, as far as the options tell."""

from dataclasses import dataclass

from gateway.directives.directives import Directives
from gateway.directives.values.arrays import ArraySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """The nodes of the pool, and what Slurm gives to a job that does not say."""

    cpus: int | None = None
    """CPUs (hardware threads) of a node; None if unknown."""
    mem_mb: int | None = None
    sockets: int = 1
    threads_per_core: int = 1
    mem_per_cpu_mb: int | None = None
    """What a job without a word about memory gets for each CPU (DefMemPerCPU)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one task of an array, or the whole job when it is none, will hold at most."""

    nodes: int
    tasks: int
    cpus: int
    mem_mb: int | None
    """None when neither the options nor the node's shape tell."""
    gpus: int
    array_tasks: int = 1
    throttle: int = 1
    """How many array tasks run at once at most."""


def demand(directives: Directives, shape: NodeShape, *, max_array_tasks: int = 1_000_000) -> Demand:
    """Add up what the options ask for.

    Rounding is always up: the most nodes of a range; whole cores for each task (Slurm gives a core to one job);
    with --exclusive the node's CPUs if they are known. Options that contradict each other count at the larger.
    """
    d = directives
    nodes = _nodes(d)
    tasks, nodes = _tasks(d, nodes)
    gpus = _gpus(d, nodes, tasks, shape)
    cpus = _cpus(d, nodes, tasks, gpus, shape)
    array_tasks = _array_tasks(d.array, max_array_tasks)
    throttle = d.array.throttle if d.array else None
    return Demand(
        nodes=nodes,
        tasks=tasks,
        cpus=cpus,
        mem_mb=_memory(d, nodes, cpus, gpus, shape),
        gpus=gpus,
        array_tasks=array_tasks,
        throttle=min(throttle or array_tasks, array_tasks),
    )


def _nodes(d: Directives) -> int | None:
    listed = d.nodelist.count if d.nodelist else 0
    return max(d.nodes.max if d.nodes else 0, listed) or None


def _tasks(d: Directives, nodes: int | None) -> tuple[int, int]:
    """Return tasks and nodes. Given tasks bound the nodes: sbatch lowers -N to -n."""
    if d.ntasks:
        if nodes is None:
            nodes = -(-d.ntasks // d.ntasks_per_node) if d.ntasks_per_node else 1
        return d.ntasks, min(nodes, d.ntasks)
    nodes = nodes or 1
    if d.ntasks_per_node:
        return nodes * d.ntasks_per_node, nodes
    if d.ntasks_per_gpu and d.gpus:
        return max(nodes, d.gpus.count * d.ntasks_per_gpu), nodes
    return nodes, nodes


def _gpus(d: Directives, nodes: int, tasks: int, shape: NodeShape) -> int:
    sockets = d.sockets_per_node or shape.sockets
    return max(
        d.gpus.count if d.gpus else 0,
        d.gres.gpus * nodes if d.gres else 0,
        d.gpus_per_node.count * nodes if d.gpus_per_node else 0,
        d.gpus_per_socket.count * sockets * nodes if d.gpus_per_socket else 0,
        d.gpus_per_task.count * tasks if d.gpus_per_task else 0,
    )


def _cpus(d: Directives, nodes: int, tasks: int, gpus: int, shape: NodeShape) -> int:
    if d.exclusive == "exclusive" and shape.cpus:
        return nodes * shape.cpus
    usable = (
        1
        if "nomultithread" in (d.hint or "")
        else min(d.threads_per_core or shape.threads_per_core, shape.threads_per_core)
    )
    cores_per_task = -(-(d.cpus_per_task or 1) // usable)
    per_task = cores_per_task * shape.threads_per_core
    return max(
        nodes if d.overcommit else tasks * per_task,
        nodes * (d.min_cpus_per_node or 0),
        gpus * (d.cpus_per_gpu or 0),
    )


def _memory(d: Directives, nodes: int, cpus: int, gpus: int, shape: NodeShape) -> int | None:
    if d.mem_per_node:
        per_node = d.mem_per_node.mb or shape.mem_mb
        return nodes * per_node if per_node else None
    if d.mem_per_cpu:
        return cpus * d.mem_per_cpu.mb
    if d.mem_per_gpu:
        return gpus * d.mem_per_gpu.mb
    return cpus * shape.mem_per_cpu_mb if shape.mem_per_cpu_mb else None


def _array_tasks(array: ArraySpec | None, cap: int) -> int:
    return array.count(cap) if array else 1
