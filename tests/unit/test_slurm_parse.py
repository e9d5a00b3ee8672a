"""The parser on texts that no recording holds: damaged, hostile, huge."""

import time
from dataclasses import asdict

import pytest

from gateway.slurm import capacity, commands, parse

MARK = "\x1e42\x1e"
FIELDS = {
    "JobID": "36",
    "ArrayJobID": "36",
    "ArrayTaskID": "N/A",
    "State": "RUNNING",
    "Reason": "None",
    "UserID": "1004",
    "SubmitTime": "1795237791",
    "StartTime": "1795237792",
    "EndTime": "1795241392",
    "TimeLimit": "1:00:00",
    "NumCPUs": "1",
    "NumNodes": "1",
    "NodeList": "c1",
    "exit_code": "0",
    "Account": "acme",
    "Partition": "cpu",
    "tres-alloc": "cpu=1,mem=50M,node=1,billing=1",
}


def line(name: str = "a name", workdir: str = "/a/dir", **fields: str) -> str:
    values = [(FIELDS | fields)[field] for field in commands.QUEUE_FIELDS]
    return "".join(value + commands.SEPARATOR for value in values) + name + MARK + workdir + MARK + "\n"


def record(*values: str) -> str:
    return "".join(value + MARK for value in values) + "\n"


def accounted(job_id: str = "36", state: str = "COMPLETED", submitted: str = "100", peak: str = "") -> str:
    head = ("/a/dir", job_id, job_id, "1004", state, "0:0", submitted, "110", "120", "10")
    return record(*head, "1", "1", "c1", peak, "cpu=1")


def test_every_field_of_a_job_has_its_place() -> None:
    jobs, unread = parse.queue(line(), MARK)
    assert unread == 0
    assert asdict(jobs[0]) == {
        "job_id": "36",
        "array_job_id": None,
        "array_tasks": None,
        "state": "RUNNING",
        "reason": "",
        "uid": 1004,
        "name": "a name",
        "account": "acme",
        "partition": "cpu",
        "submitted": 1795237791,
        "started": 1795237792,
        "ended": None,
        "time_limit_s": 3600,
        "cpus": 1,
        "nodes": 1,
        "node_list": "c1",
        "workdir": "/a/dir",
        "exit_code": None,
        "signal": None,
        "tres": "cpu=1,mem=50M,node=1,billing=1",
    }


def test_an_empty_queue_is_complete() -> None:
    assert parse.queue("", MARK) == ([], 0)


@pytest.mark.parametrize(
    "text", ["\n", "\x1f", "\n" + FIELDS["JobID"] + "\x1f", "a\x1e43\x1e\n37\x1f", "%s", "\0", "\\"]
)
def test_a_hostile_name_or_directory_stays_where_it_is(text: str) -> None:
    jobs, unread = parse.queue(line(name=text, workdir=text) + line(JobID="37"), MARK)
    assert unread == 0
    assert [(job.job_id, job.name, job.workdir) for job in jobs] == [("36", text, text), ("37", "a name", "/a/dir")]


def test_an_unknown_state_survives() -> None:
    jobs, unread = parse.queue(line(State="EXPEDITING"), MARK)
    assert (jobs[0].state, unread) == ("EXPEDITING", 0)


@pytest.mark.parametrize("field", ["Reason", "SubmitTime", "StartTime", "EndTime", "TimeLimit", "NumCPUs", "NumNodes"])
def test_other_fields_may_be_empty(field: str) -> None:
    jobs, unread = parse.queue(line(**{field: ""}), MARK)
    assert (len(jobs), unread) == (1, 0)


@pytest.mark.parametrize("broken", [{"JobID": ""}, {"State": ""}, {"UserID": "?"}, {"NumCPUs": "a\x1fb"}])
def test_a_bad_record_is_counted_and_costs_no_other(broken: dict[str, str]) -> None:
    jobs, unread = parse.queue(line() + line(**broken) + line(JobID="38"), MARK)
    assert [job.job_id for job in jobs] == ["36", "38"]
    assert unread == 1


def test_a_text_cut_anywhere_is_never_taken_for_a_complete_one() -> None:
    text = line() + line(JobID="37")
    complete = {0, len(line()) - 1, len(line()), len(text) - 1, len(text)}
    for end in range(len(text)):
        jobs, unread = parse.queue(text[:end], MARK)
        assert unread == 1 or end in complete, text[:end]
        assert len(jobs) < 2 or end in complete


def test_steps_add_their_memory_to_the_record_before_them() -> None:
    text = accounted() + accounted("36.batch", peak="2097152") + accounted("36.0", peak="1048576") + accounted("37")
    outcomes, unread = parse.accounting(text, MARK)
    assert unread == 0
    assert [(one.job_id, one.max_rss_kb) for one in outcomes] == [("36", 2048), ("37", None)]


