"""Processes die and Slurm stops answering: nothing is lost, nothing runs twice, and nobody is told stories."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.demo.place import Place
from gateway.devcluster.cluster import DevCluster
from gateway.states import Phase, State
from tests.live import Live, cluster_apart, eventually, running

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def storm() -> Iterator[DevCluster]:
    """A cluster of these tests' own: its slurmctld is stopped, which others must not notice."""
    with cluster_apart("storm", subnet="10.82.0", base_port=27700) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def live(storm: DevCluster) -> Iterator[Live]:
    """A gateway as it comes."""
    with running(storm, Place(cluster=storm.settings)) as live:
        yield live


@pytest.fixture(scope="module")
def slow(storm: DevCluster) -> Iterator[Live]:
    """A gateway whose sbatch answers three seconds after Slurm accepted the job, with short leases."""
    script = storm.root / "bin" / "slow-sbatch"
    script.write_text('#!/bin/sh\nanswer=$(sbatch "$@") || exit\nsleep 3\necho "$answer"\n')
    script.chmod(0o755)
    settings = "lease_s = 4\nlease_renew_s = 1\n"
    place = Place(cluster=storm.settings, name="slow", port_offset=91, sbatch=str(script), settings=settings)
    with running(storm, place) as live:
        yield live


def runs_of(marker: Path) -> int:
    return len(marker.read_text().splitlines()) if marker.exists() else 0


def marker_for(live: Live, name: str) -> Path:
    marker = live.cluster.root / "home" / live.unix_user("ada") / f"{name}-{time.monotonic_ns()}"
    marker.unlink(missing_ok=True)
    return marker


def test_a_controller_killed_between_sbatch_and_its_answer_adopts_the_job(slow: Live):
    marker = marker_for(slow, "adopted")
    job = slow.submit(f"echo ran >> {marker}; echo done")
    eventually(lambda: slow.client().job(job.id).phase is Phase.SUBMITTING, what="the intent")
    eventually(lambda: list(slow.place.attempts.glob(f"*/{job.id}-*/launch")), what="sbatch's start")
    slow.kill("gateway.worker")
    ended = slow.finish(job, within_s=90)
    assert ended.state is State.COMPLETED
    assert ended.attempt == 1
    assert runs_of(marker) == 1


def test_every_job_of_a_burst_survives_kills_of_all_processes(slow: Live):
    marker = marker_for(slow, "burst")
    jobs = [slow.submit(f"echo $SGW_JOB_ID >> {marker}") for _ in range(8)]
    for _ in range(3):
        slow.kill("gateway.worker")
        eventually(lambda: slow.pids("gateway.worker"), what="a new controller")
        time.sleep(1)  # lets the new controller get somewhere before it is killed, too
    slow.kill("gateway.app")
    eventually(lambda: slow.pids("gateway.app"), what="a new API")
    with slow.http() as http:
        eventually(lambda: _answers(http.base_url), what="the API's answer")
    for job in jobs:
        assert slow.finish(job, within_s=120).state is State.COMPLETED
    ran = marker.read_text().split()
    assert sorted(ran, key=int) == sorted((job.id for job in jobs), key=int)


def _answers(url: object) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_while_slurmctld_is_down_jobs_are_accepted_and_wait(live: Live):
    live.cluster.stop("slurmctld")
    try:
        eventually(lambda: live.http().get("/readyz").status_code == 503, what="/readyz saying so", within_s=60)
        job = live.submit("echo after the storm")
        assert job.state is State.PENDING
        assert live.client().job(job.id).state is State.PENDING
    finally:
        live.cluster.start("slurmctld")
    ended = live.finish(job, within_s=120)
    assert ended.state is State.COMPLETED
    assert live.output(job) == "after the storm\n"


def test_a_slurmctld_that_hangs_fails_no_job(live: Live):
    running_job = live.submit("sleep 8; echo survived")
    eventually(lambda: live.client().job(running_job.id).phase is Phase.RUNNING, what="the start")
    pid = live.cluster.pid("slurmctld")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(12)  # longer than one query's patience, and than the job
        assert live.client().job(running_job.id).state is State.RUNNING
    finally:
        os.kill(pid, signal.SIGCONT)
    assert live.finish(running_job, within_s=120).state is State.COMPLETED


def test_an_sbatch_that_lands_after_all_runs_nothing(slow: Live):
    """No look-up can prove that a killed sbatch will not land when slurmctld wakes: only the claim fences it."""
    marker = marker_for(slow, "late")
    pid = slow.cluster.pid("slurmctld")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        job = slow.submit(f"echo $SLURM_JOB_ID >> {marker}")
        eventually(lambda: sbatches_of(job.id), what="an sbatch that waits for slurmctld")
        slow.kill("gateway.worker")
        for sbatch in sbatches_of(job.id):
            os.kill(sbatch, signal.SIGKILL)
        first = slow.place.attempts / slow.unix_user("ada")
        eventually(
            lambda: [path for path in first.glob(f"{job.id}-main-1-*/claim") if path.read_text() == "VOID"],
            what="the void claim",
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    ended = slow.finish(job, within_s=120)
    assert ended.state is State.COMPLETED
    assert ended.attempt == 2
    assert runs_of(marker) == 1
    assert marker.read_text().strip() == ended.slurm_job_id


def sbatches_of(job: str) -> list[int]:
    """Find the real sbatch of a job's attempts, by its working directory's name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sbatch") and any(f"/{job}-main-".encode() in word for word in words):
            found.append(int(path.parent.name))
    return found
