"""The gateway's processes live and die together, however their supervisor ends."""

import os
import signal
from pathlib import Path

import pytest

from gateway.demo import service
from gateway.demo.place import Place
from gateway.devcluster import processes
from gateway.devcluster.cluster import DevCluster
from gateway.states import Phase, State
from tests.live import eventually, running

pytestmark = pytest.mark.cluster


def test_a_killed_supervisor_takes_its_children_along_and_the_next_one_serves(dev_cluster: DevCluster):
    place = Place(cluster=dev_cluster.settings, name="gateway-kill", port_offset=98)
    with running(dev_cluster, place) as live:
        job = live.submit("sleep 5; echo survived")
        eventually(lambda: live.client().job(job.id).phase is Phase.RUNNING, what="the job's start")
        supervisor = processes.find(dev_cluster.ledger, service.serve_name(place))
        assert supervisor is not None
        children = children_of(supervisor.pid)
        assert {module for module in MODULES if any(module in words for words in children.values())} == MODULES

        os.kill(supervisor.pid, signal.SIGKILL)
        eventually(lambda: not members_of(supervisor.pid), within_s=5, what="the children's end")

        service.start(place, dev_cluster.ledger)
        assert live.output(live.run("echo afresh")) == "afresh\n"
        ended = live.finish(job)
        assert (ended.state, ended.attempt, live.output(ended)) == (State.COMPLETED, 1, "survived\n")


def test_a_stop_ends_what_a_killed_supervisor_left(dev_cluster: DevCluster):
    """Children that were started without the kernel's promise, say by an older version, hold port and socket."""
    place = Place(cluster=dev_cluster.settings, name="gateway-kill", port_offset=98)
    ledger = dev_cluster.ledger
    log = dev_cluster.root / "log" / "gateway-kill-left.log"
    orphaning = ["/bin/sh", "-c", "sleep 600 & sleep 600 & wait"]
    supervisor = processes.start_detached(orphaning, name=service.serve_name(place), ledger=ledger, log=log)
    eventually(lambda: len(members_of(supervisor.pid)) == 3, what="the start of two children")
    os.kill(supervisor.pid, signal.SIGKILL)
    eventually(lambda: not processes.is_alive(supervisor), what="the supervisor's end")
    assert len(members_of(supervisor.pid)) == 2
    service.stop(place, ledger)
    assert members_of(supervisor.pid) == []
    assert ledger.find("process", service.serve_name(place)) is None


MODULES = {"gateway.app", "gateway.worker", "redis-server"}


def children_of(pid: int) -> dict[int, str]:
    """Read the command lines of a process's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child): Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in children}


def members_of(session: int) -> list[int]:
    """Find the living processes of a session."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, found = path.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(found) == session and state not in "ZX":
            members.append(int(path.parent.name))
    return members
