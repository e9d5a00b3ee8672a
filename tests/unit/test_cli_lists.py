"""squeue, sacct, scancel and show answer what people ask of Slurm's."""

import json
from typing import Any

import pytest

from tests.unit.cli_world import CANCELLED, COMPLETED, FAILED, PENDING, WHOAMI, Gateway, job, problem, sgw, task

ARRAY = {"expression": "0-3", "rest": "2-3", "rest_reason": "Priority", "total": 4, "pending": 2, "running": 1,
         "completed": 1, "failed": 0, "cancelled": 0}  # fmt: skip
OVER = {"state": "COMPLETED", "exit_code": 0, "ended_at": "2026-11-20T12:02:00Z"}


def page(*items: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": cursor}


def world(*jobs: dict[str, Any]) -> Gateway:
    return Gateway(
        {
            "GET /v1/jobs": page(*jobs),
            "GET /v1/jobs/36/tasks": page(task(0, **OVER), task(1)),
            "GET /v1/whoami": WHOAMI,
        }
    )


MANY = (
    job(36, name="sweep", array=ARRAY),
    job(9, user="bob", name="other", pool="gpu", placement={"partition": "gpu"}),
    job(8, **PENDING),
    job(7),
    job(5, **FAILED),
)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["8", "36_[2-3]", "7", "36_1", "9"]),
        (["-r"], ["8", "36_2", "36_3", "7", "36_1", "9"]),
        (["--me"], ["8", "36_[2-3]", "7", "36_1"]),
        (["-u", "bob,nobody"], ["9"]),
        (["-u", "sgwdemo-ada", "-t", "R"], ["7", "36_1", "9"]),
        (["-t", "pending"], ["8", "36_[2-3]"]),
        (["-t", "all", "-p", "cpu", "-n", "hello"], ["8", "7", "5"]),
        (["-t", "S,CF"], []),
        (["-j", "7,36_2"], ["36_2", "7"]),
        (["-j", "7,36_9"], ["7"]),
        (["-j36"], ["36_[2-3]", "36_1"]),
        (["-S", "-i"], ["36_1", "36_[2-3]", "9", "8", "7"]),
        (["--sort", "-i", "-t", "PD"], ["36_[2-3]", "8"]),
        (["-S", "j,-i"], ["8", "7", "9", "36_1", "36_[2-3]"]),
        (["-A", "globex"], []),
    ],
)
def test_squeue_chooses_and_orders_as_slurm_does(options: list[str], ids: list[str]) -> None:
    printed = sgw("squeue", "-h", "-o", "%i", *options, gateway=world(*MANY))
    assert printed.out.splitlines() == ids


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("%i|%T|%M|%P|%j", "7|RUNNING|1:29:05|cpu|hello"),
        ("%.8u %.2C %.2t", "     ada  8  R"),
        ("%8u.%4j.", "ada     .hell."),
        ("%A %F %K %a %U %y", "7 7 N/A acme sgwdemo-ada 0"),
        ("%V %S %e", "2026-11-20T12:00:00 2026-11-20T12:01:00 2026-11-20T13:01:00"),
        ("%l %D %R %N %r %Z", "1:00:00 2 c[1-2] c[1-2] None /home/ada"),
        ("id=%i", "id=7"),
        ("%m %q %E", "2000M N/A N/A"),
    ],
)
def test_squeue_knows_the_fields_people_use(form: str, line: str) -> None:
    assert sgw("squeue", "-h", "-o", form, gateway=world(job(7))).out == f"{line}\n"


def test_squeue_writes_times_as_slurm_time_format_asks() -> None:
    env = {"SGW_URL": "http://g.test", "SGW_TOKEN": "t", "SLURM_TIME_FORMAT": "%d.%m. %H:%M"}
    assert sgw("squeue", "-ho%V", gateway=world(job(7)), env=env).out == "20.11. 12:00\n"


def test_squeue_reads_all_pages_and_asks_for_active_jobs_only() -> None:
    gateway = Gateway({"GET /v1/jobs": [page(job(9), cursor="c"), page(job(8))]})
    assert sgw("squeue", "-h", "-o%A", gateway=gateway).out == "8\n9\n"
    assert [dict(r.url.params) for r in gateway.requests] == [
        {"active": "true", "limit": "200"}, {"active": "true", "limit": "200", "cursor": "c"},
    ]  # fmt: skip


