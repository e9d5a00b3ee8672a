"""The frame around all commands: finding them, explaining errors, ending with the right code."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.cli.main import COMMANDS
from gateway.cli.status import ExitStatus
from gateway.errors import GatewayFault
from tests.unit.cli_world import Gateway, problem, sgw

LOCAL = ("dev", "serve")
"""Commands that run things on this machine, and so load more than a client has."""


def test_the_overview_names_every_command() -> None:
    out = sgw("--help").out
    assert all(f"  {name}" in out for name in COMMANDS)
    assert sgw().status == 2
    assert sgw("--version").out.startswith("sgw ")
    assert sgw("squeue", "--version").out == sgw("-V", command="sinfo").out == sgw("--version").out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in LOCAL])
def test_every_command_explains_itself(name: str) -> None:
    for words in ([name, "--help"], ["help", name]):
        ended = sgw(*words)
        assert (ended.status, ended.err) == (0, "")
        assert "sage: sgw" in ended.out


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    ended = sgw("sqeue")
    assert (ended.status, ended.err) == (
        2, "sgw: error: there is no command 'sqeue', did you mean 'squeue'?\n  see `sgw --help`\n",
    )  # fmt: skip
    assert sgw("help", "nothing-like-it").status == 2


def test_the_exit_codes_are_listed_and_the_readme_agrees() -> None:
    listed = sgw("help", "exit-codes").out
    readme = (Path(__file__).parents[2] / "gateway" / "cli" / "README.md").read_text()
    for status in ExitStatus:
        assert f"{status.value}  {status.meaning}" in listed
        assert f"| {status.value} | {status.meaning} |" in readme


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (problem(401, "unauthenticated", "unknown token"), 3, "sgw login"),
        (problem(403, "forbidden"), 3, "it went wrong"),
        (problem(404, "not-found"), 4, "it went wrong"),
        (problem(409, "conflict"), 1, "it went wrong"),
        (problem(413, "too-large"), 6, "it went wrong"),
        (problem(422, "quota-exceeded"), 6, "it went wrong"),
        (problem(500, "internal-error", hint="say id 7"), 1, "hint: say id 7"),
        (problem(503, "cluster-unreachable"), 7, "it went wrong"),
        (httpx.ConnectError("[Errno 111] Connection refused"), 7, "http://gateway.test cannot be reached: [Errno 111]"),
        (httpx.ReadTimeout(""), 7, "ReadTimeout"),
        (httpx.Response(200, text="<html>"), 7, "not one this version of sgw understands"),
        (httpx.Response(502, text="<html>"), 7, "answered 502 (Bad Gateway), but not as a gateway does"),
    ],
)
def test_every_failure_has_its_words_and_its_code(answer: httpx.Response | Exception, status: int, words: str) -> None:
    ended = sgw("whoami", gateway=Gateway({"GET /v1/whoami": answer}))
    assert (ended.status, ended.out) == (status, "")
    assert ended.err.startswith("sgw: error: ")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_the_traceback_is_there_for_who_asks() -> None:
    broken = Gateway({"GET /v1/whoami": ZeroDivisionError("oops")})
    assert "Traceback" not in sgw("whoami", gateway=broken).err
    assert "this is a fault in sgw itself: ZeroDivisionError: oops" in sgw("whoami", gateway=broken).err
    for words in (["--debug", "whoami"], ["whoami", "--debug"]):
        assert "Traceback" in sgw(*words, gateway=broken).err


def test_a_fault_of_the_gateway_that_runs_here_is_told_with_its_remedy() -> None:
    outdated = GatewayFault("The database's schema is 0001.", hint="Run `sgw serve migrate`.")
    said = sgw("whoami", gateway=Gateway({"GET /v1/whoami": outdated})).err
    assert said == "sgw: error: The database's schema is 0001.\n  hint: Run `sgw serve migrate`.\n"


def test_links_stand_in_for_slurms_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "sgw"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(program.parent / "python"))
    for _ in range(2):  # the second time finds them made
        ended = sgw("link", "links", cwd=tmp_path)
        assert (ended.status, ended.err) == (0, "")
    names = {"sbatch", "squeue", "sacct", "scancel", "sinfo"}
    assert {link.name for link in (tmp_path / "links").iterdir()} == names
    assert {link.readlink() for link in (tmp_path / "links").iterdir()} == {program}
    (tmp_path / "bin" / "sinfo").write_text("Slurm's own")
    assert sgw("link", "bin", cwd=tmp_path).status == 1
    assert (tmp_path / "bin" / "sinfo").read_text() == "Slurm's own"


def test_the_console_script_ends_quietly_when_its_reader_goes_away() -> None:
    code = "import sys; from gateway.cli.main import raw_main; sys.argv = ['sgw', 'help']; raw_main()"
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (ExitStatus.BROKEN_PIPE, b"")


def test_a_listing_loads_no_package_of_the_server() -> None:
    code = (
        "import sys, importlib; from gateway.cli.main import COMMANDS\n"
        f"[importlib.import_module(c.module) for n, c in COMMANDS.items() if n not in {LOCAL}]\n"
        "server = ('sqlmodel', 'sqlalchemy', 'fastapi', 'redis', 'gateway.db', 'gateway.settings')\n"
        "print([name for name in server if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
