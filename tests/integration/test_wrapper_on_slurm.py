"""Run attempts on the real Slurm of the dev cluster, submitted by the real helper as a tenant."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.ids import AttemptId, UnixUser
from gateway.slurm.helper import HelperRunner
from gateway.slurm.runner import ReadRequest
from tests.privileged import REPOSITORY, RunningHelper, needs_root, open_room, wait_until

pytestmark = [pytest.mark.cluster, needs_root]

SLURM_CONF = Path(os.environ.get("SGW_DEV_ROOT", "/var/lib/sgw-dev")) / "etc" / "slurm.conf"
ADA = UnixUser("sgwdemo-ada")
WRAPPER = (REPOSITORY / "gateway" / "agent" / "wrapper.py").read_bytes()
TRAPS = "#!/bin/bash\ntrap 'echo USR1' USR1\ntrap 'echo TERM' TERM\necho ready\nuntil [ -e stop ]; do sleep 0.1; done\n"


def slurm(*argv: str) -> str:
    environ = os.environ | {"SLURM_CONF": str(SLURM_CONF), "SLURM_TIME_FORMAT": "%s"}
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=30).stdout


@dataclass
class Attempt:
    """One submitted attempt; files are read as the gateway reads them."""

    runner: HelperRunner
    name: AttemptId
    job: str

    def read(self, name: str) -> str:
        return self.runner.read_many(ADA, [ReadRequest(attempt=self.name, name=name)])[0].data.decode()

    def wait(self, *, tasks: tuple[str, ...] = ("",)) -> None:
        wait_until(lambda: all(self.read(f"exit{task}.json") for task in tasks), within=60)

    def record(self, task: str = "") -> dict[str, Any]:
        self.wait(tasks=(task,))
        found: dict[str, Any] = json.loads(self.read(f"exit{task}.json"))
        return found

    def ended(self, *, within: float = 60) -> dict[str, str]:
        """Wait until Slurm calls the job over and return its record as words."""
        wait_until(lambda: self.facts().get("JobState") not in {"PENDING", "RUNNING", "COMPLETING"}, within=within)
        return self.facts()

    def facts(self) -> dict[str, str]:
        words = slurm("scontrol", "show", "job", self.job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)


class Site:
    """A helper of our own beside the cluster, and how a gateway would submit through it."""

    def __init__(self, helper: RunningHelper) -> None:
        self.runner = HelperRunner(helper.socket)
        self.me = self.runner.resolve(ADA)
        self.work = Path(self.me.attempts) / "work"
        self.work.mkdir()
        os.chown(self.work, self.me.uid, self.me.gid)

    def submit(self, script: str, *options: str, outputs: object = ()) -> Attempt:
        name = AttemptId(f"1-main-1-{time.time_ns() & 0xFFFFFFFF:08x}")
        (self.work / "stop").unlink(missing_ok=True)
        directory = f"{self.me.attempts}/{name}"
        task = ".%a" if any(each.startswith("--array") for each in options) else ""
        facts = {"version": 1, "attempt": name, "job": "12", "workdir": str(self.work), "outputs": outputs or []}
        answer = self.runner.submit(
            ADA,
            name,
            argv=[
                "sbatch", "--parsable", "--job-name=a test", "--export=ALL", "--no-requeue", "--time=5", "--mem=50",
                f"--chdir={directory}", f"--output={directory}/stdout{task}", f"--error={directory}/stderr{task}",
                *options,
            ],
            batch=f"#!/bin/sh\nexec python3 -I {directory}/wrapper.py\n".encode(),
            files={"script": script.encode(), "attempt.json": json.dumps(facts).encode(), "wrapper.py": WRAPPER},
            deadline=time.time() + 60,
            wait_s=30,
        )  # fmt: skip
        assert answer is not None
        assert answer.exit_code == 0, answer.stderr
        return Attempt(self.runner, name, answer.stdout.strip())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if "UP" not in slurm("scontrol", "ping"):
        pytest.skip("the dev cluster is not up (python -m gateway.devcluster up)")
    with ExitStack() as stack:
        room = stack.enter_context(open_room())
        helper = RunningHelper(
            room, users=[ADA], sbatch="/usr/bin/sbatch", scancel="/usr/bin/scancel", slurm_conf=str(SLURM_CONF)
        )
        stack.callback(helper.stop)
        site = Site(helper)
        stack.callback(site.runner.close)
        yield site


def test_a_job_runs_as_the_tenant_with_srun_inside(site: Site) -> None:
    attempt = site.submit("#!/bin/bash\nid -u; id -G; pwd; srun sh -c 'id -u; pwd'\n", "-N2")
    facts = attempt.ended()
    uid, groups = str(site.me.uid), " ".join(map(str, site.me.groups))
    lines = attempt.read("stdout").splitlines()
    assert lines[:3] == [uid, groups, str(site.work)]
    assert sorted(lines[3:]) == sorted([uid, str(site.work)] * 2)
    assert (facts["JobState"], facts["ExitCode"]) == ("COMPLETED", "0:0")
    assert facts["WorkDir"] == f"{site.me.attempts}/{attempt.name}"
    assert attempt.read("claim") == f"{attempt.job}.0"


@pytest.mark.parametrize(
    ("script", "exit_code", "state"),
    [("exit 3", "3:0", "FAILED"), ("kill -TERM $$", "0:15", "FAILED"), ("kill -KILL $$", "0:9", "FAILED")],
)
def test_slurm_sees_the_scripts_own_end(site: Site, script: str, exit_code: str, state: str) -> None:
    attempt = site.submit(f"#!/bin/bash\n{script}\n")
    facts = attempt.ended()
    assert (facts["JobState"], facts["ExitCode"]) == (state, exit_code)
    record = attempt.record()
    assert f"{record['exit_code'] or 0}:{record['signal'] or 0}" == exit_code


def heard(attempt: Attempt, name: str) -> bool:
    return name in attempt.read("stdout")


@pytest.mark.parametrize("target", ["batch", "full"])  # plain `scancel --signal` is for steps; this job has none
def test_scancel_signals_the_script_once_however_it_is_aimed(site: Site, target: Literal["batch", "full"]) -> None:
    attempt = site.submit(TRAPS)
    wait_until(lambda: "ready" in attempt.read("stdout"), within=30)
    for name in ("TERM", "USR1"):
        site.runner.cancel(ADA, [attempt.job], signal=name, target=target)
        wait_until(partial(heard, attempt, name))
    (site.work / "stop").touch()
    attempt.ended()
    assert attempt.read("stdout").split() == ["ready", "TERM", "USR1"]


def test_a_cancelled_job_leaves_its_record(site: Site) -> None:
    attempt = site.submit("#!/bin/bash\necho ready\nsleep 60\n")
    wait_until(lambda: "ready" in attempt.read("stdout"), within=30)
    assert site.runner.cancel(ADA, [attempt.job]).exit_code == 0
    facts = attempt.ended()
    assert (facts["JobState"], facts["ExitCode"]) == ("CANCELLED", "0:15")
    assert attempt.record()["signal"] == 15


def test_every_task_of_an_array_has_its_own_files(site: Site) -> None:
    outputs = [{"stream": "stdout", "path": "array-%A_%a.out"}]
    attempt = site.submit(
        "#!/bin/bash\necho $SLURM_ARRAY_TASK_ID\nexit $SLURM_ARRAY_TASK_ID\n", "--array=0-2", outputs=outputs
    )
    attempt.wait(tasks=(".0", ".1", ".2"))
    assert [attempt.record(f".{task}")["exit_code"] for task in (0, 1, 2)] == [0, 1, 2]
    assert attempt.read("claim") == attempt.job
    assert [(site.work / f"array-{attempt.job}_{task}.out").read_text() for task in (0, 1, 2)] == ["0\n", "1\n", "2\n"]


def test_a_second_slurm_job_for_the_attempt_runs_no_tenant_code(site: Site) -> None:
    attempt = site.submit(f"#!/bin/bash\necho ran >> {site.work}/ran\n")
    attempt.ended()
    directory = f"{site.me.attempts}/{attempt.name}"
    again = ["sbatch", "--parsable", "--mem=50", "--time=1", f"--output={directory}/again", f"{directory}/batch.sh"]
    second = subprocess.run(
        again,
        user=ADA,
        env={"SLURM_CONF": str(SLURM_CONF), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = Attempt(site.runner, attempt.name, second.stdout.strip()).ended()
    assert (facts["JobState"], facts["ExitCode"]) == ("FAILED", "75:0")
    assert (site.work / "ran").read_text() == "ran\n"
    assert f"claim says {attempt.job}.0" in attempt.read("again")
    assert attempt.record()["slurm_job_id"] == attempt.job


def test_a_requeued_job_runs_no_tenant_code_again(site: Site) -> None:
    attempt = site.submit(f"#!/bin/bash\necho ran >> {site.work}/once\necho ready\nsleep 60\n", "--requeue")
    wait_until(lambda: "ready" in attempt.read("stdout"), within=30)
    slurm("scontrol", "requeue", attempt.job)
    wait_until(lambda: attempt.facts().get("JobState") == "PENDING", within=30)
    slurm("scontrol", "update", f"jobid={attempt.job}", "starttime=now")  # else Slurm waits for two minutes
    wait_until(lambda: attempt.facts().get("ExitCode") == "75:0", within=60)
    assert (site.work / "once").read_text() == "ran\n"
    assert attempt.read("claim") == f"{attempt.job}.0"