def test_tasks_that_have_not_started_stand_together_with_their_reason() -> None:
    def shown(*tasks: dict[str, Any], rest: str | None, rest_reason: str | None = "Priority", **facts: Any) -> str:
        gateway = world(job(36, array=ARRAY | {"rest": rest, "rest_reason": rest_reason}, **facts))
        gateway.answers["GET /v1/jobs/36/tasks"] = page(*tasks)
        return sgw("squeue", "-j36", "-h", "-tall", "-S", "i", "-o", "%i|%T|%r", gateway=gateway).out

    assert shown(rest="0-3", **PENDING) == "36_[0-3]|PENDING|Priority\n"
    assert shown(task(0), rest="3,1-2%2") == "36_0|RUNNING|None\n36_[1-3%2]|PENDING|Priority\n"
    split = task(1, state="PENDING", node_list=None, started_at=None)
    assert shown(split, rest="2-3") == "36_1|PENDING|Priority\n36_[2-3]|PENDING|Priority\n"
    assert shown(task(0, **OVER), rest=None) == "36_0|COMPLETED|None\n"
    assert shown(task(0, **OVER), rest="1-3", rest_reason=None, **CANCELLED) == (
        "36_0|COMPLETED|None\n36_[1-3]|CANCELLED|None\n"
    )


def test_the_tasks_of_an_array_none_of_which_has_started_are_not_read() -> None:
    gateway = world(job(36, array=ARRAY | {"rest": "0-3"}, **PENDING))
    assert sgw("squeue", "-h", "-o%i", gateway=gateway).out == "36_[0-3]\n"
    assert [r.url.path for r in gateway.requests] == ["/v1/jobs"]


def test_the_tasks_of_a_list_that_cannot_want_them_are_not_read() -> None:
    gateway = world(job(36, array=ARRAY, **COMPLETED))
    assert sgw("squeue", "-h", "-j", "36", gateway=gateway).out == ""
    assert [r.url.path for r in gateway.requests] == ["/v1/jobs"]


def test_an_unknown_id_is_said_and_counts() -> None:
    ended = sgw("squeue", "-j", "7,999", gateway=world(job(7)))
    assert ended.status == 4
    assert "there is no job 999" in ended.err
    assert sgw("squeue", "-j", "999", gateway=world()).out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["squeue", "-j", "abc"], "'abc' is not a job id"),
        (["squeue", "-j", "-1"], "'-1' is not a job id"),
        (["squeue", "-o", "%5%"], "after % comes"),
        (["squeue", "-S", "P,1,%"], "--sort"),
        (["squeue", "-t", "ASLEEP"], "'ASLEEP' is not a state"),
        (["squeue", "--nope"], "--nope"),
        (["sacct", "-o", "bogus"], "'bogus' is not a field"),
        (["sacct", "-o", "jobid%x"], "after % comes a width"),
        (["sacct", "-S", "someday"], "'someday' is not a time"),
        (["sacct", "-S", "noon", "-E", "today"], "--endtime is before"),
        (["sacct", "-j", "0"], "'0' is not a job id"),
        (["scancel"], "no job is named"),
        (["scancel", "36_[1-9999999]"], "more than 10000 tasks"),
        (["scancel", "36_[a]"], "is not a job id"),
        (["scancel", "-s", "FOO", "7"], "'FOO' is not a signal"),
        (["scancel", "-s", "USR1", "-b", "-f", "7"], "exclude each other"),
        (["sinfo", "-o", "%x"], "%x is not a field"),
        (["logs", "7", "--tail", "1x"], "--tail=1x"),
        (["logs", "7", "-f", "--json"], "--json"),
    ],
)
def test_a_wrong_command_line_is_explained_and_nothing_is_asked(words: list[str], message: str) -> None:
    gateway = world(job(7))
    ended = sgw(*words, gateway=gateway)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert [r for r in gateway.requests if r.method != "GET"] == []


def test_json_is_the_wire_model_in_one_document() -> None:
    for command in (["squeue"], ["sacct", "-a"]):
        document = json.loads(sgw(*command, "--json", gateway=world(job(7), job(36, array=ARRAY))).out)
        assert sorted(view["id"] for view in document["items"]) == ["36", "7"]


