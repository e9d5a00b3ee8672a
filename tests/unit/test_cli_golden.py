"""Lists look exactly like Slurm's: the same facts give the lines that Slurm 22.05.8 printed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli_world import PENDING, WHOAMI, Gateway, job, sgw, task

GOLDEN = Path(__file__).parent.parent / "golden" / "cli"
STARTED = datetime(2026, 11, 21, 5, 19, 30, tzinfo=UTC)
HOLD = PENDING | {"message": "JobHeldUser"}


def _jobs(elapsed: int) -> list[dict[str, Any]]:
    """Build the jobs of the recording as the gateway would show them, `elapsed` seconds after their start."""
    one = {"nodes": 1, "tasks": 1, "cpus": 1, "memory_mb": 500}
    common = {
        "user": "sgwdemo-ada", "workdir": "/var/lib/sgw-dev/home/sgwdemo-ada", "nodes_allocated": None,
        "submitted_at": "2026-11-21T05:19:29Z",
    }  # fmt: skip
    running = {"started_at": STARTED.isoformat(), "elapsed_s": elapsed, "node_list": "c1"}
    failed = running | {
        "state": "FAILED", "phase": "FAILED", "reason": "EXIT_CODE", "exit_code": 3, "elapsed_s": 0,
        "ended_at": STARTED.isoformat(),
    }  # fmt: skip

    def make(number: int, name: str, minutes: int, facts: dict[str, Any], **resources: int) -> dict[str, Any]:
        placement = {"time_limit_s": minutes * 60}
        return job(number, name=name, placement=placement, resources=one | resources, **(common | facts))

    array = {"total": 7, "pending": 5, "running": 2, "completed": 0, "failed": 0, "cancelled": 0, "expression": "0-8"}
    split = array | {"rest": "2-5,8%2", "rest_reason": "JobArrayTaskLimit"}
    held = array | {"total": 10, "rest": "1-30:3%1", "rest_reason": "JobHeldUser"}
    return [
        make(307, "a very long | name", 90, running),
        make(308, "fails", 5, failed),
        make(309, "two", 1440, running | {"node_list": "c[1-2]"}, nodes=2, cpus=2),
        make(310, "held", 10, HOLD),
        make(311, "big", 30, PENDING, nodes=4, cpus=4),
        make(312, "arr", 120, running | {"array": split}),
        make(314, "steps", 5, HOLD | {"array": held}),
    ]


def _gateway(elapsed: int) -> Gateway:
    def tasks(number: int, *views: dict[str, Any]) -> dict[str, Any]:
        return {"items": [view | {"address": f"{number}_{view['task']}"} for view in views], "next_cursor": None}

    run = {"started_at": STARTED.isoformat()}
    return Gateway(
        {
            "GET /v1/whoami": WHOAMI | {"user": "sgwdemo-ada"},
            "GET /v1/jobs": {"items": _jobs(elapsed), "next_cursor": None},
            "GET /v1/jobs/312/tasks": tasks(312, task(0, **run), task(1, **run)),
        }
    )


@pytest.mark.parametrize(
    ("recording", "elapsed", "command"),
    [
        ("squeue", 6, ["squeue"]),
        ("squeue-long", 6, ["squeue", "-l"]),
        ("squeue-r", 6, ["squeue", "-r"]),
        ("sacct", 7, ["sacct", "-X"]),
        ("sacct-b", 7, ["sacct", "-X", "-b"]),
        (
            "sacct-w",
            7,
            ["sacct", "-o", "jobid%20,state%12,elapsed,start,end,nodelist%9,workdir,exitcode,timelimit"],
        ),
    ],
)
def test_a_list_is_what_slurm_prints_of_the_same_jobs(recording: str, elapsed: int, command: list[str]) -> None:
    printed = sgw(*command, gateway=_gateway(elapsed), now=STARTED + timedelta(seconds=elapsed))
    assert printed.err == ""
    # Slurm 22.05 loses the last task when `squeue -r` unfolds 1-28:3; it was there, and we show it.
    ours = [line for line in printed.out.splitlines() if not line.lstrip().startswith("314_28 ")]
    assert sorted(ours) == sorted((GOLDEN / f"{recording}.txt").read_text().splitlines())


def _pool(name: str, nodes: int, **counts: int | bool | None) -> dict[str, Any]:
    return {
        "name": name, "cluster": "dev", "partition": name, "default": False, "available": True, "nodes": nodes,
        "nodes_idle": 0, "nodes_allocated": 0, "nodes_down": 0, "nodes_powered_down": 0, "cpus": 4 * nodes,
        "cpus_allocated": 0, "cpus_idle": 4 * nodes, "cpus_per_node": 4, "memory_mb_per_node": 4000, "gpus": 0,
        "max_time_s": 86400, "jobs_queued": 0, "jobs_running": 0, "observed_at": None,
    } | counts  # fmt: skip


POOLS = [
    _pool("cpu", 4, nodes_idle=4, default=True),
    _pool("gpu", 2, nodes_idle=2),
    _pool("burst", 2, nodes_powered_down=2),
]


@pytest.mark.parametrize(("recording", "command"), [("sinfo", ["sinfo"]), ("sinfo-s", ["sinfo", "-s"])])
def test_pools_are_what_sinfo_prints_but_for_the_names_of_nodes(recording: str, command: list[str]) -> None:
    printed = sgw(*command, gateway=Gateway({"GET /v1/nodepools": {"items": POOLS}}))
    header, *lines = (GOLDEN / f"{recording}.txt").read_text().splitlines()
    nameless = [line.rsplit(" ", 1)[0] + " n/a" for line in lines]
    assert printed.out.splitlines() == [header, *nameless]


def test_nodes_of_a_pool_are_told_apart_by_state() -> None:
    mixed = _pool("cpu", 8, nodes_idle=1, nodes_allocated=3, nodes_down=2, nodes_powered_down=2, max_time_s=None)
    gateway = Gateway({"GET /v1/nodepools": {"items": [mixed]}})
    assert [line.split()[2:5] for line in sgw("sinfo", "-h", gateway=gateway).out.splitlines()] == [
        ["infinite", "2", "down"], ["infinite", "3", "alloc"], ["infinite", "1", "idle"], ["infinite", "2", "idle~"],
    ]  # fmt: skip
    assert sgw("sinfo", "-p", "cpu", "-h", "-o", "%D", gateway=gateway).out == "8\n"
    assert sgw("sinfo", "-p", "gpu", gateway=gateway).status == 4
