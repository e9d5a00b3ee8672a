"""Bad input gets a clear answer: a status, a stable type, the field or line, and nothing is made of it.

Through REST and, where people would meet it, through the command line: its exit code and its words.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.states import State
from tests.live import Live

pytestmark = pytest.mark.cluster

SCRIPT = "#!/bin/sh\ntrue\n"
HEADERS = {"Content-Type": "application/json"}


def jobs(live: Live) -> list[str]:
    with live.http() as http:
        return [job["id"] for job in http.get("/v1/jobs", params={"limit": 1000}).json()["items"]]


@pytest.fixture(autouse=True)
def untouched(live: Live, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing may have been created, unless the test is about what is accepted."""
    before = jobs(live)
    yield
    if "accepted" not in request.node.name:
        assert jobs(live) == before


def sgw(live: Live, *words: str | bytes, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would, with any bytes at all."""
    known = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SGW_URL": live.place.url, "SGW_TOKEN": live.token()}
    argv = [sys.executable, "-m", "gateway.cli", *words]
    done = subprocess.run(argv, input=stdin, env=known | environment, capture_output=True, timeout=60, check=False)
    return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())


def refused(answer: httpx.Response, status: int, kind: str, *words: str, where: str | None = None) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{kind}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if where is not None:
        assert [each["where"] for each in problem["errors"]] == [where], answer.text
    for word in words:
        assert word in answer.text
    assert len(answer.content) < 3000, "the wrong value is shown in part, not thrown back"


@pytest.mark.parametrize(
    ("body", "where", "word"),
    [
        ({"script": ""}, "script", "empty"),
        ({"script": " \n\t\n"}, "script", "whitespace"),
        ({"script": "echo no interpreter\n"}, "line 1", "#!"),
        ({"script": "#!/bin/sh\ntrue \0\n"}, "line 2", "NULL"),
        ({"script": "#!/bin/sh\n#SBATCH --time=abc\n"}, "line 2", "abc"),
        ({"script": "#!/bin/sh\n#SBATCH -N 0\n"}, "line 2", "at least one node"),
        ({"script": SCRIPT, "options": ["--time=abc"]}, "command line", "HH:MM:SS"),
        ({"script": SCRIPT, "options": ["--begin=now+99999999days"]}, "command line", "hundred years"),
        ({"script": SCRIPT, "time_limit": "abc"}, "time_limit", "abc"),
        ({"script": SCRIPT, "nodes": 0}, "nodes", "(got 0)"),
        ({"script": SCRIPT, "nodes": 99}, "nodes", "the pool 'cpu' has 4"),
        ({"script": "#!/bin/sh\n#SBATCH -N 99\n"}, "nodes", "the pool 'cpu' has 4"),
        ({"script": SCRIPT, "pool": "nope"}, "pool", "choose one of burst, cpu, gpu"),
        ({"script": SCRIPT, "memory": -1}, "memory", "-1"),
        ({"script": SCRIPT, "options": ["--mem=-5G"]}, "command line", "--mem=-5G"),
        ({"script": SCRIPT, "array": "0-999999"}, "array", "too large"),
        ({"script": "#!/bin/sh\n#SBATCH --array=1-1000000\n"}, "line 2", "too large"),
        ({"script": SCRIPT, "name": "a\nb"}, "name", "control character"),
        ({"script": SCRIPT, "name": "a\0b"}, "name", "control character"),
        ({"script": SCRIPT, "name": "\x1b[2J"}, "name", "control character"),
        ({"script": SCRIPT, "name": "x" * 10_240}, "name", "200"),
        ({"script": SCRIPT, "name": "\ud800"}, "name", "unicode"),
        ({"script": SCRIPT, "options": ["--job-name=" + "x" * 10_240]}, "command line", "200"),
        ({"script": SCRIPT, "workdir": "/tmp\nx"}, "workdir", "control character"),
        ({"command": ["true"], "env": {"A|B": "1"}}, "env", "A|B"),
        ({"command": ["true"], "env": {"A": "nul\0"}}, "env.A", "NUL"),
        ({"script": SCRIPT, "nodes": float("nan")}, "nodes", "finite"),
        ({"script": SCRIPT, "nodess": 1}, "nodess", "Did you mean `nodes`?"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else None,
)
def test_a_bad_value_is_refused_by_the_name_of_its_field_or_line(live: Live, body: object, where: str, word: str):
    with live.http() as http:
        answer = http.post("/v1/jobs", content=json.dumps(body).encode(), headers=HEADERS)
    refused(answer, 422, "invalid-request", word, where=where)


def test_a_body_that_cannot_be_read_says_why(live: Live):
    with live.http() as http:

        def post(body: bytes, kind: str = "application/json") -> httpx.Response:
            return http.post("/v1/jobs", content=body, headers={"Content-Type": kind})

        refused(post(json.dumps({"script": SCRIPT + "#" * 20_000_000}).encode()), 413, "too-large", "8,388,608")
        refused(post(b"nonsense"), 400, "not-json", "line 1, column 1")
        refused(post(b'{"script":\n nope}'), 400, "not-json", "line 2, column 2")
        refused(post(b'{"script": "\xff\xfe"}'), 400, "not-json")
        refused(post(b"[" * 100_000), 400, "not-json")
        refused(post(b'{"nodes": ' + b"9" * 5000 + b"}"), 400, "not-json")
        refused(post(b"script=x", "text/plain"), 415, "unsupported-media-type", "application/json")
        refused(post(b"[]"), 422, "invalid-request", where="body")


def test_an_id_that_is_nobodys_is_404_on_every_route(live: Live):
    with live.http() as http:
        for job in ("999999", "0", "-1", "abc", "9" * 30, "1%0a", "%00", "1;id", "1'", "²"):
            for path in ("", "/logs", "/events", "/script", "/tasks"):
                refused(http.get(f"/v1/jobs/{job}{path}"), 404, "not-found", "There is no job")
            refused(http.delete(f"/v1/jobs/{job}"), 404, "not-found")
        refused(http.post("/v1/jobs", json={"script": SCRIPT, "options": ["-d", "afterok:999999"]}), 404, "not-found")


def test_lists_refuse_what_they_cannot_mean(live: Live):
    with live.http() as http:
        for query in ("cursor=junk", "cursor=%00", "limit=0", "limit=100001", "state=NOPE", "id=x", "id=" + "9" * 20):
            answer = http.get(f"/v1/jobs?{query}")
            refused(answer, 422, "invalid-request", query.partition("=")[0])
        assert http.get("/v1/jobs?submitted_before=9999-12-31T23:59:59-14:00").status_code == 200


def test_odd_but_honest_values_are_accepted_and_reach_slurm_unharmed(live: Live):
    names = ["a|b", "it's", "$(touch /tmp/pwned)", "`id`", "%x%j", "ünï cödé", "--uid=0"]
    with live.http() as http:
        made = [http.post("/v1/jobs", json={"command": ["printf", "%s", name], "name": name}) for name in names]
    ended = [live.finish(live.client().job(each.json()["id"])) for each in made]
    assert [(job.name, job.state) for job in ended] == [(name, State.COMPLETED) for name in names]
    assert [live.output(job) for job in ended] == names
    assert not Path("/tmp/pwned").exists()


def test_people_are_told_in_words_and_exit_codes(live: Live, tmp_path: Path):
    big = tmp_path / "big.sh"
    big.write_bytes(b"#!/bin/sh\n" + b"#" * 20_000_000)
    bad = tmp_path / "bad.sh"
    bad.write_bytes(b"#!/bin/sh\n#SBATCH --tiem=5\n#SBATCH -J \xff\n#SBATCH -N 0\n")
    for words, status, told in (
        ([str(big)], 6, ["larger than 4 MB"]),
        ([str(bad)], 5, ["line 2", "did you mean '--time'?", "line 3", "not valid UTF-8", "line 4", "one node"]),
        (["/nonexistent.sh"], 1, ["/nonexistent.sh: No such file"]),
        ([b"--job-name=\xff", "--wrap", "true"], 5, ["not valid UTF-8"]),
        (["--job-name=a\nb", "--wrap", "true"], 5, ["a\\nb", "control character"]),
        (["--nodes=99", "--wrap", "true"], 5, ["99 nodes", "the pool 'cpu' has 4"]),
        (["--array=1-1000000", "--wrap", "true"], 5, ["too large"]),
        (["--dependency=afterok:999999", "--wrap", "true"], 4, ["no job 999999"]),
        (["--uid=0", "--wrap", "true"], 5, ["--uid", "own Unix user"]),
    ):
        done = sgw(live, "sbatch", *words)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        for word in told:
            assert word in done.stderr
        assert len(done.stderr) < 2000
    assert "is empty" in sgw(live, "sbatch").stderr
    for command in ("scancel", "logs"):
        assert sgw(live, command, "999999").returncode == 4
        assert sgw(live, command, "36;id").returncode == 2
    nothing = sgw(live, "scancel", "--me", "")
    assert (nothing.returncode, "empty" in nothing.stderr) == (2, True)


def test_a_token_that_is_none_is_said_to_be_none(live: Live):
    assert sgw(live, "squeue", SGW_TOKEN="").returncode == 3
    for token in ("wrong", "sgw_000000000000_x", "ü", live.token() + "x"):
        done = sgw(live, "squeue", SGW_TOKEN=token)
        assert done.returncode == 3
        assert "token" in done.stderr
        assert "fault in sgw" not in done.stderr
        assert live.token() not in done.stderr
    with live.http(None) as http:
        for value in (b"Bearer", b"Bearer x", b"Basic YTpi", b"Bearer sgw_\xff", b"Bearer " + b"x" * 8000):
            answer = http.get("/v1/jobs", headers=[(b"Authorization", value)])
            refused(answer, 401, "unauthenticated", "token")
            assert answer.headers["www-authenticate"] == "Bearer"