def test_names_cannot_move_the_cursor_of_whoever_lists_them() -> None:
    hostile = job(7, name="a\x1b[2J\nb")
    assert sgw("squeue", "-h", "-o", "%j", gateway=world(hostile)).out == "a?[2J?b\n"
    assert sgw("sacct", "-a", "-n", "-P", "-o", "JobName", gateway=world(hostile)).out == "a?[2J?b\n"
    assert "\x1b" not in sgw("show", "7", gateway=_shown(hostile)).out


def test_states_are_coloured_on_a_terminal_only_and_the_columns_stay() -> None:
    plain = sgw("squeue", gateway=world(job(7))).out
    coloured = sgw("squeue", gateway=world(job(7)), terminal=True).out
    assert "\x1b[32m R\x1b[0m" in coloured
    assert coloured.replace("\x1b[32m", "").replace("\x1b[0m", "") == plain
    env = {"SGW_URL": "http://g.test", "SGW_TOKEN": "t", "NO_COLOR": "1"}
    assert sgw("squeue", gateway=world(job(7)), terminal=True, env=env).out == plain


def test_sacct_lists_ones_own_jobs_that_live_or_ended_in_the_window() -> None:
    gateway = world()
    live, just_ended = page(job(7), job(9, user="bob"), job(2)), page(job(7, **COMPLETED), job(4, **COMPLETED))
    gateway.answers["GET /v1/jobs"] = [live, just_ended] * 2
    assert sgw("sacct", "-n", "-P", "-o", "jobid,state", gateway=gateway).out == "2|RUNNING\n4|COMPLETED\n7|COMPLETED\n"
    assert sgw("sacct", "-S", "2026-10-01", "-E", "2026-10-02", gateway=gateway).status == 0
    asked = [dict(r.url.params) for r in gateway.requests if r.url.path == "/v1/jobs"]
    mine, until = {"user": "ada", "limit": "200"}, {"submitted_before": "2026-10-02T00:00:00+00:00"}
    assert asked == [
        mine | {"active": "true"},
        mine | {"ended_after": "2026-11-20T00:00:00+00:00"},
        mine | until | {"active": "true"},
        mine | until | {"ended_after": "2026-10-01T00:00:00+00:00"},
    ]


@pytest.mark.parametrize(
    ("options", "out"),
    [
        (["-j", "5", "--format=State", "--noheader"], "    FAILED \n"),
        (["-j", "5", "-X", "-n", "-o", "ElapsedRaw"], "        60 \n"),
        (["-j", "5.batch", "-n", "-P", "-o", "jobid,maxrss,state"], "5||FAILED\n"),
        (["-j", "5", "-n", "-p", "-o", "jobid,exitcode"], "5|3:0|\n"),
        (["-j", "5", "-n", "-P", "--delimiter=;", "-o", "jobid,user,account"], "5;ada;acme\n"),
        (["-j", "5", "-n", "-X", "-o", "JobID,NodeList%20,State"], "5                          c[1-2]     FAILED \n"),
        (["-j", "5", "-n", "-P", "-o", "start,end,timelimit,workdir,nnodes,slurmjobid"],
         "2026-11-20T12:01:00|2026-11-20T12:02:00|01:00:00|/home/ada|2|41\n"),
        (["-j", "5", "-s", "COMPLETED", "-n"], ""),
        (["-j", "36_2", "-n", "-P", "-o", "jobid,state"], "36_2|PENDING\n"),
    ],
)  # fmt: skip
def test_sacct_answers_as_scripts_ask_it(options: list[str], out: str) -> None:
    gateway = world(job(5, **FAILED)) if "36_2" not in options else world(job(36, array=ARRAY))
    assert sgw("sacct", *options, gateway=gateway).out == out


def test_sacct_shows_the_signal_that_ended_a_job() -> None:
    assert sgw("sacct", "-n", "-P", "-o", "state,exitcode", "-j", "7", gateway=world(job(7, **CANCELLED))).out == (
        "CANCELLED|0:15\n"
    )


def test_scancel_cancels_each_and_reports_the_worst() -> None:
    gateway = Gateway({"DELETE /v1/jobs/7": job(7), "DELETE /v1/jobs/36_1": job(36), "DELETE /v1/jobs/36_2": job(36)})
    ended = sgw("scancel", "7", "99", "36_[1-2]", gateway=gateway)
    assert [r.url.path.rsplit("/")[-1] for r in gateway.requests] == ["7", "99", "36_1", "36_2"]
    assert (ended.status, ended.err) == (4, "sgw: error: job 99: no such thing\n")
    assert sgw("scancel", "-Q", "99", gateway=gateway).status == 0


