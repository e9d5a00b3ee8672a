"""Started processes outlive their starter, hold nothing of it open, and only they are stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.devcluster import processes
from gateway.devcluster.commands import wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.processes import Proc


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger")
    yield ledger
    for entry in ledger.entries("process"):
        processes.kill_session(Proc.of(entry))


def start(ledger: Ledger, tmp_path: Path, *argv: str) -> Proc:
    return processes.start_detached(argv, name="it", ledger=ledger, log=tmp_path / "log")


def test_a_started_process_is_in_the_ledger_and_found_until_it_is_stopped(ledger: Ledger, tmp_path: Path):
    proc = start(ledger, tmp_path, "sleep", "60")

    assert processes.find(ledger, "it") == proc
    processes.stop(proc)
    assert processes.find(ledger, "it") is None


def test_its_output_goes_to_the_log_and_its_environment_is_not_ours(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SGW_SECRET", "leaked")
    start(ledger, tmp_path, "sh", "-c", "env; pwd; echo done >&2")

    log = tmp_path / "log"
    wait_until(lambda: log.exists() and "done" in log.read_text(), what="output", seconds=10, log=log)
    assert "leaked" not in log.read_text()
    assert "\n/\n" in log.read_text()


def test_it_does_not_inherit_that_python_ignores_broken_pipes(ledger: Ledger, tmp_path: Path):
    start(ledger, tmp_path, "grep", "SigIgn", "/proc/self/status")

    log = tmp_path / "log"
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"), what="output", seconds=10, log=log)
    ignored = int(log.read_text().split()[1], 16)
    assert not [number for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT) if ignored & 1 << number - 1]


def test_a_pipe_behind_the_starter_ends_when_the_starter_ends(tmp_path: Path):
    starter = (
        "import os, sys; from pathlib import Path; from gateway.devcluster import processes\n"
        "from gateway.devcluster.ledger import Ledger\n"
        "os.set_inheritable(os.dup2(1, 9), True)\n"
        f"p = processes.start_detached(['sleep', '60'], name='it', ledger=Ledger(Path({str(tmp_path)!r}) / 'ledger'),"
        f" log=Path({str(tmp_path)!r}) / 'log')\n"
        "print(p.pid, p.start_time)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True, timeout=30, check=True)

    proc = Proc(pid=int(done.stdout.split()[0]), start_time=int(done.stdout.split()[1]))
    assert time.monotonic() - began < 30
    assert processes.is_alive(proc)
    processes.stop(proc)


def test_a_recycled_pid_is_neither_ours_nor_stopped(ledger: Ledger, tmp_path: Path):
    proc = start(ledger, tmp_path, "sleep", "60")
    impostor = Proc(pid=proc.pid, start_time=proc.start_time - 1)

    processes.stop(impostor)
    processes.kill_session(impostor)

    assert not processes.is_alive(impostor)
    assert processes.is_alive(proc)


def test_a_process_that_ignores_term_or_is_paused_is_stopped_too(ledger: Ledger, tmp_path: Path):
    stubborn = start(ledger, tmp_path, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    log = tmp_path / "log"
    wait_until(lambda: "ready" in log.read_text(), what="the trap", seconds=10, log=log)
    os.kill(stubborn.pid, signal.SIGSTOP)

    processes.stop(stubborn, patience=0.3)

    assert not processes.is_alive(stubborn)


def test_children_in_the_session_die_with_it_even_after_their_parent(ledger: Ledger, tmp_path: Path):
    parent = start(ledger, tmp_path, "sh", "-c", "sleep 60 & echo $!; wait")
    log = tmp_path / "log"
    wait_until(lambda: log.read_text().endswith("\n"), what="the child's pid", seconds=10, log=log)
    child = Path("/proc", log.read_text().strip())
    processes.stop(parent)
    assert child.exists()

    processes.kill_session(parent)

    wait_until(lambda: not child.exists() or "Z" in (child / "stat").read_text(), what="end of child", seconds=10)


def test_nothing_runs_when_the_starter_dies_before_it_has_written_the_ledger(tmp_path: Path):
    ledger = Ledger(tmp_path / "missing" / "ledger")

    with pytest.raises(FileNotFoundError):
        start(ledger, tmp_path, "touch", str(tmp_path / "ran"))

    assert not (tmp_path / "ran").exists()


def test_waiting_in_vain_quotes_the_end_of_the_log(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))

    with pytest.raises(DevClusterError, match=r"(?s)a miracle: not within 0.05 s.*line 99"):
        wait_until(lambda: False, what="a miracle", seconds=0.05, log=log)


def test_a_machine_without_apt_gets_the_list_and_a_failure(tmp_path: Path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sed", "dirname"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tools / tool).symlink_to(found)
    script = Path(__file__).parents[2] / "gateway" / "devcluster" / "packages.sh"

    done = subprocess.run(
        ["/bin/sh", str(script)], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "no apt" in done.stderr
    assert "slurmctld" in done.stderr
