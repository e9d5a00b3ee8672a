"""Run the wrapper as slurmstepd would, without a Slurm: what the script gets, what is recorded, which signals come."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.privileged import REPOSITORY, wait_until

PYTHON = os.environ.get("SGW_TEST_NODE_PYTHON", sys.executable)
"""The node's Python: set it to try an old one."""
WRAPPER = REPOSITORY / "gateway" / "agent" / "wrapper.py"


class Node:
    """An attempt directory and a way to start its batch script on it."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "12-main-1-0badcafe"
        self.home = tmp_path / "home"
        self.wake = tmp_path / "wake"
        for each in (self.directory, self.home, self.wake):
            each.mkdir()
        shutil.copy(WRAPPER, self.directory / "wrapper.py")

    def prepare(self, script: str, **attempt: object) -> None:
        facts = {
            "version": 1,
            "attempt": self.directory.name,
            "job": "12",
            "workdir": str(self.home),
            "outputs": [],
            "wake_dir": str(self.wake),
        }
        (self.directory / "attempt.json").write_text(json.dumps(facts | attempt))
        (self.directory / "script").write_text(script)
        (self.directory / "script").chmod(0o700)

    def start(self, job: str = "37", **environ: str) -> subprocess.Popen[bytes]:
        suffix = "." + environ["SLURM_ARRAY_TASK_ID"] if "SLURM_ARRAY_TASK_ID" in environ else ""
        with (
            (self.directory / f"stdout{suffix}").open("ab") as stdout,
            (self.directory / f"stderr{suffix}").open("ab") as stderr,
        ):
            return subprocess.Popen(
                [PYTHON, "-I", str(self.directory / "wrapper.py")],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "SLURM_JOB_ID": job, "SLURM_SUBMIT_DIR": "/"} | environ,
                start_new_session=True,
            )

    def run(self, job: str = "37", **environ: str) -> int:
        return self.start(job, **environ).wait(20)

    def text(self, name: str) -> str:
        return (self.directory / name).read_text()

    def record(self, name: str = "exit.json") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(name))
        return found


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_script_runs_in_the_tenants_directory_and_its_end_is_recorded(node: Node) -> None:
    node.prepare(
        '#!/bin/bash\npwd; echo "$SGW_JOB_ID $SLURM_SUBMIT_DIR $1|$2"; echo no >&2; exit 3\n', args=["a b", "$(id)"]
    )
    assert node.run() == 3
    assert node.text("stdout") == f"{node.home}\n12 {node.home} a b|$(id)\n"
    assert node.text("stderr") == "no\n"
    record = node.record()
    assert record["started"] <= record["ended"]
    assert record["max_rss_kb"] > 0
    for volatile in ("started", "ended", "max_rss_kb"):
        del record[volatile]
    assert record == {
        "version": 1,
        "slurm_job_id": "37",
        "restart": 0,
        "task": None,
        "exit_code": 3,
        "signal": None,
        "host": os.uname().nodename,
        "wrapper_error": None,
    }
    assert node.text("claim") == "37.0"
    assert (node.wake / node.directory.name).exists()


def test_eight_duplicates_run_the_script_once(node: Node) -> None:
    node.prepare(f"#!/bin/sh\necho $SLURM_JOB_ID >> {node.home}/ran\n")
    codes = [each.wait(20) for each in [node.start(str(job)) for job in range(40, 48)]]
    assert sorted(codes) == [0] + [75] * 7
    owner = str(40 + codes.index(0))
    assert (node.home / "ran").read_text() == f"{owner}\n"
    assert node.text("claim") == f"{owner}.0"
    assert node.text("stderr").count(f"was not run: claim says {owner}.0, this is") == 7
    assert node.record()["slurm_job_id"] == owner


def test_array_tasks_run_side_by_side_and_none_twice(node: Node) -> None:
    node.prepare("#!/bin/sh\nexit $SLURM_ARRAY_TASK_ID\n")
    tasks = [(str(60 + n), str(n)) for n in (1, 2, 3)]
    started = [
        node.start(job, SLURM_ARRAY_JOB_ID="60", SLURM_ARRAY_TASK_ID=task, SLURM_RESTART_COUNT=restart)
        for job, task in tasks
        for restart in ("0", "1")
    ]
    codes = [each.wait(20) for each in started]
    for task in (1, 2, 3):
        assert sorted(codes[2 * task - 2 : 2 * task]) == [task, 75]
        assert node.record(f"exit.{task}.json")["task"] == task
    assert node.text("claim") == "60"


@pytest.mark.parametrize("fault", ["VOID", "fenced", "no room for a claim", "no attempt.json", "no job id"])
def test_what_may_not_run_does_not(node: Node, fault: str) -> None:
    node.prepare(f"#!/bin/sh\ntouch {node.home}/ran\n")
    job = "37"
    match fault:
        case "VOID":
            (node.directory / "claim").write_text("VOID")
        case "fenced":
            (node.directory / "FENCED").touch()
        case "no room for a claim":
            (node.directory / "claim").mkdir()
        case "no attempt.json":
            (node.directory / "attempt.json").unlink()
        case _:
            job = ""
    process = node.start(job) if job else node.start("37", SLURM_ARRAY_TASK_ID="1")
    assert process.wait(20) == 75
    assert not (node.home / "ran").exists()
    assert not list(node.directory.glob("exit*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGUSR1])
def test_a_script_that_dies_of_a_signal_looks_so_from_outside(node: Node, number: signal.Signals) -> None:
    node.prepare(f"#!/bin/bash\nulimit -c 0\nkill -{number.name[3:]} $$\n")
    assert node.run() == -number
    assert (node.record()["exit_code"], node.record()["signal"]) == (None, number)


@pytest.mark.parametrize(
    ("script", "code", "word", "message"),
    [
        ("#!/bin/bsh\n", 127, "interpreter", "no such file"),
        ("#!/bin/sh\r\n", 127, "interpreter", "DOS line ends"),
        ("echo\n", 126, "script", "Exec format error"),
    ],
)
def test_a_script_that_cannot_be_started_ends_like_in_a_shell(
    node: Node, script: str, code: int, word: str, message: str
) -> None:
    node.prepare(script)
    assert node.run() == code
    assert message in node.text("stderr")
    assert (node.record()["exit_code"], node.record()["wrapper_error"]) == (code, word)


def test_a_missing_working_directory_is_said_and_recorded(node: Node) -> None:
    node.prepare("#!/bin/sh\n", workdir=str(node.home / "gone"))
    assert node.run() == 1
    assert node.text("stderr") == f"sgw: working directory {node.home}/gone: No such file or directory\n"
    assert node.record()["wrapper_error"] == "workdir"


def test_a_bare_wait_returns(node: Node) -> None:
    node.prepare("#!/bin/bash\nsleep 0.05 & wait; echo waited\n")
    assert node.run() == 0
    assert node.text("stdout") == "waited\n"


def test_the_script_starts_with_plain_signals_and_no_descriptors_of_ours(node: Node) -> None:
    node.prepare("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '\n")
    assert node.run() == 0
    found = re.fullmatch(r"SigBlk:\t(\w{16})\nSigIgn:\t(\w{16})\n0 1 2 3 ", node.text("stdout"))
    assert found
    # Signals 32 and 33 belong to the C library: nobody but whoever started the tests can have set them.
    assert [int(mask, 16) & ~(0b11 << 31) for mask in found.groups()] == [0, 0]


def test_the_outputs_asked_for_appear(node: Node) -> None:
    node.prepare(
        "#!/bin/sh\necho out; echo err >&2\n",
        outputs=[
            {"stream": "stdout", "path": "logs/%x-%j.out"},
            {"stream": "stderr", "path": "all.err", "append": True},
        ],
    )
    (node.home / "all.err").write_text("before\n")
    assert node.run(SLURM_JOB_NAME="my job") == 0
    assert (node.home / "logs" / "my job-37.out").read_text() == "out\n"
    assert (node.home / "all.err").read_text() == "before\nerr\n"


def test_an_attempt_directory_that_vanishes_does_not_change_the_exit_code(node: Node) -> None:
    node.prepare(f"#!/bin/sh\nrm -rf {node.directory}\nexit 5\n")
    assert node.run() == 5
    assert not node.directory.exists()


TRAPS = """#!/bin/bash
for s in TERM USR1 USR2 INT HUP CONT RTMIN+3; do trap "echo $s" $s; done
echo ready
until [ -e stop ]; do sleep 0.02; done
"""


def ready(node: Node) -> bool:
    return "ready" in node.text("stdout")


def heard(node: Node) -> list[str]:
    return node.text("stdout").split()[1:]


def family(process: subprocess.Popen[bytes]) -> list[int]:
    """Every process of the job, as a Slurm that signals all of them would see it."""
    listed = subprocess.run(["ps", "-o", "pid=", "-s", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def to_all(process: subprocess.Popen[bytes], number: int) -> None:
    for pid in family(process):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # one of the script's short sleeps


def to_group(process: subprocess.Popen[bytes], number: int) -> None:
    os.killpg(process.pid, number)


def to_us_alone(process: subprocess.Popen[bytes], number: int) -> None:
    os.kill(process.pid, number)


@pytest.mark.parametrize("send", [to_all, to_group, to_us_alone])
def test_every_signal_reaches_the_script_exactly_once(
    node: Node, send: Callable[[subprocess.Popen[bytes], int], None]
) -> None:
    node.prepare(TRAPS)
    process = node.start()
    wait_until(lambda: ready(node))
    expected = []
    for name in ("TERM", "USR1", "USR2", "INT", "HUP", "CONT", "TERM"):
        expected.append(name)
        send(process, signal.Signals[f"SIG{name}"])
        wait_until(lambda: heard(node) == expected)
    # The wrapper takes the highest number last: once the script hears this, no second copy of the others is under way.
    to_us_alone(process, signal.SIGRTMIN + 3)
    wait_until(lambda: "RTMIN+3" in heard(node))
    (node.home / "stop").touch()
    assert process.wait(20) == 0
    assert heard(node) == [*expected, "RTMIN+3"]


def test_a_signal_to_us_alone_is_passed_on_also_after_one_to_all(node: Node) -> None:
    node.prepare(TRAPS)
    process = node.start()
    wait_until(lambda: ready(node))
    to_all(process, signal.SIGUSR1)
    wait_until(lambda: heard(node) == ["USR1"])
    to_us_alone(process, signal.SIGRTMIN + 3)
    wait_until(lambda: heard(node) == ["USR1", "RTMIN+3"])
    to_us_alone(process, signal.SIGUSR1)
    wait_until(lambda: heard(node) == ["USR1", "RTMIN+3", "USR1"])
    (node.home / "stop").touch()
    assert process.wait(20) == 0


def test_a_signal_that_came_before_the_script_is_not_lost(node: Node) -> None:
    node.prepare("#!/bin/sh\nsleep 20\n")
    process = node.start()
    # Python has started and blocked its signals when the claim appears; before that it simply dies, as it should.
    wait_until(lambda: (node.directory / "claim").exists())
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    assert node.record()["signal"] == signal.SIGTERM


def test_nothing_is_left_running(node: Node) -> None:
    node.prepare("#!/bin/sh\nexit 0\n")
    process = node.start()
    process.wait(20)
    wait_until(lambda: not family(process))


def test_the_wrapper_can_be_read_by_python_3_6() -> None:
    ast.parse(WRAPPER.read_text(), feature_version=(3, 6))
    vermin = [str(Path(sys.executable).with_name("vermin")), "-t=3.6-", "--no-tips", str(WRAPPER)]
    found = subprocess.run(vermin, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
