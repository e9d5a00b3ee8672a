"""Described runs become the scripts and options that their tenants could have written."""

import base64
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.jobs.described import fields_of_options, script_and_options
from gateway.wire import JobRequest


def write(**fields: Any) -> tuple[bytes, tuple[str, ...]]:
    return script_and_options(JobRequest.model_validate(fields))


def test_a_script_stays_what_it_is_to_the_last_byte() -> None:
    text = "#!/bin/bash\r\necho 'ü' \udcff\n"
    assert write(script=text)[0] == "#!/bin/bash\r\necho 'ü' ".encode() + b"\xff\n"
    raw = b"#!/bin/sh\n\x80\xfe\n"
    assert write(script_base64=base64.b64encode(raw).decode())[0] == raw


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"nodes": 4, "tasks": 8}, ("--nodes=4", "--ntasks=8")),
        ({"tasks_per_node": 2, "cpus_per_task": 3}, ("--ntasks-per-node=2", "--cpus-per-task=3")),
        ({"memory": 4096}, ("--mem=4096",)),
        ({"memory": "4G", "time_limit": "1:00:00"}, ("--mem=4G", "--time=1:00:00")),
        ({"gpus": 2}, ("--gres=gpu:2",)),
        ({"gpus": 0}, ()),
        ({"array": "0-9%2", "workdir": "run", "name": "a b"}, ("--job-name=a b", "--array=0-9%2", "--chdir=run")),
        ({"pool": "gpu"}, ("--partition=gpu",)),
        ({"options": ["-N", "1"], "nodes": 2}, ("-N", "1", "--nodes=2")),
    ],
)
def test_fields_become_options_behind_the_given_ones(fields: dict[str, Any], options: tuple[str, ...]) -> None:
    assert write(script="#!/bin/sh\n", **fields)[1] == options


def test_every_option_written_for_a_field_leads_back_to_it() -> None:
    request = JobRequest(script="#!/bin/sh\n", memory="x", time_limit="y", name="z")
    assert fields_of_options(request) == {"job-name": "name", "mem": "memory", "time": "time_limit"}


def test_a_command_becomes_a_script_with_its_words_quoted() -> None:
    script, _ = write(command=["echo", "$(id)", "a b"], args=["'"], runtime="srun")
    assert script.startswith(b"#!/bin/")
    assert b"echo '$(id)' 'a b'" in script
    line, _ = write(command="hostname && date", runtime="script")
    assert b"hostname && date" in line


@pytest.mark.parametrize("fields", [{}, {"script": "x", "script_base64": "eA=="}, {"script": "x", "command": "y"}])
def test_exactly_one_thing_to_run_is_needed(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="exactly one of"):
        write(**fields)
