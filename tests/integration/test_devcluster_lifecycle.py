"""A dev cluster comes up, breaks, heals, survives being killed half-way, and leaves nothing behind.

It has a state directory, subnet, ports and users of its own, so that the default cluster never notices.
"""

import fcntl
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.commands import clean_env, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DevSettings

pytestmark = pytest.mark.cluster

SETTINGS = DevSettings(
    root=Path("/var/lib/sgw-dev-test"),
    name="sgwtest",
    subnet="10.79.0",
    base_port=27300,
    user_prefix="sgwtest-",
    min_job_age=30,
)
ADA = "sgwtest-ada"


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    """Let one test run at a time have this cluster."""
    with Path("/run/lock/sgw-dev-test").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        DevCluster(SETTINGS).down()
        yield
        DevCluster(SETTINGS).down()


@pytest.fixture
def cluster() -> DevCluster:
    cluster = DevCluster(SETTINGS)
    cluster.up()
    return cluster


def slurm(cluster: DevCluster, *argv: str) -> str:
    env = clean_env(SLURM_CONF=str(cluster.slurm_conf))
    return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def start_job(cluster: DevCluster, node: str) -> str:
    job = slurm(
        cluster, "sbatch", "--parsable", "--uid", ADA, "--gid", ADA, "--no-requeue", f"--nodelist={node}",
        "--output=/dev/null", "--wrap", "sleep 600",
    )  # fmt: skip
    wait_until(lambda: job_state(cluster, job) == "RUNNING", what=f"job {job} to run", seconds=30)
    return job


def job_state(cluster: DevCluster, job: str) -> str:
    return slurm(cluster, "squeue", "-h", "-t", "all", "-j", job, "-o", "%T")


def reaches_slurmd(node: str) -> bool:
    try:
        with socket.create_connection((SETTINGS.machine(node).address, SETTINGS.ports["slurmd"]), timeout=1):
            return True
    except OSError:
        return False


def traces() -> list[str]:
    """List everything on this computer that bears the test cluster's name."""
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(SETTINGS.root) in line]
    found += [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(SETTINGS.name)]
    found += [entry.pw_name for entry in pwd.getpwall() if entry.pw_name.startswith(SETTINGS.user_prefix)]
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if str(SETTINGS.root).encode() in words:
                found.append(f"process {process.name}")
    return found + ([str(SETTINGS.root)] if SETTINGS.root.exists() else [])


def test_up_again_is_quick_and_changes_nothing(cluster: DevCluster):
    before = [daemon.pid for daemon in cluster.status().daemons]
    began = time.monotonic()
    cluster.up()

    assert time.monotonic() - began < 10  # 0.3 s when nobody else uses the machine
    assert [daemon.pid for daemon in cluster.status().daemons] == before


def test_a_killed_node_loses_its_jobs_and_comes_back(cluster: DevCluster):
    job = start_job(cluster, "c2")

    assert cluster.kill_node("c2") >= 4  # holder, slurmd, slurmstepd, the job
    assert not cluster.status().up
    with pytest.raises(DevClusterError, match="c2 is off"):
        cluster.cut_node("c2")
    cluster.heal_node("c2")

    wait_until(lambda: job_state(cluster, job) == "NODE_FAIL", what="loss of the job", seconds=30)
    wait_until(lambda: cluster.status().up, what="all up again", seconds=30)


def test_a_cut_node_keeps_its_jobs_and_comes_back(cluster: DevCluster):
    job = start_job(cluster, "c3")
    cluster.cut_node("c3")
    assert not reaches_slurmd("c3")
    assert next(machine.state for machine in cluster.status().machines if machine.name == "c3") == "cut"
    cluster.heal_node("c3")

    assert reaches_slurmd("c3")
    assert job_state(cluster, job) == "RUNNING"
    slurm(cluster, "scancel", job)


def test_a_stopped_daemon_is_down_until_it_is_started(cluster: DevCluster):
    cluster.stop("slurmctld")
    assert cluster.pid("slurmctld") is None
    assert [daemon.name for daemon in cluster.status().daemons if daemon.state == "down"] == ["slurmctld"]

    cluster.start("slurmctld")

    assert "UP" in slurm(cluster, "scontrol", "ping")


def test_up_repairs_a_cluster_in_which_much_is_broken(cluster: DevCluster):
    cluster.kill_node("c1")
    cluster.cut_node("c4")
    cluster.stop("slurmdbd")
    cluster.stop("munged")

    cluster.up()

    assert cluster.status().up, cluster.status().table()


def test_a_new_user_may_submit_to_the_account_at_once(cluster: DevCluster):
    cluster.add_user("sgwtest-emmy", account="noether")
    cluster.add_user("sgwtest-emmy", account="noether")

    out = slurm(cluster, "sbatch", "--hold", "--uid=sgwtest-emmy", "--gid=sgwtest-emmy", "-Anoether", "--wrap=true")
    assert out.startswith("Submitted batch job")
    with pytest.raises(DevClusterError, match="start with 'sgwtest-'"):
        cluster.add_user("root", account="noether")


def test_other_settings_for_the_same_directory_are_refused(cluster: DevCluster):
    with pytest.raises(DevClusterError, match="other settings"):
        DevCluster(DevSettings(root=cluster.root, name="another")).up()


def test_down_leaves_nothing_and_may_be_repeated(cluster: DevCluster):
    assert traces()

    cluster.down()

    assert traces() == []
    cluster.down()


@pytest.mark.parametrize("delay", [0.3, 1.5])
def test_an_up_killed_half_way_is_repaired_by_up_and_removed_by_down(delay: float):
    again = DevCluster(SETTINGS)
    again.down()
    options = ["--name=sgwtest", "--subnet=10.79.0", "--base-port=27300", "--user-prefix=sgwtest-", "--min-job-age=30"]
    argv = [sys.executable, "-m", "gateway.devcluster", "--root", str(SETTINGS.root), "up", *options]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[2]) as up:
        try:
            up.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            up.kill()

    again.up()
    assert again.status().up
    again.down()
    assert traces() == []


def test_without_accounting_jobs_run_and_everybody_sees_the_queue():
    bare = DevCluster(DevSettings(root=SETTINGS.root, name="sgwtest", subnet="10.79.0", base_port=27300,
                                  user_prefix="sgwtest-", accounting=False))  # fmt: skip
    bare.up()

    job = start_job(bare, "c1")
    running = slurm(bare, "setpriv", "--reuid=sgwtest-gateway", "--clear-groups", "squeue", "-h", "-o", "%A")
    bare.down()

    assert running.split() == [job]
    assert traces() == []


def test_a_directory_that_is_not_ours_is_neither_used_nor_removed():
    SETTINGS.root.mkdir()
    treasure = SETTINGS.root / "treasure"
    treasure.write_text("gold")
    try:
        with pytest.raises(DevClusterError, match="not empty and not ours"):
            DevCluster(SETTINGS).up()
        DevCluster(SETTINGS).down()
        assert treasure.read_text() == "gold"
    finally:
        treasure.unlink()
        SETTINGS.root.rmdir()
