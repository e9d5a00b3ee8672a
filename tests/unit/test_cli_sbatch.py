"""`sgw sbatch` behaves as sbatch does for whoever calls it."""

import base64
from pathlib import Path

import httpx
import pytest

from tests.unit.cli_world import CANCELLED, COMPLETED, FAILED, PENDING, Gateway, job, problem, sgw

SCRIPT = b"#!/bin/bash\n#SBATCH --time=10\nhostname\n"
ACCEPTED = {"POST /v1/jobs": job(9, **PENDING)}


def test_a_script_on_standard_input_is_submitted_and_its_id_printed_as_slurm_does() -> None:
    gateway = Gateway(dict(ACCEPTED))
    ended = sgw("sbatch", gateway=gateway, stdin=SCRIPT)
    assert (ended.status, ended.out, ended.err) == (0, "Submitted batch job 9\n", "")
    assert gateway.body() == {"script": SCRIPT.decode(), "script_name": "sbatch"}
    assert gateway.requests[0].headers["Idempotency-Key"] == "key-1"


def test_a_file_is_submitted_with_its_options_and_arguments_as_given(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_bytes(SCRIPT)
    gateway = Gateway(dict(ACCEPTED))
    ended = sgw("sbatch", "-N2", "--time", "5", "job.sh", "-x", "a b", gateway=gateway, cwd=tmp_path)
    assert ended.status == 0
    assert gateway.body() == {
        "script": SCRIPT.decode(), "script_name": "job.sh", "options": ["-N2", "--time", "5"], "args": ["-x", "a b"],
    }  # fmt: skip


def test_parsable_prints_the_id_alone_and_quiet_nothing() -> None:
    assert sgw("sbatch", "--parsable", gateway=Gateway(dict(ACCEPTED)), stdin=SCRIPT).out == "9\n"
    assert sgw("sbatch", "-Q", gateway=Gateway(dict(ACCEPTED)), stdin=SCRIPT).out == ""
    assert '"id": "9"' in sgw("sbatch", "--json", gateway=Gateway(dict(ACCEPTED)), stdin=SCRIPT).out


def test_a_link_named_sbatch_is_sbatch() -> None:
    ended = sgw("--parsable", command="/opt/links/sbatch", gateway=Gateway(dict(ACCEPTED)), stdin=SCRIPT)
    assert ended.out == "9\n"


def test_wrap_makes_the_script_that_sbatch_makes() -> None:
    gateway = Gateway(dict(ACCEPTED))
    assert sgw("sbatch", "--wrap=echo hi", "-c", "6", gateway=gateway).status == 0
    assert gateway.body()["script"] == "#!/bin/sh\n# This script was created by sbatch --wrap.\n\necho hi\n\n"
    assert gateway.body()["script_name"] == "wrap"


def test_a_script_that_is_not_text_arrives_byte_for_byte() -> None:
    gateway = Gateway(dict(ACCEPTED))
    script = SCRIPT + b"echo \xff\xfe\n"
    assert sgw("sbatch", gateway=gateway, stdin=script).status == 0
    assert base64.b64decode(gateway.body()["script_base64"]) == script


def test_all_mistakes_are_named_at_once_and_nothing_is_sent() -> None:
    gateway = Gateway(dict(ACCEPTED))
    ended = sgw(
        "sbatch", "--foo", gateway=gateway, stdin=b"#!/bin/sh\n#SBATCH --gpu-per-node=1\n#SBATCH -t abc\n"
    )  # fmt: skip
    assert ended.status == 5
    assert "line 2: unrecognized option '--gpu-per-node=1'  hint: did you mean '--gpus-per-node'?" in ended.err
    assert "line 3: --time=abc" in ended.err
    assert "command line: unrecognized option '--foo'" in ended.err
    assert gateway.requests == []


@pytest.mark.parametrize(("script", "words"), [(b"", "empty"), (b"\n#!/bin/sh\n", "script"), (b"#!/bin/sh\n\0", "NUL")])
def test_what_is_no_script_is_refused_before_it_is_sent(script: bytes, words: str) -> None:
    gateway = Gateway(dict(ACCEPTED))
    ended = sgw("sbatch", gateway=gateway, stdin=script)
    assert ended.status == 5
    assert words in ended.err
    assert gateway.requests == []


def test_a_script_beyond_slurms_limit_is_refused_before_it_is_sent() -> None:
    ended = sgw("sbatch", gateway=Gateway(dict(ACCEPTED)), stdin=b"#!/bin/sh\n" + b"#" * (4 * 2**20))
    assert ended.status == 6
    assert "larger than 4 MB" in ended.err


def test_a_file_that_is_not_there_is_named() -> None:
    ended = sgw("sbatch", "nothere.sh", cwd=Path("/nonexistent"))
    assert (ended.status, ended.err) == (1, "sgw: error: /nonexistent/nothere.sh: No such file or directory\n")


def test_options_of_plug_ins_are_left_for_the_server_to_judge() -> None:
    gateway = Gateway(dict(ACCEPTED))
    assert sgw("sbatch", "--container-image=x", gateway=gateway, stdin=SCRIPT).status == 0
    assert gateway.body()["options"] == ["--container-image=x"]


def test_variables_stand_before_the_command_line_which_wins() -> None:
    gateway = Gateway(dict(ACCEPTED))
    env = {
        "SGW_URL": "http://g.test", "SGW_TOKEN": "t", "SBATCH_TIMELIMIT": "30", "SBATCH_PARTITION": "gpu",
        "SBATCH_EXCLUSIVE": "", "SBATCH_ACCOUNT": "",
    }  # fmt: skip
    assert sgw("sbatch", "-p", "cpu", gateway=gateway, stdin=SCRIPT, env=env).status == 0
    assert gateway.body()["options"] == ["--partition=gpu", "--time=30", "--exclusive", "-p", "cpu"]


def test_a_bad_variable_is_blamed_by_its_name() -> None:
    env = {"SGW_URL": "http://g.test", "SGW_TOKEN": "t", "SBATCH_TIMELIMIT": "soon"}
    ended = sgw("sbatch", stdin=SCRIPT, env=env)
    assert ended.status == 5
    assert "SBATCH_TIMELIMIT: --time=soon" in ended.err


def test_every_variable_stands_for_an_option_of_the_table() -> None:
    from gateway.cli.input_variables import FLAG_OF, OPTION_OF
    from gateway.directives.table import TABLE

    names = {option.name for option in TABLE.options}
    assert {*OPTION_OF.values(), *FLAG_OF.values()} <= names


def test_the_job_starts_here_only_where_the_cluster_sees_the_same_files(tmp_path: Path) -> None:
    shared = {"SGW_URL": "http://g.test", "SGW_TOKEN": "t", "SGW_SHARED_FS": "1"}
    for env, script, options in (
        (shared, SCRIPT, [f"--chdir={tmp_path}"]),
        (shared | {"SGW_SHARED_FS": "0"}, SCRIPT, None),
        (shared, b"#!/bin/sh\n#SBATCH --chdir=/data\n", None),
    ):
        gateway = Gateway(dict(ACCEPTED))
        assert sgw("sbatch", gateway=gateway, stdin=script, env=env, cwd=tmp_path).status == 0
        assert gateway.body().get("options") == options


def test_a_heterogeneous_job_is_refused_before_anything_is_read_or_sent() -> None:
    gateway = Gateway(dict(ACCEPTED))
    ended = sgw("sbatch", "-N1", ":", "-N2", "--wrap", "x", gateway=gateway)
    assert (ended.status, gateway.requests) == (5, [])
    assert "command line: ':': heterogeneous jobs are not supported yet" in ended.err


def test_test_only_asks_the_gateway_and_submits_nothing() -> None:
    view = job(9)
    check = {name: view[name] for name in ("name", "placement", "workdir")} | {"warnings": ["line 3: replaced"]}
    gateway = Gateway({"POST /v1/jobs": check})
    ended = sgw("sbatch", "--test-only", "-N", "2", gateway=gateway, stdin=SCRIPT)
    assert (ended.status, ended.err) == (0, "sgw: warning: line 3: replaced\n")
    assert ended.out.startswith("Nothing was submitted")
    assert "\n   Asks for: 2 nodes, 4 tasks, 8 CPUs, 4000 MB, 0 GPUs\n Time limit: 1:00:00\n" in ended.out
    [asked] = gateway.requests
    assert asked.url.query == b"test_only=true"
    # A gateway that does not know the query would refuse the option, not run the job.
    assert gateway.body()["options"] == ["--test-only", "-N", "2"]
    assert '"workdir": "/home/ada"' in sgw("sbatch", "--json", "--test-only", gateway=gateway, stdin=SCRIPT).out


def test_test_only_ends_as_the_submission_would() -> None:
    gateway = Gateway({"POST /v1/jobs": problem(422, "invalid-request", "nodes: 99 nodes are asked for; cpu has 4")})
    ended = sgw("sbatch", "--test-only", "-N", "99", gateway=gateway, stdin=SCRIPT)
    assert (ended.status, ended.out) == (5, "")
    assert "99 nodes are asked for" in ended.err


def test_warnings_of_the_gateway_go_to_stderr() -> None:
    gateway = Gateway({"POST /v1/jobs": job(9, warnings=["line 3: account replaced"])})
    ended = sgw("sbatch", "--parsable", gateway=gateway, stdin=SCRIPT)
    assert (ended.out, ended.err) == ("9\n", "sgw: warning: line 3: account replaced\n")


def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    lost = httpx.ReadError("connection reset")
    gateway = Gateway({"POST /v1/jobs": [lost, problem(409, "in-progress"), job(9)]})
    ended = sgw("sbatch", "--parsable", gateway=gateway, stdin=SCRIPT)
    assert ended.out == "9\n"
    assert [r.headers["Idempotency-Key"] for r in gateway.requests] == ["key-1"] * 3


def test_the_servers_refusal_is_shown_with_its_findings() -> None:
    errors = [{"where": "line 2", "message": "no such pool 'x'", "hint": "pools: cpu, gpu"}]
    gateway = Gateway({"POST /v1/jobs": problem(422, "invalid-request", "the job is not valid", errors=errors)})
    ended = sgw("sbatch", gateway=gateway, stdin=SCRIPT)
    assert (ended.status, ended.out) == (5, "")
    assert ended.err == (
        "sgw: error: the job is not valid\n  line 2: no such pool 'x'  hint: pools: cpu, gpu\n"
    )  # fmt: skip


def test_one_finding_is_not_said_twice() -> None:
    errors = [{"where": "nodes", "message": "0 is too few", "hint": "ask for 1"}]
    for detail, words in (
        ("nodes: 0 is too few", "nodes: 0 is too few\n  hint: ask for 1\n"),
        ("nodes: 0 is too few — ask for 1", "nodes: 0 is too few — ask for 1\n"),
    ):
        gateway = Gateway({"POST /v1/jobs": problem(422, "invalid-request", detail, errors=errors)})
        assert sgw("sbatch", gateway=gateway, stdin=SCRIPT).err == f"sgw: error: {words}"


def test_a_gateway_that_stays_away_is_told_once_and_given_up_after_a_minute() -> None:
    gateway = Gateway({"POST /v1/jobs": httpx.ConnectError("refused")})
    ended = sgw("sbatch", gateway=gateway, stdin=SCRIPT)
    assert (ended.status, ended.out) == (7, "")
    assert ended.err.count("trying again until it heals") == 1
    assert len({r.headers["Idempotency-Key"] for r in gateway.requests}) == 1
    assert len(gateway.requests) > 10


@pytest.mark.parametrize(
    ("facts", "code"),
    [(COMPLETED, 0), (FAILED, 3), (CANCELLED, 1), (FAILED | {"exit_code": None, "reason": "TIMEOUT"}, 1)],
)
def test_wait_ends_with_the_jobs_own_code_through_lost_connections(facts: dict[str, object], code: int) -> None:
    answers = [job(9), httpx.ReadError("reset"), httpx.ConnectError("refused"), job(9, **facts)]
    gateway = Gateway({**ACCEPTED, "GET /v1/jobs/9": answers})
    ended = sgw("sbatch", "--wait", gateway=gateway, stdin=SCRIPT)
    assert ended.status == code
    assert ended.out == "Submitted batch job 9\n"
    assert gateway.requests[-1].url.params["wait"] == "25"


def test_an_interrupted_wait_says_that_the_job_goes_on() -> None:
    gateway = Gateway({**ACCEPTED, "GET /v1/jobs/9": [KeyboardInterrupt()]})
    gateway.answers["GET /v1/jobs/9"] = _interrupt
    ended = sgw("sbatch", "--wait", gateway=gateway, stdin=SCRIPT)
    assert ended.status == 130
    assert "job 9 goes on; `sgw scancel 9` ends it" in ended.err


def _interrupt(_request: httpx.Request) -> httpx.Response:
    raise KeyboardInterrupt


def test_help_lists_the_options_of_the_table() -> None:
    ended = sgw("sbatch", "--help")
    assert ended.status == 0
    assert "--cpus-per-task" in ended.out
    assert "SGW_SHARED_FS" in ended.out
