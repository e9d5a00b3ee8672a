"""The status is readable for people and programs, and a node is usable only when Slurm says so without a suffix."""

import json

import pytest

from gateway.devcluster.nodes import NodeState
from gateway.devcluster.status import DaemonStatus, MachineStatus, Status

DAEMON = DaemonStatus(name="slurmctld", state="up", pid=42, log="/x/slurmctld.log")
MACHINE = MachineStatus(name="c1", address="10.77.0.11", state="cut", slurm="down*", reason="Not responding")


def test_the_table_shows_daemons_machines_and_a_verdict():
    status = Status(root="/x", daemons=(DAEMON,), machines=(MACHINE,), up=False)

    lines = status.table().splitlines()
    assert lines[1].split() == ["slurmctld", "up", "42", "/x/slurmctld.log"]
    assert lines[4].split() == ["c1", "cut", "10.77.0.11", "down*", "Not", "responding"]
    assert "sgw dev up" in lines[-1]


def test_the_json_says_the_same():
    status = json.loads(Status(root="/x", daemons=(DAEMON,), machines=(MACHINE,), up=True).to_json())

    assert status["up"] is True
    assert status["daemons"][0]["pid"] == 42
    assert status["machines"][0]["slurm"] == "down*"


@pytest.mark.parametrize("state", ["idle", "mixed", "allocated", "completing"])
def test_a_node_is_usable_in_every_state_in_which_jobs_run(state: str):
    assert NodeState(name="c1", state=state, reason="none").usable


@pytest.mark.parametrize("state", ["idle*", "down", "down*", "idle~", "drained", "inval", "unknown", "allocated#"])
def test_a_node_is_not_usable_when_silent_powered_down_or_given_up(state: str):
    assert not NodeState(name="c1", state=state, reason="none").usable
