"""What the privileged helper's configuration may say, and when it is believed."""

import json
import os
from pathlib import Path

import pytest

from gateway.runas.config import UNLIMITED, ConfigError, ConfigFile, parse

LEAST = {"attempts_root": "/shared/attempts"}


def test_only_the_attempts_root_is_needed_and_nobody_is_allowed_by_default() -> None:
    config = parse(LEAST)
    assert config.attempts_root == "/shared/attempts"
    assert (config.clients, config.users, config.prefixes, config.groups) == ((), (), (), ())
    assert config.min_uid == 1000
    assert config.umask == 0o022
    assert config.limits["core"] == (0, UNLIMITED)


def test_limits_are_changed_one_by_one() -> None:
    limits = parse(LEAST | {"limits": {"memlock": [None, None]}}).limits
    assert limits["memlock"] == (UNLIMITED, UNLIMITED)
    assert limits["nofile"] == (1024, 524288)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "must be a JSON object"),
        ({}, "attempts_root: missing"),
        (LEAST | {"user": ["ada"]}, "unknown field 'user'"),
        ({"attempts_root": "shared"}, "attempts_root: must be an absolute path"),
        (LEAST | {"users": "ada"}, "users: must be a list"),
        (LEAST | {"prefixes": [""]}, "prefixes: must be a list of non-empty strings"),
        (LEAST | {"clients": [1000]}, "clients: must be a list"),
        (LEAST | {"min_uid": 0}, "min_uid: must be a number from 1"),
        (LEAST | {"min_uid": True}, "min_uid: must be a number from 1"),
        (LEAST | {"umask": "0o22"}, "umask: must be an octal string"),
        (LEAST | {"umask": 22}, "umask: must be an octal string"),
        (LEAST | {"umask": ""}, "umask: must be an octal string"),
        (LEAST | {"limits": {"cores": [1, 1]}}, "limits: must be an object with any of as, core"),
        (LEAST | {"limits": {"core": [1]}}, r"limits\.core: must be \[soft, hard\]"),
        (LEAST | {"limits": {"core": [1, "2"]}}, r"limits\.core: must be"),
        (LEAST | {"path": None}, "path: must be a string"),
    ],
)
def test_a_mistake_is_named_with_its_field(raw: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(raw)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "runas.json"
    path.write_text(json.dumps(LEAST))
    path.chmod(0o644)
    return path


def test_a_change_is_seen_at_the_next_look(path: Path) -> None:
    file = ConfigFile(str(path), owner=os.getuid())
    first = file.current()
    assert file.current() is first
    path.write_text(json.dumps(LEAST | {"users": ["ada"]}))
    assert file.current().users == ("ada",)


def test_a_broken_file_is_not_covered_by_what_it_said_before(path: Path) -> None:
    file = ConfigFile(str(path), owner=os.getuid())
    file.current()
    path.write_text("{")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"runas\.json: Expecting"):
            file.current()
    path.write_text(json.dumps(LEAST))
    assert file.current().attempts_root == "/shared/attempts"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write_is_not_believed(path: Path, mode: int) -> None:
    file = ConfigFile(str(path), owner=os.getuid())
    file.current()
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"writable by nobody else; .* with mode {mode:04o}"):
        file.current()


def test_a_file_of_another_owner_is_not_believed(path: Path) -> None:
    with pytest.raises(ConfigError, match="must be owned by uid 4242"):
        ConfigFile(str(path), owner=4242).current()


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        ConfigFile(str(tmp_path / "none")).current()
