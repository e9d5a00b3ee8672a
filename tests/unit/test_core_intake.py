"""Requests become specs, or one clear answer that names the field or the line."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import InvalidRequest, TooLarge
from gateway.jobs.intake import Intake, Site, take_in
from gateway.jobs.spec import Dependency, JobSpec, Output
from gateway.settings import ClusterSettings
from gateway.wire import MAX_SCRIPT_BYTES, JobRequest
from tests.core_world import POOL

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLUSTER = ClusterSettings(runas_socket=Path("/r"), attempts_root=Path("/a"), wake_dir=Path("/w"))
GPU = replace(
    POOL, partition="gpu", default=False, nodes=2, gpus=4, gpus_per_node=2, default_time_s=None, max_time_s=None
)
SITE = Site(cluster=CLUSTER, pools={"cpu": POOL, "gpu": GPU}, account="acme", home="/home/ada", max_array_tasks=10_000)
SCRIPT = "#!/bin/bash\nhostname\n"


def take(site: Site = SITE, **fields: Any) -> Intake:
    if not {"script", "script_base64", "command"} & fields.keys():
        fields["script"] = SCRIPT
    return take_in(JobRequest.model_validate(fields), site, now=NOW)


def refused(**fields: Any) -> list[tuple[str, str]]:
    """What is wrong, as (where, message)."""
    with pytest.raises(InvalidRequest) as caught:
        take(**fields)
    assert caught.value.details, "a refusal says where"
    assert str(caught.value).startswith(caught.value.details[0].where), "the first finding is the sentence"
    return [(detail.where, detail.message) for detail in caught.value.details]


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"script": ""}, "script", "empty"),
        ({"script": " \n\n"}, "script", "whitespace"),
        ({"script": "hostname\n"}, "line 1", "batch script"),
        ({"script": "#!/bin/sh\n\0"}, "line 2", "NUL"),
        ({"script_base64": "%%%"}, "script_base64", "not base64"),
        ({"script": SCRIPT, "command": ["x"]}, "script", "more than one"),
        ({"script": SCRIPT, "runtime": "mpi"}, "runtime", "runs a command"),
        ({"command": []}, "command", "empty"),
        ({"command": ["a\0b"]}, "command", "NUL"),
        ({"command": "a && b", "args": ["c"]}, "command", "no args"),
        ({"name": "two\nlines"}, "name", "control character"),
        ({"name": "bell\x07"}, "name", "control character"),
        ({"script": f"#!/bin/sh\n#SBATCH -J {'x' * 10_240}\n"}, "line 2", "10240 characters long"),
        ({"script_base64": base64.b64encode(b"#!/bin/sh\n#SBATCH -J a\xff\n").decode()}, "line 2", "not valid UTF-8"),
        ({"time_limit": "abc"}, "time_limit", "not a length of time"),
        ({"time_limit": -5}, "time_limit", "not a length of time"),
        ({"time_limit": 0}, "time_limit", "no limit is asked for"),
        ({"time_limit": "3:00:00"}, "time_limit", "allows 120 minutes"),
        ({"script": "#!/bin/sh\n#SBATCH --time=abc\n"}, "line 2", "--time=abc"),
        ({"nodes": 5}, "nodes", "has 4"),
        ({"nodes": 3, "pool": "gpu"}, "nodes", "the pool 'gpu' has 2"),
        ({"script": "#!/bin/sh\n#SBATCH -N 0\n"}, "line 2", "at least one node"),
        ({"script": "#!/bin/sh\n#SBATCH -N 5-9\n"}, "nodes", "5 nodes"),
        ({"options": ["--nodes=abc"]}, "command line", "--nodes=abc"),
        ({"pool": "nope"}, "pool", "no pool 'nope'"),
        ({"pool": "cpu\n"}, "pool", "control character"),
        ({"pool": ""}, "pool", ""),
        ({"memory": -1}, "memory", "not an amount"),
        ({"memory": "-4G"}, "memory", "not an amount"),
        ({"memory": "lots"}, "memory", "not an amount"),
        ({"memory": "10T"}, "memory", "has 4000 MB"),
        ({"cpus_per_task": 5}, "cpus_per_task", "has 4"),
        ({"gpus": 1}, "gpus", "has 0"),
        ({"gpus": 3, "nodes": 2, "pool": "gpu"}, "gpus", "6 GPUs"),
        ({"gpus": 3, "pool": "gpu"}, "gpus", "3 GPUs on a node"),
        ({"pool": "gpu", "options": ["--gpus-per-node=3"]}, "gpus", "3 GPUs on a node"),
        ({"pool": "gpu", "options": ["--gpus=4", "--cpus-per-gpu=5"]}, "cpus_per_gpu", "need 20 CPUs"),
        ({"tasks": 17}, "tasks", "need 17 CPUs; the pool 'cpu' has 16"),
        ({"options": ["-n40", "-N1-100"]}, "tasks", "need 40 CPUs"),
        ({"tasks": 6, "cpus_per_task": 3}, "tasks", "6 tasks need 18 CPUs"),
        ({"tasks": 8, "nodes": 1}, "tasks", "need 8 CPUs on one node"),
        ({"tasks_per_node": 8}, "tasks_per_node", "need 8 CPUs"),
        ({"tasks_per_node": 3, "cpus_per_task": 2}, "tasks_per_node", "need 6 CPUs"),
        ({"tasks": 2, "tasks_per_node": 8}, "tasks_per_node", "a node of 'cpu' has 4"),
        ({"options": ["-O", "--ntasks-per-node=8"]}, "tasks_per_node", "need 8 CPUs"),
        ({"options": ["--mincpus=5"]}, "mincpus", "5 CPUs on every node"),
        ({"options": ["--mem-per-cpu=5000"]}, "mem_per_cpu", "has 4000 MB"),
        ({"options": ["-c2", "--mem-per-cpu=3000"]}, "mem_per_cpu", "is 6000 MB a node"),
        ({"options": ["-N1", "-n4", "--mem-per-cpu=1001"]}, "mem_per_cpu", "is 4004 MB a node"),
        ({"options": ["-n4", "--ntasks-per-node=4", "--mem-per-cpu=1500"]}, "mem_per_cpu", "is 6000 MB a node"),
        ({"array": "0-999999"}, "array", "too large"),
        ({"array": "1-1000000"}, "array", "too large"),
        ({"array": "0-99999999999999"}, "array", "not an array"),
        ({"array": "5-1"}, "array", "backwards"),
        ({"workdir": "a\nb"}, "workdir", "control character"),
        ({"args": ["ok", "a\0b"]}, "args[1]", "NUL"),
        ({"args": ["\udcff"]}, "args[0]", "not valid Unicode"),
        ({"env": {"A": "x\0"}}, "env.A", "NUL"),
        ({"env": {"A": "x" * 40_000}}, "env.A", "40000 characters"),
        ({"env": {"a b": "x"}}, "env", "not a variable's name"),
        ({"env": {"": "x"}}, "env", "not a variable's name"),
        ({"env": {"SLURM_JOB_ID": "1"}}, "env", "SLURM_JOB_ID"),
        ({"env": {"SGW_TOKEN": "1"}}, "env", "SGW_TOKEN"),
        ({"cost_estimate": "cheap"}, "cost_estimate", "not an amount"),
        ({"cost_estimate": "1\0"}, "cost_estimate", "not an amount"),
        ({"options": ["--uid=0"]}, "command line", "--uid"),
        ({"options": ["--nodse=1"]}, "command line", "--nodse"),
        ({"script": "#!/bin/sh\n\n#SBATCH --get-user-env\n"}, "line 3", "--get-user-env"),
        ({"options": ["--dependency=afterok:1_2"]}, "dependency", "whole jobs"),
        ({"options": ["--dependency=after:1+5"]}, "dependency", "no delay"),
        ({"options": ["--dependency=aftercorr:1"]}, "dependency", "whole jobs"),
        ({"options": ["--dependency=afterok:1?afterok:slurm:2"]}, "dependency", "cannot mix"),
        ({"inputs": [{"from": "s3://b/k", "to": "in"}]}, "inputs", "not available"),
    ],
)
def test_a_bad_request_is_answered_with_the_place_of_the_fault(fields: dict[str, Any], where: str, words: str) -> None:
    found = refused(**fields)
    assert found[0][0] == where
    assert words in found[0][1]


@pytest.mark.parametrize(
    "options",
    [
        ["-n16"],
        ["-N1-100"],
        ["-N5", "-n2"],
        ["-N1", "-n8", "-O"],
        ["-n2", "--mem-per-cpu=3000"],
        ["-n4", "-N1", "--mem-per-cpu=1000"],
        ["-p", "gpu", "--gpus=3"],
        ["-p", "gpu", "-N1-9", "--gres=gpu:2"],
        ["-p", "gpu", "-N2", "--gpus=4", "--cpus-per-gpu=2"],
        ["-N2", "--exclusive"],
    ],
)
def test_what_slurm_can_run_is_not_refused_for_its_size(options: list[str]) -> None:
    assert take(options=options).spec.options


def test_a_pool_of_which_little_is_known_takes_what_it_may_have() -> None:
    bare = replace(POOL, cpus=0, cpus_per_node=0, memory_mb_per_node=0, gpus=8)
    assert take(replace(SITE, pools={"cpu": bare}), tasks=99, memory="9T", gpus=8).spec.resources.tasks == 99


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"nodes": 0}, "nodes"),
        ({"nodes": -1}, "nodes"),
        ({"name": "x" * 10_240}, "name"),
        ({"name": ""}, "name"),
        ({"name": "half\ud800"}, "name"),
        ({"tasks": 10**12}, "tasks"),
        ({"priority": 10**9}, "priority"),
        ({"expected_runtime": 0}, "expected_runtime"),
        ({"output_bytes": -1}, "output_bytes"),
        ({"nodse": 4}, "nodse"),
    ],
)
def test_the_wire_model_already_refuses_what_is_out_of_any_range(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JobRequest.model_validate({"script": SCRIPT} | fields)
    assert caught.value.errors()[0]["loc"] == (where,)


def test_every_finding_about_a_script_is_told_at_once() -> None:
    found = refused(script="#!/bin/sh\n#SBATCH --time=abc\n#SBATCH --uid=0\n", memory=-1)
    assert [where for where, _ in found] == ["line 2", "line 3", "memory"]


_LARGE = "#!/bin/sh\n" + "#" * MAX_SCRIPT_BYTES


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("script", _LARGE),
        ("script_base64", base64.b64encode(_LARGE.encode()).decode()),
        ("command", "x" * MAX_SCRIPT_BYTES),
    ],
)
def test_a_script_above_the_limit_is_too_large_and_not_merely_invalid(field: str, value: str) -> None:
    with pytest.raises(TooLarge, match=f"{field}: .*{MAX_SCRIPT_BYTES}") as caught:
        take(SITE, **{field: value})
    assert [detail.where for detail in caught.value.details] == [field]


@pytest.mark.parametrize(
    "name", ["a|b", "it's", "$(reboot)", "`id`", '"', "ünïcode", "a;b&c", "%j", "-x", "--", "x" * 200]
)
def test_a_strange_name_stays_what_it_is_in_one_argument(name: str) -> None:
    spec = take(name=name).spec
    assert spec.name == name
    assert spec.options[0] == f"--job-name={name}"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"script_name": "/home/ada/heat.sh"}, "heat.sh"),
        ({"script_name": "x\ny\x07.sh"}, "x?y?.sh"),
        ({"script_name": "/"}, "sbatch"),
        ({"script_name": "a.sh", "name": "heat"}, "heat"),
        ({"script": "#!/bin/sh\n#SBATCH -J inside\n", "script_name": "a.sh"}, "inside"),
        ({}, "sbatch"),
        ({"command": ["hostname"]}, "job"),
    ],
)
def test_a_job_is_called_as_sbatch_would_call_it(fields: dict[str, Any], name: str) -> None:
    assert take(**fields).spec.name == name


def test_everything_is_explicit_on_sbatchs_command_line() -> None:
    taken = take(nodes=2, tasks=4, memory="1G", time_limit="1:30:00", array="1-9%2", env={"A": "b"}, args=["c d"])
    assert taken.spec.options == (
        "--job-name=sbatch",
        "--account=acme",
        "--partition=cpu",
        "--array=1-9%2",
        "--nodes=2",
        "--ntasks=4",
        "--mem=1024M",
        "--time=0-01:30:00",
    )
    assert not any("\n" in option for option in taken.spec.options)
    assert taken.spec.time_limit_s == 5400
    assert (taken.spec.env, taken.spec.args) == ((("A", "b"),), ("c d",))
    assert (taken.spec.resources.array_tasks, taken.spec.resources.array_throttle) == (9, 2)


@pytest.mark.parametrize(
    ("site", "fields", "limit", "option"),
    [
        (SITE, {}, 600, "--time=10"),
        (SITE, {"pool": "gpu"}, 3600, "--time=60"),
        (SITE, {"time_limit": 5}, 300, "--time=0-00:05:00"),
        (SITE, {"time_limit": "UNLIMITED", "pool": "gpu"}, None, "--time=UNLIMITED"),
        (replace(SITE, pools={"cpu": replace(POOL, default_time_s=90_000)}), {}, 7200, "--time=120"),
        (replace(SITE, pools={}), {}, 3600, "--time=60"),
    ],
)
def test_a_job_without_a_limit_gets_its_pools_or_the_clusters(
    site: Site, fields: dict[str, Any], limit: int | None, option: str
) -> None:
    spec = take(site, **fields).spec
    assert spec.time_limit_s == limit
    assert option in spec.options


def test_memory_is_explicit_also_when_nobody_names_it() -> None:
    assert "--mem-per-cpu=1000M" in take().spec.options
    for option in ("--mem=1G", "--mem-per-cpu=1G"):
        options = take(options=[option]).spec.options
        assert sum(word.startswith("--mem") for word in options) == 1


def test_fields_beat_options_and_options_beat_the_script() -> None:
    script = "#!/bin/sh\n#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=1\n"
    spec = take(script=script, options=["--nodes=2", "--ntasks=2"], nodes=3, tasks=3).spec
    assert (spec.resources.nodes, spec.resources.tasks) == (3, 3)


def test_another_sites_account_and_partition_are_replaced_with_a_warning() -> None:
    taken = take(script="#!/bin/sh\n#SBATCH -A physics\n#SBATCH -p batch\n")
    assert {"--account=acme", "--partition=cpu"} <= set(taken.spec.options)
    assert ["account" in warning or "partition" in warning for warning in taken.warnings] == [True, True]


def test_a_strict_site_refuses_what_is_not_its_own() -> None:
    strict = replace(SITE, cluster=CLUSTER.model_copy(update={"strict_directives": True}))
    with pytest.raises(InvalidRequest, match="physics"):
        take(strict, options=["--account=physics"])


def test_a_partition_may_have_further_names_and_a_pool_too() -> None:
    aliased = replace(SITE, cluster=CLUSTER.model_copy(update={"partitions": {"batch": "gpu"}}))
    assert take(aliased, options=["-p", "batch"]).spec.partition == "gpu"
    assert take(aliased, pool="batch").spec.partition == "gpu"
    assert take(aliased, pool="cpu", options=["-p", "batch"]).spec.partition == "cpu"


def test_before_the_cluster_was_seen_a_job_is_taken_as_it_is() -> None:
    unseen = replace(SITE, pools={})
    assert take(unseen, nodes=500, pool="anything").spec.partition == "anything"
    assert take(unseen).spec.partition == ""
    assert not any(option.startswith("--partition") for option in take(unseen).spec.options)


def test_outputs_are_sbatchs_own_for_a_script_and_none_for_a_described_run() -> None:
    assert take().spec.outputs == (Output(stream="stdout", path="slurm-%j.out"),)
    assert take(array="1-2").spec.outputs == (Output(stream="stdout", path="slurm-%A_%a.out"),)
    assert take(command=["x"]).spec.outputs == ()
    both = take(options=["-o", "a/%j", "-e", "b", "--open-mode=append"]).spec
    assert both.outputs == (
        Output(stream="stdout", path="a/%j", append=True),
        Output(stream="stderr", path="b", append=True),
    )
    assert (take().spec.merged, both.merged, take(command=["x"]).spec.merged) == (True, False, False)


def test_output_outside_of_ones_directories_is_mapped_inside() -> None:
    taken = take(options=["--output=/etc/cron.d/evil"])
    assert taken.spec.outputs == (Output(stream="stdout", path="evil"),)
    assert any("outside of your directories" in warning for warning in taken.warnings)


def test_dependencies_are_split_between_the_gateway_and_slurm() -> None:
    spec = take(options=["--dependency=afterok:7:8,afterany:slurm:99,singleton"]).spec
    assert spec.dependencies == (Dependency(kind="afterok", job_id=7), Dependency(kind="afterok", job_id=8))
    assert "--dependency=afterany:99,singleton" in spec.options
    any_of = take(options=["--dependency=afterok:7?afternotok:8"]).spec
    assert any_of.any_dependency
    assert not any(option.startswith("--dependency") for option in any_of.options)


def test_relative_times_are_resolved_when_the_job_is_taken_in() -> None:
    options = take(options=["--begin=now+1hour", "--deadline=2026-03-02"]).spec.options
    assert "--begin=2026-03-01T13:00:00" in options
    assert "--deadline=2026-03-02T00:00:00" in options


def test_variables_of_the_submitting_shell_are_not_promised() -> None:
    taken = take(options=["--export=ALL,HOME,STAGE=dev"])
    assert taken.spec.env == (("STAGE", "dev"),)
    assert any("HOME" in warning for warning in taken.warnings)


@pytest.mark.parametrize(
    "fields",
    [{}, {"array": "0-3", "options": ["--dependency=afterok:7", "-e", "x"]}, {"command": ["a b"], "env": {"A": "ü\n"}}],
)
def test_a_stored_spec_is_read_back_as_it_was(fields: dict[str, Any]) -> None:
    spec = take(**fields).spec
    assert JobSpec.from_json(spec.to_json()) == spec


def test_a_spec_of_a_newer_gateway_is_refused_and_not_guessed() -> None:
    document = take().spec.to_json() | {"checkpoint": {}}
    with pytest.raises(ValueError, match="newer gateway: checkpoint"):
        JobSpec.from_json(document)
