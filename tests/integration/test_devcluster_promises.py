"""The dev cluster is a real Slurm: it enforces limits, hides jobs, counts GPUs, kills for memory, preempts, powers up.

These tests use the default cluster as they find it (or bring it up), next to whoever else uses it.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.commands import clean_env, wait_until
from gateway.devcluster.settings import DEFAULT_ROOT

pytestmark = pytest.mark.cluster

ADA, GRACE = "sgwdemo-ada", "sgwdemo-grace"
MPI = """
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, sum, length; char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank); MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("%s %d of %d sum %d\\n", host, rank, size, sum);
    MPI_Finalize();
}
"""


@pytest.fixture(scope="module")
def cluster() -> DevCluster:
    cluster = DevCluster.at(Path(os.environ.get("SGW_DEV_ROOT") or DEFAULT_ROOT))
    cluster.up()
    return cluster


@pytest.fixture
def folder(cluster: DevCluster, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = cluster.root / "home" / ADA / request.node.name
    run(cluster, ADA, "mkdir", "-p", str(folder))
    yield folder
    run(cluster, ADA, "rm", "-rf", str(folder))


def run(cluster: DevCluster, user: str, *argv: str, stdin: str = "") -> str:
    done = try_run(cluster, user, *argv, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def try_run(cluster: DevCluster, user: str, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = clean_env(SLURM_CONF=str(cluster.slurm_conf))
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user != "root" else []
    return subprocess.run(
        [*as_user, *argv], input=stdin, env=env, cwd="/", capture_output=True, text=True, timeout=90, check=False
    )


def submit(cluster: DevCluster, folder: Path, script: str, *options: str, user: str = ADA) -> str:
    sbatch = ["sbatch", "--parsable", f"--chdir={folder}", "--output=out", *options]
    return run(cluster, user, *sbatch, stdin=f"#!/bin/bash\n{script}\n")


def state(cluster: DevCluster, job: str) -> str:
    return run(cluster, "root", "squeue", "-h", "-t", "all", "-j", job, "-o", "%T")


def wait_for(cluster: DevCluster, job: str, *wanted: str, seconds: float = 60) -> str:
    wait_until(lambda: state(cluster, job) in wanted, what=f"job {job} to be {wanted}", seconds=seconds)
    return state(cluster, job)


def test_status_says_that_all_is_up(cluster: DevCluster):
    status = cluster.status()

    assert status.up, status.table()
    assert [machine.name for machine in status.machines] == ["c1", "c2", "c3", "c4", "b1", "b2", "login"]


def test_a_tenants_mpi_program_runs_on_four_nodes(cluster: DevCluster, folder: Path):
    run(cluster, ADA, "mpicc", "-x", "c", "-o", str(folder / "ring"), "-", stdin=MPI)

    out = run(cluster, ADA, "srun", "-N4", "--ntasks-per-node=2", "-D", str(folder), str(folder / "ring"))

    expected = [f"c{1 + rank // 2} {rank} of 8 sum 28" for rank in range(8)]
    assert sorted(out.splitlines(), key=lambda line: int(line.split()[1])) == expected


def test_a_job_is_its_tenant_and_nobody_else(cluster: DevCluster, folder: Path):
    job = submit(cluster, folder, "id -un; id -gn; id -Gn")
    wait_for(cluster, job, "COMPLETED")

    assert (folder / "out").read_text().split() == [ADA, ADA, ADA]


def test_jobs_of_others_are_hidden_from_tenants_and_shown_to_the_gateway(cluster: DevCluster, folder: Path):
    job = submit(cluster, folder, "true", "--hold")
    seen_by = {user: run(cluster, user, "squeue", "-h", "-o", "%A") for user in (ADA, GRACE, "sgwdemo-gateway")}
    run(cluster, ADA, "scancel", job)

    assert job in seen_by[ADA].split()
    assert job not in seen_by[GRACE].split()
    assert job in seen_by["sgwdemo-gateway"].split()


def test_a_foreign_account_is_refused(cluster: DevCluster):
    done = try_run(cluster, ADA, "sbatch", "--account=globex", "--wrap=true")

    assert done.returncode == 1
    assert "Invalid account" in done.stderr


def test_a_job_over_its_memory_is_killed(cluster: DevCluster, folder: Path):
    job = submit(cluster, folder, "python3 -c 'x = bytearray(400 << 20); import time; time.sleep(20)'", "--mem=100")

    assert wait_for(cluster, job, "OUT_OF_MEMORY", "FAILED", "COMPLETED") in {"OUT_OF_MEMORY", "FAILED"}
    assert "kill" in (folder / "out").read_text().lower()


def test_gpus_are_counted_and_numbered(cluster: DevCluster, folder: Path):
    job = submit(cluster, folder, "echo $CUDA_VISIBLE_DEVICES", "--partition=gpu", "--gres=gpu:2")
    wait_for(cluster, job, "COMPLETED")

    assert (folder / "out").read_text() == "0,1\n"


def test_an_urgent_job_preempts_a_normal_one(cluster: DevCluster, folder: Path):
    # One named node, all of it: the others stay free for whoever else tests here.
    whole_node = ("--nodelist=c4", "--exclusive", "--mem=0")
    normal = submit(cluster, folder, "sleep 600", "--no-requeue", *whole_node)
    wait_for(cluster, normal, "RUNNING")

    urgent = submit(cluster, folder, "true", "--qos=urgent", *whole_node)

    assert wait_for(cluster, normal, "PREEMPTED", "COMPLETED") == "PREEMPTED"
    wait_for(cluster, urgent, "COMPLETED")


def test_a_burst_node_is_made_for_a_job_and_runs_it(cluster: DevCluster, folder: Path):
    job = submit(cluster, folder, "hostname", "--partition=burst")
    wait_for(cluster, job, "COMPLETED")

    assert (folder / "out").read_text() in {"b1\n", "b2\n"}


def test_the_login_host_lets_a_tenant_in_with_a_key_and_submit(cluster: DevCluster):
    login = cluster.settings.machine("login").address
    options = ["-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"]
    key = str(cluster.ssh_key(ADA))

    out = run(cluster, "root", "ssh", *options, "-i", key, f"{ADA}@{login}", "hostname; sbatch --hold --wrap true")
    job = out.split()[-1]
    run(cluster, ADA, "scancel", job)

    assert out.split()[0] == "login"
    assert job.isdecimal()


def test_slurmrestd_answers_with_a_tenants_token(cluster: DevCluster):
    token = run(cluster, "root", "scontrol", "token", f"username={ADA}", "lifespan=60").removeprefix("SLURM_JWT=")
    url = f"http://{cluster.settings.controller}:{cluster.settings.ports['slurmrestd']}/slurm/v0.0.38/ping"
    headers = {"X-SLURM-USER-NAME": ADA, "X-SLURM-USER-TOKEN": token}

    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        body = json.load(answer)

    assert body["errors"] == []
    assert body["pings"][0]["ping"] == "UP"
