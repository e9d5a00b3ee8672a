"""A tenant's job on the real Slurm, from submission to its last byte."""

import json
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.client import LogBytes
from gateway.states import Phase, Reason, State
from gateway.wire import JobRequest, JobView, LogEnd
from tests.live import SLOW, Live, eventually

pytestmark = pytest.mark.cluster


def sgw(live: Live, *words: str, user: str = "ada", stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SGW_URL": live.place.url}
    environment["SGW_TOKEN"] = live.token(user)
    argv = [sys.executable, "-m", "gateway.cli", *words]
    return subprocess.run(argv, input=stdin, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module", autouse=True)
def overlong(live: Live) -> JobView:
    """A job over its limit. Slurm's shortest limit is a minute, so it runs while the other tests do."""
    return live.submit("sleep 300", "--time=1")


def test_a_job_runs_as_its_tenants_unix_user_and_never_as_root(live: Live):
    job = live.run("id -un; id -gn; id -Gn; umask; ulimit -n; env | grep -c '^SGW_TOKEN' ; pwd")
    assert job.state is State.COMPLETED
    user, group, groups, umask, _, secrets, workdir = live.output(job).splitlines()
    assert (user, group, groups) == ("sgwdemo-ada", "sgwdemo-ada", "sgwdemo-ada")
    assert umask == "0022"
    assert secrets == "0"
    assert workdir == pwd.getpwnam("sgwdemo-ada").pw_dir
    assert job.exit_code == 0
    assert job.node_list


def test_the_gateway_itself_is_not_root(live: Live):
    owner = pwd.getpwnam("sgwdemo-gateway").pw_uid
    for module in ("gateway.app", "gateway.worker"):
        for pid in live.pids(module):
            assert os.stat(f"/proc/{pid}").st_uid == owner


def test_an_mpi_program_runs_on_four_nodes(live: Live):
    request = JobRequest(runtime="mpi", command=("hostname",), nodes=4, tasks_per_node=2, time_limit=2)
    job = live.finish(live.client().submit(request, key="mpi"))
    assert job.state is State.COMPLETED
    assert sorted(live.output(job).split()) == ["c1", "c1", "c2", "c2", "c3", "c3", "c4", "c4"]
    assert job.nodes_allocated == 4


def test_a_failing_job_says_so_with_its_exit_code(live: Live):
    job = live.run("echo before; exit 42")
    assert (job.state, job.reason, job.exit_code) == (State.FAILED, Reason.EXIT_CODE, 42)
    assert live.output(job) == "before\n"


def test_exit_codes_above_127_are_told_as_they_were(live: Live):
    assert live.run("exit 130").exit_code == 130


def test_a_submission_is_answered_within_two_seconds(live: Live):
    started = time.monotonic()
    job = live.submit("true")
    assert time.monotonic() - started < 2 * SLOW
    live.finish(job)


def test_a_log_line_is_seen_within_five_seconds_of_being_written(live: Live):
    job = live.submit("for i in 1 2 3; do date +%s.%N; sleep 0.5; done")
    late = []
    for item in live.client().follow_logs(job.id, stream="stdout"):
        if isinstance(item, LogBytes):
            late += [time.time() - float(line) for line in item.data.decode().split()]
    assert len(late) == 3
    assert max(late) < 5 * SLOW


def test_a_followed_log_ends_with_the_jobs_end_and_has_every_byte(live: Live):
    job = live.submit(r"head -c 300000 /dev/zero | tr '\0' 'x'; printf 'h\xc3\xa9\xff\xfe\n'; exit 5")
    data, end = b"", None
    for item in live.client().follow_logs(job.id, stream="stdout"):
        if isinstance(item, LogBytes):
            data += item.data
        elif isinstance(item, LogEnd):
            end = item
    assert data == b"x" * 300000 + b"h\xc3\xa9\xff\xfe\n"
    assert end is not None
    assert (end.state, end.exit_code) == (State.FAILED, 5)


def test_stdout_and_stderr_of_a_described_run_are_apart(live: Live):
    command = ("sh", "-c", "echo out; echo err >&2")
    job = live.finish(live.client().submit(JobRequest(runtime="srun", command=command), key="apart"))
    client = live.client()
    assert client.logs(job.id, stream="stdout") == b"out\n"
    assert client.logs(job.id, stream="stderr") == b"err\n"


def test_a_cancelled_job_is_cancelled_when_slurm_says_so(live: Live):
    job = live.submit("sleep 300")
    eventually(lambda: live.client().job(job.id).phase is Phase.RUNNING, what="the start")
    with live.http() as http:
        first = http.delete(f"/v1/jobs/{job.id}")
        assert first.status_code == 202
        ended = live.finish(job)
        assert (ended.state, ended.reason) == (State.CANCELLED, Reason.CANCELLED_BY_USER)
        again = http.delete(f"/v1/jobs/{job.id}")
        assert again.status_code == 200
        assert again.json()["state"] == "CANCELLED"


def test_array_tasks_have_states_logs_and_cancellation_of_their_own(live: Live):
    job = live.submit(
        "echo task $SLURM_ARRAY_TASK_ID; [ $SLURM_ARRAY_TASK_ID = 3 ] && sleep 300; exit 0", "--array=1-3"
    )
    eventually(lambda: any(t.task == 3 and t.state is State.RUNNING for t in live.client().tasks(job.id).items))
    assert live.client().cancel(f"{job.id}_3").id == job.id
    ended = live.finish(job)
    states = {task.task: task.state for task in live.client().tasks(job.id).items}
    assert states == {1: State.COMPLETED, 2: State.COMPLETED, 3: State.CANCELLED}
    assert live.output(job, task=2) == "task 2\n"
    assert ended.array is not None
    assert (ended.array.completed, ended.array.cancelled, ended.array.total) == (2, 1, 3)


def test_dependencies_name_gateway_jobs(live: Live):
    first = live.submit("sleep 1; exit 0")
    second = live.submit("echo after", f"--dependency=afterok:{first.id}")
    hopeless = live.submit("echo never", f"--dependency=afternotok:{first.id}")
    assert live.finish(second).state is State.COMPLETED
    never = live.finish(hopeless)
    assert (never.state, never.reason) == (State.CANCELLED, Reason.DEPENDENCY_FAILED)
    started = live.client().job(second.id).started_at
    ended = live.client().job(first.id).ended_at
    assert started is not None
    assert ended is not None
    assert started >= ended


def test_the_output_file_that_sbatch_would_write_is_there(live: Live):
    job = live.run("echo hello", "--output=res-%x.txt", "--job-name=named")
    assert job.name == "named"
    assert (Path(pwd.getpwnam("sgwdemo-ada").pw_dir) / "res-named.txt").read_text() == "hello\n"


def test_signals_before_the_end_reach_the_script(live: Live):
    body = "trap 'echo got USR1; exit 0' USR1\nsleep 300 & wait"
    job = live.submit(body, "--signal=B:USR1@55", "--time=1")
    assert live.finish(job, within_s=100).state is State.COMPLETED
    assert "got USR1" in live.output(job)


def test_a_foreign_script_just_runs_with_warnings(live: Live):
    directives = ("--account=elsewhere", "-p gpu_prod,standard", "-o /scratch/x/%j.out")
    script = "#!/bin/bash\n" + "".join(f"#SBATCH {one}\n" for one in directives) + "echo ran\n"
    done = sgw(live, "sbatch", "--wait", stdin=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Submitted batch job ")
    for word in ("elsewhere", "gpu_prod", "/scratch/x"):
        assert word in done.stderr


def test_the_command_line_speaks_like_slurms(live: Live):
    done = sgw(live, "sbatch", "--parsable", "--wrap", "echo via cli; exit 3")
    job = done.stdout.strip()
    assert job.isdecimal(), done.stderr
    assert sgw(live, "logs", "-f", "--exit-code", job).returncode == 3
    row = sgw(live, "sacct", "-j", job, "-X", "-n", "-P", "-o", "JobID,State,ExitCode").stdout
    assert row == f"{job}|FAILED|3:0\n"
    assert sgw(live, "squeue", "-h", "-j", job).stdout == ""
    waited = sgw(live, "sbatch", "--wait", "--wrap", "exit 9")
    assert waited.returncode == 9
    assert json.loads(sgw(live, "sinfo", "--json").stdout)["items"]
    refused = sgw(live, "sbatch", "--uid=0", "--wrap", "id")
    assert refused.returncode != 0
    assert "--uid" in refused.stderr


def test_a_job_over_its_time_limit_is_a_timeout(live: Live, overlong: JobView):
    job = live.finish(overlong, within_s=150)
    assert (job.state, job.reason) == (State.FAILED, Reason.TIMEOUT)
