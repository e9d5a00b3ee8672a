"""Run rendered scripts with hostile values: whatever they hold, the command keeps its structure."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_templates.render import render
from slurm_templates.runtime import Run, script_of

PRINT_ARGV = "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n"
NASTY = ["'", '"', "`", "$(id)", "${x}", "\\", "\n", "\r\n", ";", "&", "|", "#", "!", "*", "~", "{a,b}", "\t", "\x07"]
NASTY += [
    "\x1f1",
    "\udcff",
    "é",
    "e\u0301",
    "\u202e",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "\n#SBATCH --uid=0\n",
    "EOF",
    "-n",
    "--",
]
text = st.characters(codec="utf-8", exclude_characters="\0")
words = st.lists(st.lists(st.sampled_from(NASTY) | text, max_size=6).map("".join), max_size=12)


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def run(script: bytes, programs: Path, *, shell: str = "bash") -> list[bytes]:
    """Run a script with only our programs on its PATH; returns what the one it started was given."""
    done = subprocess.run(
        [f"/bin/{shell}"],
        input=script,
        env={"PATH": str(programs), "LC_ALL": "C.UTF-8"},
        cwd=programs,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), script
    return done.stdout.split(b"\0")[:-1]


def program(folder: Path, name: str) -> None:
    (folder / name).write_text(PRINT_ARGV)
    (folder / name).chmod(0o755)


def as_bytes(given: list[str]) -> list[bytes]:
    return [word.encode("utf-8", "surrogateescape") for word in given]


@settings(max_examples=60, deadline=None)
@given(arguments=words, first=st.sampled_from(["./a", "-n", "--uid=0", "a b"]))
def test_srun_gets_the_words_it_was_given(programs, arguments, first):
    program(programs, "srun")
    script = script_of(Run(runtime="srun", command=(first,), args=tuple(arguments)))
    assert run(script, programs) == [b"--kill-on-bad-exit=1", b"--", *as_bytes([first, *arguments])]


@settings(max_examples=40, deadline=None)
@given(arguments=words, mpi=words.map("".join).filter(bool))
def test_mpi_gets_its_kind_and_the_words_it_was_given(programs, arguments, mpi):
    program(programs, "srun")
    script = script_of(Run(runtime="mpi", command=("./a", *arguments), mpi=mpi))
    expected = [f"--mpi={mpi}", "--kill-on-bad-exit=1", "--", "./a", *arguments]
    assert run(script, programs) == as_bytes(expected)


@settings(max_examples=40, deadline=None)
@given(line=words.map(" ".join).filter(str.strip))
def test_a_line_reaches_the_shell_of_each_task_as_it_was_written(programs, line):
    program(programs, "srun")
    script = script_of(Run(runtime="srun", command=line))
    assert run(script, programs) == [b"--kill-on-bad-exit=1", b"--", b"bash", b"-c", *as_bytes([line])]


@settings(max_examples=40, deadline=None)
@given(arguments=words)
def test_a_program_run_once_gets_the_words_it_was_given(programs, arguments):
    program(programs, "probe")
    assert run(script_of(Run(runtime="script", command=("probe", *arguments))), programs) == as_bytes(arguments)


@pytest.mark.parametrize("name", ["FOO=bar", "if", "time", "!", "{", "-c", "~", "$(id)", "a b", "x\ny", "exec", "#"])
def test_a_program_may_be_called_anything(tmp_path, name):
    program(tmp_path, name)
    assert run(script_of(Run(runtime="script", command=(name, "argument"))), tmp_path) == [b"argument"]


@settings(max_examples=30, deadline=None)
@given(name=words.map("".join))
@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_the_batch_script_starts_the_wrapper_whatever_the_job_is_called(programs, shell, name):
    program(programs, "python3")
    values = {"job": 1, "name": name, "attempt": name, "version": name, "directory": "/shared/it's $HOME/*"}
    script = render("base.sbatch.j2", values)
    assert run(script, programs, shell=shell) == [b"-I", b"/shared/it's $HOME/*/wrapper.py"]