def test_several_records_of_one_id_come_oldest_first() -> None:
    outcomes, _ = parse.accounting(accounted(submitted="200") + accounted(submitted="100", state="NODE_FAIL"), MARK)
    assert [(one.submitted, one.state) for one in outcomes] == [(100, "NODE_FAIL"), (200, "COMPLETED")]


def test_cancelled_by_somebody_is_cancelled() -> None:
    outcomes, _ = parse.accounting(accounted(state="CANCELLED by 1000"), MARK)
    assert outcomes[0].state == "CANCELLED"


def test_a_record_that_does_not_say_whose_it_is_is_left_out() -> None:
    anonymous = accounted("37").removeprefix("/a/dir").replace("1004", "0")
    text = accounted("37", peak="") + anonymous + accounted("37.batch", peak="2097152")
    outcomes, unread = parse.accounting(text, MARK)
    assert [(one.uid, one.max_rss_kb) for one in outcomes] == [(1004, None)]
    assert unread == 0


def test_damaged_accounting_is_counted() -> None:
    text = accounted() + record("half", "a", "record") + accounted("37") + "tail"
    outcomes, unread = parse.accounting(text, MARK)
    assert [one.job_id for one in outcomes] == ["36", "37"]
    assert unread == 2


def test_nodes_are_counted_by_what_they_can_do() -> None:
    rows = [
        ("cpu*", "up", "infinite", "n/a", "3", "idle", "0/12/0/12", "4", "4000", "(null)", "c[1-3]"),
        ("cpu*", "up", "infinite", "n/a", "2", "mixed", "3/5/0/8", "4", "8000+", "gpu:2", "g[1-2]"),
        ("cpu*", "up", "infinite", "n/a", "1", "down*", "0/0/4/4", "4", "4000", "gpu:2", "c4"),
        ("cpu*", "up", "infinite", "n/a", "1", "idle~", "0/4/0/4", "4", "4000", "(null)", "b1"),
        ("cpu*", "up", "infinite", "n/a", "1", "idle", "4/0/0/4", "4", "8000", "(null)", "g10"),
        ("cpu*", "up", "infinite", "n/a", "1", "drained", "0/0/4/4", "4", "4000", "(null)", "c5"),
        ("cpu*", "up", "infinite", "n/a", "1", "idle*", "0/4/0/4", "4", "4000", "(null)", "c9"),
        ("old", "down", "1-00:00:00", "30:00", "0", "n/a", "0/0/0/0", "0", "0", "(null)", ""),
    ]
    pools = {pool.partition: pool for pool in capacity.pools("\n".join(map(commands.SEPARATOR.join, rows)))}
    cpu = pools["cpu"]
    assert (cpu.nodes, cpu.nodes_idle, cpu.nodes_allocated, cpu.nodes_down, cpu.nodes_powered_down) == (10, 4, 2, 3, 1)
    assert (cpu.cpus, cpu.gpus, cpu.memory_mb_per_node, cpu.max_time_s) == (40, 6, 8000, None)
    assert cpu.gpus_per_node == 2
    assert [(state.state, state.nodes, state.node_list) for state in cpu.states] == [
        ("idle", 4, "c[1-3],g10"), ("mixed", 2, "g[1-2]"), ("down*", 1, "c4"), ("idle~", 1, "b1"), ("drained", 1, "c5"),
        ("idle*", 1, "c9"),
    ]  # fmt: skip
    assert (cpu.rank, pools["old"].rank, pools["old"].states) == (0, 1, ())
    assert not pools["old"].available
    assert pools["old"].default_time_s == 1800


@pytest.mark.parametrize("text", ["", "BOOT_TIME = 100\n", "SLURM_VERSION = 22.05.8\nBOOT_TIME = N/A\n"])
def test_a_controller_that_does_not_say_who_it_is_is_none(text: str) -> None:
    assert parse.controller(text) is None


def test_sdiag_without_its_line_says_nothing() -> None:
    assert parse.accounting_backlog("Agent queue size: 3\n") is None
    assert parse.accounting_backlog("DBD Agent queue size: 12345678901\n") == 12345678901


def test_ten_thousand_jobs_are_read_within_the_budget() -> None:
    text = "".join(line(JobID=str(n), SubmitTime=str(1795237791 + n)) for n in range(10_000))
    best = min(_cpu_seconds(text) for _ in range(3))
    # The aim is 100 ms; three times that leaves room for a slow machine and still catches a quadratic parser.
    assert best < 0.3


def _cpu_seconds(text: str) -> float:
    started = time.process_time()
    jobs, _ = parse.queue(text, MARK)
    assert len(jobs) == 10_000
    return time.process_time() - started
