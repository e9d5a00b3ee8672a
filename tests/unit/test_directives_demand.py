"""What Slurm will allocate at most follows from the options."""

import pytest

from gateway.directives import parse_script
from gateway.directives.demand import Demand, NodeShape, demand

SHAPE = NodeShape(cpus=64, mem_mb=256_000, sockets=2, threads_per_core=2, mem_per_cpu_mb=1000)


def of(options: str, shape: NodeShape = SHAPE) -> Demand:
    parsed = parse_script(b"#!/bin/sh\n", options.split())
    assert parsed.errors == ()
    return demand(parsed.directives, shape)


@pytest.mark.parametrize(
    ("options", "nodes", "tasks", "cpus"),
    [
        ("", 1, 1, 2), ("-N4", 4, 4, 8), ("-N2-4", 4, 4, 8), ("-n8", 1, 8, 16), ("-N4 -n8", 4, 8, 16),
        ("-N4 -n2", 2, 2, 4),
        ("-N2 --ntasks-per-node=4", 2, 8, 16), ("-n8 --ntasks-per-node=3", 3, 8, 16), ("-n2 -c3", 1, 2, 8),
        ("-n2 -c4", 1, 2, 8), ("-n2 -c4 --hint=nomultithread", 1, 2, 16),
        ("-n2 -c4 --threads-per-core=1", 1, 2, 16),
        ("-N2 --exclusive", 2, 2, 128), ("-N2 --exclusive=user", 2, 2, 4), ("-n9 -O", 1, 9, 1),
        ("--mincpus=16 -N2", 2, 2, 32),
        ("-w n[1-3]", 3, 3, 6), ("-G4 --ntasks-per-gpu=2", 1, 8, 16), ("-G4 --cpus-per-gpu=16", 1, 1, 64),
    ],
)  # fmt: skip
def test_nodes_tasks_and_cpus_are_rounded_up(options: str, nodes: int, tasks: int, cpus: int) -> None:
    wanted = of(options)
    assert (wanted.nodes, wanted.tasks, wanted.cpus) == (nodes, tasks, cpus)


@pytest.mark.parametrize(
    ("options", "gpus"),
    [("", 0), ("-G4", 4), ("--gres=gpu:2 -N3", 6), ("--gpus-per-node=a:1,b:2 -N2", 6),
     ("--gpus-per-task=1 -n5", 5),
     ("--gpus-per-socket=2 -N2", 8), ("--gpus-per-socket=2 --sockets-per-node=1 -N2", 4),
     ("--gres=nvme:5", 0)],
)  # fmt: skip
def test_gpus_are_added_up_over_the_job(options: str, gpus: int) -> None:
    assert of(options).gpus == gpus


@pytest.mark.parametrize(
    ("options", "mem_mb"),
    [("--mem=4G -N2", 8192), ("--mem=0 -N2", 512_000), ("--mem-per-cpu=1G -n2", 4096),
     ("--mem-per-gpu=8G -G2", 16384),
     ("-n2", 4000), ("--exclusive --mem-per-cpu=1G", 65536)],
)  # fmt: skip
def test_memory_is_added_up_over_the_job(options: str, mem_mb: int) -> None:
    assert of(options).mem_mb == mem_mb


def test_what_is_not_known_of_the_nodes_stays_unknown() -> None:
    assert of("--mem=0", NodeShape()).mem_mb is None
    assert of("-n2", NodeShape()).mem_mb is None
    assert of("--exclusive", NodeShape()).cpus == 1


def test_an_array_counts_its_tasks_and_how_many_run_at_once() -> None:
    assert (of("-a 1-100%4").array_tasks, of("-a 1-100%4").throttle) == (100, 4)
    assert (of("-a 1-3%9").array_tasks, of("-a 1-3%9").throttle) == (3, 3)
    assert (of("-a 1-3").array_tasks, of("-a 1-3").throttle) == (3, 3)
    assert (of("").array_tasks, of("").throttle) == (1, 1)
