"""Tell what node pools there are, as the collector last saw them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from gateway.db import tables
from gateway.services import Services
from gateway.slurm.transport import NodeState, PoolCapacity
from gateway.states import Phase
from gateway.wire import NodePool, NodePoolList, NodeStateView


def load_pools(connection: sa.Connection, cluster: str) -> Mapping[str, PoolCapacity]:
    """Return a cluster's partitions by name; empty if it was never seen."""
    p = tables.pool_states.c
    rows = connection.execute(sa.select(p.partition, p.capacity).where(p.cluster == cluster).order_by(p.partition))
    return {row.partition: _capacity(row) for row in rows}


def list_pools(services: Services) -> NodePoolList:
    """Return every pool with its capacity and the gateway's own load on it."""
    p, w, s, j = tables.pool_states.c, tables.cluster_watches.c, tables.steps.c, tables.jobs.c
    states = sa.select(p.cluster, p.partition, p.capacity, p.observed_at, w.error).join(
        tables.cluster_watches, w.cluster == p.cluster
    )
    load = (
        sa.select(s.cluster, j.pool, s.phase, sa.func.count())
        .join(tables.jobs, j.id == s.job_id)
        .where(s.phase.in_([Phase.PENDING, Phase.SUBMITTING, Phase.QUEUED, Phase.RUNNING]))
        .group_by(s.cluster, j.pool, s.phase)
    )
    with services.database.read() as connection:
        rows = connection.execute(states.order_by(p.cluster)).all()
        counts = {(cluster, pool, phase): count for cluster, pool, phase, count in connection.execute(load)}
    pools = [(row, _capacity(row)) for row in rows]
    pools.sort(key=lambda pool: (pool[0].cluster, pool[1].rank))
    return NodePoolList(items=tuple(_view(row, capacity, counts) for row, capacity in pools))


def _capacity(row: Any) -> PoolCapacity:
    states = tuple(NodeState(**state) for state in row.capacity.get("states", ()))
    return PoolCapacity(**row.capacity | {"states": states})


def _view(row: Any, capacity: PoolCapacity, counts: Mapping[tuple[str, str, str], int]) -> NodePool:
    def jobs(*phases: Phase) -> int:
        return sum(counts.get((row.cluster, row.partition, phase), 0) for phase in phases)

    return NodePool(
        name=row.partition,
        cluster=row.cluster,
        partition=row.partition,
        default=capacity.default,
        available=capacity.available and row.error is None,
        nodes=capacity.nodes,
        nodes_idle=capacity.nodes_idle,
        nodes_allocated=capacity.nodes_allocated,
        nodes_down=capacity.nodes_down,
        nodes_powered_down=capacity.nodes_powered_down,
        states=tuple(NodeStateView(**asdict(state)) for state in capacity.states),
        cpus=capacity.cpus,
        cpus_allocated=capacity.cpus_allocated,
        cpus_idle=capacity.cpus_idle,
        cpus_per_node=capacity.cpus_per_node,
        memory_mb_per_node=capacity.memory_mb_per_node,
        gpus=capacity.gpus,
        max_time_s=capacity.max_time_s,
        jobs_queued=jobs(Phase.PENDING, Phase.SUBMITTING, Phase.QUEUED),
        jobs_running=jobs(Phase.RUNNING),
        observed_at=row.observed_at,
    )
