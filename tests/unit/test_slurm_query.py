"""Running a query command: bounded, with nothing of our own environment, never half an answer."""

import threading
import time
from pathlib import Path

import pytest

from gateway.errors import ClusterUnreachable
from gateway.slurm.query import LocalQuery


def query(timeout_s: float = 5.0, output_max: int = 1 << 20) -> LocalQuery:
    return LocalQuery(slurm_conf=Path("/a/slurm.conf"), timeout_s=timeout_s, output_max=output_max)


def test_both_streams_and_the_exit_code_come_back() -> None:
    said = query()(["sh", "-c", "printf out; printf err >&2; exit 3"])
    assert (said.stdout, said.stderr, said.exit_code) == ("out", "err", 3)


def test_the_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    monkeypatch.setenv("SGW_SECRET", "hunter2")
    names = {line.partition("=")[0] for line in query()(["env"]).stdout.splitlines()}
    assert names == {"PATH", "LC_ALL", "TZ", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN", "SLURM_CONF"}


def test_a_command_that_takes_too_long_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(ClusterUnreachable, match=r"sh gave no complete answer within 0\.1 s"):
        query(timeout_s=0.1)(["sh", "-c", "echo some; exec sleep 60"])
    assert time.monotonic() - started < 5


def test_a_command_that_prints_too_much_is_killed() -> None:
    with pytest.raises(ClusterUnreachable, match="more than 1000 bytes"):
        query(output_max=1000)(["yes"])


def test_a_command_that_is_not_there_is_a_cluster_that_cannot_be_asked() -> None:
    with pytest.raises(ClusterUnreachable, match="no-such-squeue cannot be run here"):
        query()(["no-such-squeue"])


def test_large_answers_on_both_streams_do_not_block_each_other() -> None:
    script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; head -c 100000 /dev/zero"
    said = query()(["sh", "-c", script])
    assert (len(said.stdout), len(said.stderr)) == (400_000, 300_000)


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert query()(["printf", r"a\377b"]).stdout == "a\ufffdb"


def test_queries_may_run_side_by_side() -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(query()(["echo", str(n)]).stdout)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["0\n", "1\n", "2\n", "3\n"]
