"""The dev cluster's command line speaks in export lines, exit codes and sentences."""

import argparse

import pytest

from gateway.devcluster import console


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    console.add_arguments(parser)
    return console.run(parser.parse_args(words))


def test_env_prints_the_configuration_even_before_anything_is_up(capsys: pytest.CaptureFixture[str]):
    assert call("--root", "/srv/none", "env") == 0

    assert capsys.readouterr().out == "export SLURM_CONF=/srv/none/etc/slurm.conf\n"


def test_a_state_directory_below_tmp_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]):
    assert call("--root", "/tmp/none", "env") == 1

    assert "not below /tmp" in capsys.readouterr().err


def test_the_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("SGW_DEV_ROOT", "/srv/elsewhere")

    assert call("env") == 0
    assert "/srv/elsewhere/etc" in capsys.readouterr().out


def test_breaking_a_cluster_that_is_not_there_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert call("--root", "/srv/none", "kill-node", "c1") == 1
    assert "sgw dev up" in capsys.readouterr().err


def test_without_root_rights_changes_are_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert call("--root", "/srv/none", "up") == 1
    assert "sudo" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error():
    parser = argparse.ArgumentParser()
    console.add_arguments(parser)

    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["explode"])
