"""A tenant with a token, a shell on the nodes and bad intentions: they harm themselves at most.

Everything here was tried by hand first. `grace` of globex attacks, `ada` of acme must not notice.
"""

import os
import pwd
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gateway.demo.place import Place
from gateway.devcluster.cluster import DevCluster
from gateway.states import Reason, State
from gateway.wire import JobView
from tests.live import SLOW, Live, eventually, running

pytestmark = pytest.mark.cluster

ATTACKER = "sgwdemo-grace"


def in_attempt(live: Live, body: str) -> str:
    """Let a script begin in its own attempt directory, which the gateway reads later."""
    return f"D={live.place.attempts}/$(id -un)/$SGW_ATTEMPT; cd $D\n{body}"


def as_attacker(live: Live, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the gateway's own machine as the attacker."""
    become = ["setpriv", f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--init-groups", "--"]
    environment = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(live.cluster.slurm_conf)}
    return subprocess.run(
        [*become, *argv], env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


def race(live: Live, things: int, act: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(things) as pool:
        return list(pool.map(act, range(things)))


def test_what_a_tenant_puts_in_place_of_a_log_is_not_followed(live: Live):
    secret = live.place.state / "gateway.db"
    tricks = {
        "a link to the gateway's database": f"ln -sf {secret} stdout",
        "a link to what everybody may read": "ln -sf /etc/passwd stdout",
        "a FIFO that nobody writes to": "rm stdout; mkfifo stdout",
        "a directory": "rm stdout; mkdir stdout",
        "another directory in place of the attempt's": "cd ..; mv $SGW_ATTEMPT gone; ln -s /etc $SGW_ATTEMPT",
        "no permissions": "chmod 000 .",
    }
    made = [live.submit(in_attempt(live, trick), user="grace") for trick in tricks.values()]
    for job in made:
        assert live.finish(job, user="grace").state is State.COMPLETED, "Slurm's word counts, not the tenant's files"
        with live.http("grace") as grace:
            for query in ("", "?tail=5", "?tail=10s", "?stream=stdout"):
                answer = grace.get(f"/v1/jobs/{job.id}/logs{query}")
                assert answer.status_code == 409
                assert "root:" not in answer.text
                assert "cannot be read as a log" in answer.json()["detail"]


def test_forged_claims_answers_and_exit_records_change_no_outcome(live: Live):
    success = '{"version": 1, "exit_code": 0, "signal": null, "started": 1, "ended": 2, "max_rss_kb": 1}'
    forged = live.submit(
        in_attempt(live, f"echo '{success}' > exit.json; chmod 444 exit.json; echo 1.0 > claim; kill -9 $PPID"),
        user="grace",
    )
    broken = live.submit(
        in_attempt(live, "rm -f exit.json claim answer.json; mkdir exit.json; truncate -s 4G claim; exit 3"),
        user="grace",
    )
    fenced = live.submit(in_attempt(live, "touch FENCED; ln -sf /etc/shadow claim; exit 0"), user="grace")
    ended = live.finish(forged, user="grace")
    assert (ended.state, ended.reason) == (State.FAILED, Reason.EXIT_CODE)
    ended = live.finish(broken, user="grace")
    assert (ended.state, ended.exit_code) == (State.FAILED, 3)
    assert live.finish(fenced, user="grace").state is State.COMPLETED


def test_the_owner_of_a_slurm_job_cannot_make_the_gateway_lose_it(live: Live):
    job = live.submit("echo ran", "--begin=now+3", user="grace")
    slurm = eventually(lambda: live.client("grace").job(job.id).slurm_job_id, what="the binding")
    for change in ("WorkDir=/tmp", "JobName=a|b\nJobId=1\x1f", "Comment=x\ny", "StdOut=/tmp/elsewhere-%j"):
        as_attacker(live, "scontrol", "update", f"JobId={slurm}", change)
    killed = live.submit("sleep 100", user="grace")
    bound = eventually(lambda: live.client("grace").job(killed.id).slurm_job_id, what="the binding")
    as_attacker(live, "scancel", bound)
    ended = live.finish(killed, user="grace")
    assert (ended.state, ended.reason) == (State.CANCELLED, Reason.CANCELLED_IN_SLURM)
    assert live.finish(job, user="grace").state is State.COMPLETED


def test_somebody_elses_marker_binds_nothing_and_ones_own_a_second_time_is_cancelled(live: Live):
    mine, theirs = live.submit("sleep 300", user="grace"), live.submit("sleep 300")
    attempts = live.place.attempts
    own = eventually(lambda: list(attempts.glob(f"{ATTACKER}/{mine.id}-*/claim")), what="the start")[0].parent
    other = eventually(lambda: list(attempts.glob(f"sgwdemo-ada/{theirs.id}-*/claim")), what="the start")[0].parent
    bound = live.client().job(theirs.id).slurm_job_id
    # A directory named like ada's attempt, and grace's own: the second is a job beside the bound one.
    lookalike = Path(pwd.getpwnam(ATTACKER).pw_dir) / other.name
    assert as_attacker(live, "mkdir", "-p", str(lookalike)).returncode == 0
    strays = []
    for directory in (lookalike, own):
        done = as_attacker(live, "sbatch", "--parsable", f"--chdir={directory}", "-o/dev/null", "--wrap=sleep 300")
        strays.append(done.stdout.strip())
    assert all(stray.isdecimal() for stray in strays)
    eventually(lambda: strays[1] not in as_attacker(live, "squeue", "-h", "-o%A").stdout.split(), what="the end")
    assert strays[0] in as_attacker(live, "squeue", "-h", "-o%A").stdout.split(), "not one of ours, so not our business"
    as_attacker(live, "scancel", *strays)
    for job, user in ((theirs, "ada"), (mine, "grace")):
        assert live.client(user).job(job.id).state is State.RUNNING
        live.client(user).cancel(job.id)
        assert live.finish(job, user=user).reason is Reason.CANCELLED_BY_USER
    assert live.client().job(theirs.id).slurm_job_id == bound


def test_a_tenant_on_the_gateways_machine_reaches_none_of_its_doors(live: Live):
    place, worker = live.place, live.pids("gateway.worker")[0]
    closed = [place.state, place.home / "tokens", place.attempts / "sgwdemo-ada", live.cluster.root / "log"]
    for path in closed:
        assert "Permission denied" in as_attacker(live, "ls", str(path)).stderr
    assert "Permission denied" in as_attacker(live, "cat", f"/proc/{worker}/environ").stderr
    assert not as_attacker(live, "cat", str(place.config)).stdout.count("sgw_"), "no token in what everybody may read"
    knock = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"
    for door in (place.runas_socket, place.state / "redis.sock"):
        assert "PermissionError" in as_attacker(live, "/usr/bin/python3", "-c", knock, str(door)).stderr
    assert os.stat(place.runas_socket).st_mode & 0o007 == 0


def test_a_folder_that_its_owner_locked_holds_up_nobody_else(live: Live):
    folder = live.place.attempts / ATTACKER
    live.run("true", user="grace")
    folder.chmod(0o000)
    try:
        stuck = [live.submit("echo never", user="grace") for _ in range(3)]
        started = time.monotonic()
        assert live.run("echo on time").state is State.COMPLETED
        assert time.monotonic() - started < 10 * SLOW
        for job in stuck:
            assert live.client("grace").job(job.id).state is State.PENDING
            live.client("grace").cancel(job.id)
    finally:
        folder.chmod(0o700)
    assert {live.finish(job, user="grace").reason for job in stuck} == {Reason.CANCELLED_BY_USER}


def test_one_key_makes_one_job_however_many_ask_at_once(live: Live):
    with live.http() as ada, live.http("grace") as grace:

        def post(number: int) -> httpx.Response:
            body = {"script": f"#!/bin/sh\n# {number}\n"}
            return ada.post("/v1/jobs", json=body, headers={"Idempotency-Key": "race"})

        answers = race(live, 16, lambda _: post(0)) + race(live, 16, post)
        made = {each.json()["id"] for each in answers if each.status_code == 201}
        told = Counter(each.status_code for each in answers)
        assert len(made) == 1
        assert set(told) <= {201, 409, 422}
        assert all(each.headers["retry-after"] for each in answers if each.status_code == 409)
        foreign = grace.post("/v1/jobs", json={"script": "#!/bin/sh\n# 0\n"}, headers={"Idempotency-Key": "race"})
        assert (foreign.status_code, foreign.json()["id"] in made) == (201, False)
        assert "idempotency-replayed" not in foreign.headers


def test_a_cancel_at_any_moment_of_a_submission_ends_the_job_and_leaves_none_in_slurm(live: Live):
    with live.http() as ada:

        def submit_and_cancel(number: int) -> httpx.Response:
            job = ada.post("/v1/jobs", json={"script": "#!/bin/sh\nsleep 100\n"}).json()["id"]
            threading.Event().wait(number % 8 * 0.05)  # reaches every phase from PENDING to RUNNING
            first, second = ada.delete(f"/v1/jobs/{job}"), ada.delete(f"/v1/jobs/{job}")
            assert {first.status_code, second.status_code} <= {200, 202}
            return first

        cancelled = [JobView.model_validate(each.json()) for each in race(live, 24, submit_and_cancel)]
    ended = [live.finish(job) for job in cancelled]
    assert {(job.state, job.reason) for job in ended} == {(State.CANCELLED, Reason.CANCELLED_BY_USER)}
    bound = {job.slurm_job_id for job in ended} - {None}
    eventually(lambda: not bound & alive(live), what="the end of all of them in Slurm")


def alive(live: Live) -> set[str]:
    environment = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(live.cluster.slurm_conf)}
    states = "--states=PENDING,RUNNING"
    return set(subprocess.check_output(["squeue", "-h", "-o%A", states], env=environment, text=True).split())


def test_two_controllers_and_the_death_of_one_run_every_job_once(dev_cluster: DevCluster):
    settings = "lease_s = 4\nlease_renew_s = 1\n"
    place = Place(cluster=dev_cluster.settings, name="gateway-two", port_offset=93, settings=settings)
    marker = Path(pwd.getpwnam("sgwdemo-ada").pw_dir) / f"once-{time.monotonic_ns()}"
    gateway = dev_cluster.settings.gateway_user
    become = ["setpriv", f"--reuid={gateway}", f"--regid={gateway}", "--init-groups", "--"]
    with running(dev_cluster, place) as live:
        [first] = live.pids("gateway.worker")
        argv = Path(f"/proc/{first}/cmdline").read_text().rstrip("\0").split("\0")
        words = Path(f"/proc/{first}/environ").read_text().rstrip("\0").split("\0")
        second = subprocess.Popen([*become, *argv], env=dict(word.split("=", 1) for word in words), cwd="/")
        try:
            eventually(lambda: has_open(second.pid, "gateway.db"), what="the second controller's start")
            jobs = [live.submit(f"echo $SGW_JOB_ID >> {marker}") for _ in range(30)]
            assert second.poll() is None
            second.kill()
            ended = [live.finish(job, within_s=100) for job in jobs]
        finally:
            second.kill()
            second.wait()
    assert {job.state for job in ended} == {State.COMPLETED}
    assert sorted(marker.read_text().split()) == sorted(job.id for job in jobs)


def has_open(pid: int, name: str) -> bool:
    return any(os.readlink(fd).endswith(name) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink())


def test_a_huge_log_and_slow_readers_cost_others_little(live: Live):
    job = live.run(in_attempt(live, "echo begin; truncate -s 1G stdout; echo end >> stdout"), user="grace")
    with live.http("grace") as grace:
        tail = grace.get(f"/v1/jobs/{job.id}/logs", params={"stream": "stdout", "tail": "2"})
        assert tail.content.endswith(b"end\n")
        assert len(tail.content) <= 8 * 1024 * 1024
    held = [slow_reader(live, job.id) for _ in range(20)]
    try:
        started = time.monotonic()
        with live.http() as ada:
            for _ in range(10):
                assert ada.get("/v1/jobs?limit=5").status_code == 200
        assert time.monotonic() - started < 2 * SLOW
        [api] = live.pids("gateway.app")
        memory = Path(f"/proc/{api}/status").read_text().partition("VmRSS:")[2].split()[0]
        assert int(memory) < 400_000, "the log is 1 GB; it is not held in memory for its readers"
    finally:
        for reader in held:
            reader.close()


def slow_reader(live: Live, job: str) -> socket.socket:
    """Ask to follow a log and never read a byte of it."""
    reader = socket.create_connection(("127.0.0.1", live.place.port))
    request = (
        f"GET /v1/jobs/{job}/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.token('grace')}\r\n"
    )
    reader.sendall(f"{request}\r\n".encode())
    return reader
