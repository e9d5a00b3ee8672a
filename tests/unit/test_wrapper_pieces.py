"""The wrapper's decisions, one by one: claims, file names, outputs, and what it says about bad scripts."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent import wrapper

JOB = {"SLURM_JOB_ID": "37", "SLURM_JOB_NAME": "a b", "SLURM_JOB_USER": "ada", "SLURMD_NODENAME": "c1"}
TASK = JOB | {"SLURM_ARRAY_JOB_ID": "36", "SLURM_ARRAY_TASK_ID": "4"}


@pytest.mark.parametrize(
    ("pattern", "job", "task"),
    [
        ("slurm-%j.out", "slurm-37.out", "slurm-37.out"),
        ("slurm-%A_%a.out", "slurm-37_4294967294.out", "slurm-36_4.out"),
        ("%x-%u-%N", "a b-ada-c1", "a b-ada-c1"),
        ("%5j|%03a", "00037|4294967294", "00037|004"),
        ("%99j", "0000000037", "0000000037"),
        ("%3x", "a b", "a b"),
        ("100%%j", "100%j", "100%j"),
        ("%q%", "%q%", "%q%"),
        ("\\%j", "%j", "%j"),
        ("%n.%t", "0.0", "0.0"),
    ],
)
def test_file_names_are_filled_in_as_slurm_does(pattern: str, job: str, task: str) -> None:
    assert wrapper.expand(pattern, JOB) == job
    assert wrapper.expand(pattern, TASK) == task


@given(st.text())
def test_any_file_name_can_be_expanded(pattern: str) -> None:
    assert isinstance(wrapper.expand(pattern, JOB), str)
    if "%" not in pattern and "\\" not in pattern:
        assert wrapper.expand(pattern, JOB) == pattern


def test_the_first_claim_wins_and_its_owner_may_come_again(tmp_path: Path) -> None:
    wrapper.claim(str(tmp_path), JOB, "")
    wrapper.claim(str(tmp_path), JOB, "")
    assert (tmp_path / "claim").read_text() == "37.0"
    for other in ({"SLURM_JOB_ID": "38"}, {"SLURM_RESTART_COUNT": "1"}):
        with pytest.raises(wrapper.NotOurs, match=r"claim says 37\.0, this is"):
            wrapper.claim(str(tmp_path), JOB | other, "")
    assert [each.name for each in tmp_path.iterdir()] == ["claim"]


def test_the_tasks_of_an_array_share_a_claim_and_have_their_own(tmp_path: Path) -> None:
    wrapper.claim(str(tmp_path), TASK, "4")
    wrapper.claim(str(tmp_path), TASK | {"SLURM_JOB_ID": "40"}, "5")
    found = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert found == {"claim": "36", "claim.4": "0", "claim.5": "0"}
    with pytest.raises(wrapper.NotOurs, match=r"claim\.4 says 0, this is 1"):
        wrapper.claim(str(tmp_path), TASK | {"SLURM_RESTART_COUNT": "1"}, "4")
    with pytest.raises(wrapper.NotOurs, match="claim says 36, this is 99"):
        wrapper.claim(str(tmp_path), TASK | {"SLURM_ARRAY_JOB_ID": "99"}, "6")


@pytest.mark.parametrize("text", ["VOID", "", "37.0 and more", "37.0\n38.0"])
def test_no_other_text_in_a_claim_lets_anybody_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "claim").write_text(text)
    with pytest.raises(wrapper.NotOurs):
        wrapper.claim(str(tmp_path), JOB, "")


def test_a_fenced_attempt_does_not_run_even_if_the_fence_is_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "FENCED").symlink_to("/nowhere")
    with pytest.raises(wrapper.NotOurs, match="fenced"):
        wrapper.claim(str(tmp_path), JOB, "")


def test_an_attempt_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "attempt.json").write_text('{"version": 99}')
    with pytest.raises(ValueError, match="version 99, not 1"):
        wrapper.read_attempt(str(tmp_path))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory, home = tmp_path / "attempt", tmp_path / "home"
    directory.mkdir()
    home.mkdir()
    monkeypatch.chdir(home)
    (directory / "stdout").write_bytes(b"early ")
    return directory / "stdout"


def place(source: Path, path: str, **more: object) -> None:
    """Ask for the output, let the script write on, and finish."""
    finish = wrapper.place({"stream": "stdout", "path": path} | more, str(source.parent), "", JOB)
    with source.open("ab") as file:
        file.write(b"late")
    finish()


def test_an_output_is_the_same_file_under_a_second_name(source: Path) -> None:
    place(source, "new/folder/%x.out")
    assert Path("new/folder/a b.out").read_bytes() == b"early late"
    assert Path("new/folder/a b.out").samefile(source)


def test_an_output_replaces_what_was_there_and_follows_the_tenants_own_link(source: Path) -> None:
    Path("old").write_bytes(b"of yesterday")
    Path("link").symlink_to("old")
    place(source, "link")
    assert Path("link").is_symlink()
    assert Path("old").read_bytes() == b"early late"
    assert sorted(each.name for each in Path().iterdir()) == ["link", "old"]


def test_an_appended_output_is_added_once_at_the_end(source: Path) -> None:
    Path("log").write_bytes(b"before ")
    place(source, "log", append=True)
    assert Path("log").read_bytes() == b"before early late"


def test_an_output_on_another_file_system_is_visible_at_once_and_a_copy_at_the_end(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    finish = wrapper.place({"stream": "stdout", "path": "far"}, str(source.parent), "", JOB)
    assert Path("far").read_bytes() == b"early "
    finish()
    source.unlink()
    assert not Path("far").is_symlink()
    assert Path("far").read_bytes() == b"early "
    assert [each.name for each in Path().iterdir()] == ["far"]


def test_dev_null_is_left_alone(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(source, "/dev/null")
    assert Path("/dev/null").is_char_device()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", ["folder", "fifo", "file/below"])
def test_an_output_that_cannot_be_made_costs_a_message_and_not_the_job(
    source: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    os.mkfifo("fifo")
    Path("file").touch()
    place(source, path)
    assert f"the output stays in {source}" in capsys.readouterr().err
    assert source.read_bytes() == b"early late"


@pytest.mark.parametrize(
    ("text", "code", "exit_code", "message"),
    [
        (b"#!/bin/bsh\necho", errno.ENOENT, 127, "bad interpreter in '#!/bin/bsh': no such file"),
        (b"#!/bin/bash\r\necho", errno.ENOENT, 127, "the script has DOS line ends"),
        (b"echo\n", errno.ENOEXEC, 126, "the script, which begins 'echo': Exec format error"),
        (b"\xff\n", errno.EACCES, 126, "Permission denied"),
    ],
)
def test_a_script_that_cannot_be_started_is_explained(
    tmp_path: Path, text: bytes, code: int, exit_code: int, message: str
) -> None:
    (tmp_path / "script").write_bytes(text)
    error = wrapper.unstartable(str(tmp_path / "script"), code)
    assert error.exit_code == exit_code
    assert message in str(error)


def test_the_script_sees_what_slurm_gave_plus_the_tenants_own_but_not_instead_of_ours() -> None:
    attempt = {"job": "12", "attempt": "12-main-1-x", "workdir": "/w", "env": {"A": "1", "SGW_JOB_ID": "forged"}}
    found = wrapper.script_environment(attempt, {"SLURM_JOB_ID": "37", "SLURM_SUBMIT_DIR": "/", "A": "0"})
    assert found == {
        "SLURM_JOB_ID": "37",
        "SLURM_SUBMIT_DIR": "/w",
        "A": "1",
        "SGW_JOB_ID": "12",
        "SGW_ATTEMPT": "12-main-1-x",
    }
