"""Lists look exactly like Slurm's: the same facts give the lines that Slurm 22.05.8 printed."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.slurm.capacity import pools
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


def _pools() -> dict[str, Any]:
    """Show the pools as the gateway does, from what it was told when Slurm's own answers were recorded."""
    raw = (GOLDEN.parent / "slurm" / "22.05.8" / "sinfo.txt").read_text()
    rest = {"cluster": "dev", "jobs_queued": 0, "jobs_running": 0, "observed_at": None}
    return {"items": [asdict(pool) | {"name": pool.partition} | rest for pool in pools(raw)]}


@pytest.mark.parametrize(
    ("recording", "command"),
    [
        ("sinfo", []),
        ("sinfo-s", ["-s"]),
        ("sinfo-N", ["-N"]),
        ("sinfo-n", ["-n", "c[2-4]"]),
        ("sinfo-t", ["-o", "%t %D %N %F"]),
        ("sinfo-p", ["-h", "-p", "gpu", "-o", "%D %C %R|%l %T"]),
        ("sinfo-all", ["-h", "-o", "%D %N %C"]),
    ],
)
def test_pools_are_what_sinfo_prints(recording: str, command: list[str]) -> None:
    printed = sgw("sinfo", *command, gateway=Gateway({"GET /v1/nodepools": _pools()}))
    assert printed.out == (GOLDEN / f"{recording}.txt").read_text()


def test_pools_answer_what_else_people_ask_of_sinfo() -> None:
    gateway = Gateway({"GET /v1/nodepools": _pools()})
    assert sgw("sinfo", "-h", "-o", "%P %D %t", "-t", "drained", gateway=gateway).out == (
        "cpu* 1 drain\ngpu 1 drain\nburst 0 n/a\n"
    )
    assert sgw("sinfo", "-N", "-h", "-p", "cpu", "-n", "c[1,4]", "-o", "%N %C %G", gateway=gateway).out == (
        "c1 N/A N/A\nc4 0/0/4/4 N/A\n"
    )
    assert sgw("sinfo", "-h", "-o", "%n", gateway=gateway).out == "c4\nc1\nc2\nc3\nb1\nb2\n"
    assert sgw("sinfo", "-l", gateway=gateway).out.splitlines()[2].split()[0] == "cpu*"
    assert "\x1b[31m drain\x1b[0m" in sgw("sinfo", gateway=gateway, terminal=True).out
    assert sgw("sinfo", "-p", "tape", gateway=gateway).status == 4