def test_scancel_chooses_among_the_active_jobs() -> None:
    gateway = world(job(9, user="bob"), job(8, **PENDING), job(7))
    gateway.answers |= {"DELETE /v1/jobs/8": job(8), "DELETE /v1/jobs/7": job(7)}
    assert sgw("scancel", "--me", "-t", "PD", gateway=gateway).status == 0
    assert [r.url.path for r in gateway.requests if r.method == "DELETE"] == ["/v1/jobs/8"]
    assert sgw("scancel", "-u", "ada", gateway=gateway).status == 0
    assert [r.url.path for r in gateway.requests if r.method == "DELETE"][1:] == ["/v1/jobs/7", "/v1/jobs/8"]


def test_a_job_that_is_over_is_no_error_to_cancel() -> None:
    assert sgw("scancel", "7", gateway=Gateway({"DELETE /v1/jobs/7": job(7, **COMPLETED)})).status == 0


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (["-s", "USR1"], {"signal": "USR1", "target": None}),
        (["--signal=SIGTERM", "--batch"], {"signal": "TERM", "target": "batch"}),
        (["-f", "-s", "9"], {"signal": "KILL", "target": "full"}),
    ],
)
def test_scancel_sends_a_signal_and_cancels_nothing(options: list[str], body: dict[str, Any]) -> None:
    gateway = Gateway(
        {"POST /v1/jobs/7/signal": job(7), "POST /v1/jobs/36_1/signal": problem(409, "conflict", "waits")}
    )
    ended = sgw("scancel", "-v", *options, "7", "36_1", gateway=gateway)
    assert [gateway.body(0), gateway.body(1)] == [body, body]
    assert (ended.status, ended.err) == (1, f"sgw: 7: was sent {body['signal']}\nsgw: error: job 36_1: waits\n")


def test_scancel_takes_kill_for_a_cancel_and_signals_only_what_runs() -> None:
    gateway = world(job(8, **PENDING), job(7))
    gateway.answers |= {"DELETE /v1/jobs/7": job(7), "POST /v1/jobs/7/signal": job(7)}
    assert sgw("scancel", "-s", "KILL", "7", gateway=gateway).status == 0
    assert sgw("scancel", "--me", "-s", "HUP", gateway=gateway).status == 0
    assert [f"{r.method} {r.url.path}" for r in gateway.requests if r.method != "GET"] == [
        "DELETE /v1/jobs/7", "POST /v1/jobs/7/signal",
    ]  # fmt: skip


def test_what_may_not_be_cancelled_is_refused_with_the_servers_words() -> None:
    gateway = Gateway({"DELETE /v1/jobs/7": problem(403, "forbidden", "job 7 is bob's")})
    ended = sgw("scancel", "7", gateway=gateway)
    assert (ended.status, ended.err) == (3, "sgw: error: job 7: job 7 is bob's\n")


def _shown(view: dict[str, Any]) -> Gateway:
    event = {
        "seq": 1, "job_id": "7", "step": "main", "attempt": 1, "at": "2026-11-20T12:00:00Z", "kind": "moved",
        "from_phase": None, "to_phase": "PENDING", "reason": "SUBMITTED", "actor": "ada", "message": None,
    }  # fmt: skip
    events = [page(event, cursor="c"), page(event | {"seq": 2, "to_phase": "RUNNING", "reason": "STARTED"})]
    return Gateway({"GET /v1/jobs/7": view, "GET /v1/jobs/7/events": events, "GET /v1/jobs/7/script": {"a": 1}})


def test_show_tells_the_state_and_the_whole_story() -> None:
    shown = sgw("show", "7", gateway=_shown(job(7, array=ARRAY, warnings=["line 2: ignored"]))).out
    assert "      State: RUNNING\n" in shown
    assert "      Array: 0-3, 4 tasks: 2 pending, 1 running, 1 completed\n" in shown
    assert "    Warning: line 2: ignored\n" in shown
    assert "2026-11-20T12:00:00  PENDING  ada  The job was accepted by the gateway.\n" in shown
    assert "RUNNING  ada  Slurm started the job.\n" in shown
    document = json.loads(sgw("show", "7", "--json", gateway=_shown(job(7))).out)
    assert document["job"]["id"] == "7"
    assert len(document["events"]) == 2
    assert sgw("show", "--script", "7", gateway=_shown(job(7))).out == '{"a":1}'
