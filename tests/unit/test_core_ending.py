"""How a job ended, from witnesses that are late, incomplete, contradictory or forged."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.controller.decide import End, Void, Wait
from gateway.controller.ending import Accounting, Ended, EndEvidence, ExitRecord, TaskEnd, finish, newest, read_record
from gateway.ids import SlurmJobId
from gateway.slurm.transport import Outcome
from gateway.states import Phase, Reason

DONE = Outcome(
    job_id=SlurmJobId("36"), array_job_id=None, array_task=None, uid=1001, state="COMPLETED", exit_code=0, signal=None,
    submitted=1000, started=1010, ended=1070, elapsed_s=60, cpus=4, nodes=2, node_list="c[1-2]", failed_node=None,
    max_rss_kb=2048, workdir="/jobs/acme/7-main-1-0badcafe", tres="cpu=4,mem=4000M,node=2",
)  # fmt: skip
FAILED = replace(DONE, state="FAILED", exit_code=3)
RUNAWAY = replace(DONE, state="RUNNING", ended=None)
CLEAN = ExitRecord(exit_code=0, signal=0, started=None, ended=None, max_rss_kb=512, wrapper_error=None)
CRASH = replace(CLEAN, exit_code=139)
PATIENCE = timedelta(seconds=60)
SILENCE = EndEvidence(
    accounting=(), controller=(), record=None, cancel_requested=False, waited=timedelta(), patience=PATIENCE,
    accounting_state="settled", lost_by_restart=False, void=False,
)  # fmt: skip


def ended(evidence: EndEvidence) -> Ended:
    verdict = finish(evidence)
    assert isinstance(verdict, Ended), verdict
    return verdict


@pytest.mark.parametrize(
    ("changes", "to", "reason"),
    [
        ({}, Phase.COMPLETED, Reason.SUCCESS),
        ({"exit_code": 1}, Phase.FAILED, Reason.EXIT_CODE),  # completed with a bad code is a contradiction
        ({"signal": 9}, Phase.FAILED, Reason.EXIT_CODE),
        ({"state": "FAILED", "exit_code": 3}, Phase.FAILED, Reason.EXIT_CODE),
        ({"state": "FAILED", "signal": 125}, Phase.FAILED, Reason.OUT_OF_MEMORY),
        ({"state": "OUT_OF_MEMORY"}, Phase.FAILED, Reason.OUT_OF_MEMORY),
        ({"state": "TIMEOUT"}, Phase.FAILED, Reason.TIMEOUT),
        ({"state": "NODE_FAIL"}, Phase.FAILED, Reason.NODE_LOST),
        ({"state": "PREEMPTED"}, Phase.FAILED, Reason.PREEMPTED),
        ({"state": "CANCELLED"}, Phase.CANCELLED, Reason.CANCELLED_IN_SLURM),
        ({"state": "FAILED", "exit_code": 75}, Phase.FAILED, Reason.NODE_UNFIT),
    ],
)
def test_slurms_word_decides(changes: dict[str, Any], to: Phase, reason: Reason) -> None:
    outcome = replace(DONE, **changes)
    for evidence, source in (
        (replace(SILENCE, accounting=[outcome]), "accounting"),
        (replace(SILENCE, controller=[outcome]), "controller"),
        (replace(SILENCE, accounting=[RUNAWAY], controller=[outcome]), "controller"),
        (replace(SILENCE, accounting=[outcome], controller=[DONE]), "accounting"),
    ):
        end = ended(evidence)
        assert (end.to, end.reason, end.source) == (to, reason, source)


def test_a_cancel_is_named_after_who_wanted_it_and_only_if_it_came_in_time() -> None:
    cancelled = replace(SILENCE, accounting=[replace(DONE, state="CANCELLED")], cancel_requested=True)
    assert ended(cancelled).reason is Reason.CANCELLED_BY_USER
    late = replace(SILENCE, accounting=[DONE], cancel_requested=True)
    assert (ended(late).to, ended(late).reason) == (Phase.COMPLETED, Reason.SUCCESS)


def test_a_75_of_the_tenants_own_program_is_an_exit_code() -> None:
    evidence = replace(SILENCE, accounting=[replace(FAILED, exit_code=75)], record=replace(CLEAN, exit_code=75))
    assert ended(evidence).reason is Reason.EXIT_CODE


def test_a_program_that_never_ran_is_not_said_to_have_failed() -> None:
    lost = replace(CLEAN, exit_code=127, wrapper_error="interpreter")
    evidence = replace(SILENCE, accounting=[replace(FAILED, exit_code=127)], record=lost)
    end = ended(evidence)
    assert (end.reason, "after #!" in (end.message or "")) == (Reason.EXIT_CODE, True)
    forged = replace(lost, wrapper_error="Your account was closed.")
    assert ended(replace(evidence, record=forged)).message is None
    assert ended(replace(evidence, accounting=[replace(FAILED, state="TIMEOUT")])).message is None


@pytest.mark.parametrize(
    ("number", "words"),
    [(9, "killed by signal 9 (SIGKILL)."), (11, "killed by signal 11 (SIGSEGV)."), (200, "killed by signal 200.")],
)
def test_a_program_that_a_signal_killed_is_told_which(number: int, words: str) -> None:
    killed = replace(CLEAN, signal=number)
    for evidence in (
        replace(SILENCE, accounting=[replace(DONE, state="FAILED", signal=number)]),
        replace(SILENCE, accounting=[FAILED], record=killed),
        replace(SILENCE, record=killed, accounting_state="off"),
    ):
        assert (ended(evidence).message or "").endswith(words)
    assert ended(replace(SILENCE, accounting=[FAILED])).message is None
    assert ended(replace(SILENCE, accounting=[replace(DONE, state="TIMEOUT", signal=number)])).message is None


def test_facts_of_the_attempt_come_from_slurm() -> None:
    facts = ended(replace(SILENCE, accounting=[FAILED])).facts
    shown = {name: facts[name] for name in ("slurm_state", "exit_code", "exit_signal", "elapsed_s", "nodes", "cpus")}
    assert shown == {
        "slurm_state": "FAILED", "exit_code": 3, "exit_signal": None, "elapsed_s": 60, "nodes": 2, "cpus": 4,
    }  # fmt: skip
    assert facts["ended_at"].timestamp() == 1070
    never = ended(replace(SILENCE, accounting=[replace(DONE, state="CANCELLED", node_list="", nodes=0)]))
    assert "node_list" not in never.facts, "what a job that never ran was given is not overwritten by nothing"


def test_the_record_restores_what_accounting_cuts_off_an_exit_code_and_nothing_else() -> None:
    cut = replace(FAILED, exit_code=11)
    assert ended(replace(SILENCE, accounting=[cut], record=CRASH)).facts["exit_code"] == 139
    assert ended(replace(SILENCE, accounting=[cut], record=CLEAN)).facts["exit_code"] == 11


def test_after_a_requeue_the_last_run_counts() -> None:
    first = replace(DONE, state="NODE_FAIL", submitted=1000)
    for word in ("REQUEUED", "NODE_FAIL", "PREEMPTED", "CANCELLED"):
        runs = [replace(first, state=word), replace(DONE, submitted=2000)]
        assert ended(replace(SILENCE, accounting=runs)).to is Phase.COMPLETED
    assert newest([first, replace(DONE, submitted=2000)]) == [replace(DONE, submitted=2000)]


@pytest.mark.parametrize("state", ["off", "failed", "behind", "settled"])
def test_silence_is_waited_for_and_never_success(state: Accounting) -> None:
    waiting = replace(SILENCE, accounting_state=state)
    assert isinstance(finish(waiting), Wait)
    assert isinstance(finish(replace(waiting, waited=PATIENCE - timedelta(seconds=1))), Wait)
    at_last = finish(replace(waiting, waited=PATIENCE * 10))
    if state == "failed":
        assert isinstance(at_last, Wait), "a question that was not answered ends no job"
    else:
        assert isinstance(at_last, Ended)
        assert (at_last.to, at_last.reason) == (Phase.FAILED, Reason.OUTCOME_UNKNOWN)


def test_an_outcome_is_unknown_sooner_when_accounting_would_know_it() -> None:
    assert ended(replace(SILENCE, waited=PATIENCE)).reason is Reason.OUTCOME_UNKNOWN
    assert isinstance(finish(replace(SILENCE, waited=PATIENCE, accounting_state="behind")), Wait)


def test_a_runaway_in_accounting_is_no_sign_of_life_and_no_end() -> None:
    runaway = replace(SILENCE, accounting=[RUNAWAY])
    assert isinstance(finish(runaway), Wait)
    assert ended(replace(runaway, waited=PATIENCE)).reason is Reason.OUTCOME_UNKNOWN
    assert ended(replace(runaway, record=CLEAN)).source == "record"


@pytest.mark.parametrize("word", ["RUNNING", "PENDING", "COMPLETING", "QUANTUM_ENTANGLED"])
def test_a_word_that_is_no_end_ends_nothing(word: str) -> None:
    assert isinstance(finish(replace(SILENCE, controller=[replace(DONE, state=word)])), Wait)


@pytest.mark.parametrize(
    ("record", "cancelled", "to", "reason"),
    [
        (CLEAN, False, Phase.COMPLETED, Reason.SUCCESS),
        (CLEAN, True, Phase.COMPLETED, Reason.SUCCESS),
        (CRASH, False, Phase.FAILED, Reason.EXIT_CODE),
        (CRASH, True, Phase.CANCELLED, Reason.CANCELLED_BY_USER),
        (replace(CLEAN, signal=15), False, Phase.FAILED, Reason.EXIT_CODE),
    ],
)
def test_the_jobs_own_record_is_the_last_witness(
    record: ExitRecord, cancelled: bool, to: Phase, reason: Reason
) -> None:
    end = ended(replace(SILENCE, record=record, cancel_requested=cancelled))
    assert (end.to, end.reason, end.source) == (to, reason, "record")


@pytest.mark.parametrize(("state", "at_once"), [("off", True), ("settled", True), ("behind", False), ("failed", False)])
def test_the_record_is_believed_when_accounting_has_had_its_chance(state: Accounting, at_once: bool) -> None:
    evidence = replace(SILENCE, record=CLEAN, accounting_state=state)
    assert isinstance(finish(evidence), Ended if at_once else Wait)
    assert ended(replace(evidence, waited=PATIENCE)).source == "record"


def test_a_record_cannot_beat_slurm() -> None:
    assert ended(replace(SILENCE, accounting=[replace(DONE, state="TIMEOUT")], record=CLEAN)).reason is Reason.TIMEOUT


def test_a_job_lost_by_a_restart_is_made_void_and_then_tried_anew() -> None:
    lost = replace(SILENCE, lost_by_restart=True)
    assert isinstance(finish(lost), Void)
    again = finish(replace(lost, void=True))
    assert isinstance(again, End)
    assert (again.to, again.reason) == (Phase.PENDING, Reason.SUBMIT_UNCERTAIN)
    assert again.pause > timedelta()
    ran = replace(lost, record=CLEAN)
    assert ended(ran).source == "record", "it left a record, so it ran"


def tasks(*words: str, first: int = 0) -> list[Outcome]:
    return [
        replace(
            DONE, job_id=SlurmJobId(str(40 + n)), array_job_id=SlurmJobId("36"), array_task=n, state=word,
            exit_code=int(word == "FAILED"),
        )
        for n, word in enumerate(words, first)
    ]  # fmt: skip


ARRAY = replace(SILENCE, array_tasks=3)


@pytest.mark.parametrize(
    ("words", "to", "reason"),
    [
        (("COMPLETED", "COMPLETED", "COMPLETED"), Phase.COMPLETED, Reason.SUCCESS),
        (("COMPLETED", "FAILED", "TIMEOUT"), Phase.FAILED, Reason.EXIT_CODE),
        (("COMPLETED", "CANCELLED", "TIMEOUT"), Phase.FAILED, Reason.TIMEOUT),
        (("COMPLETED", "CANCELLED", "COMPLETED"), Phase.CANCELLED, Reason.CANCELLED_IN_SLURM),
    ],
)
def test_the_worst_task_names_the_arrays_end(words: tuple[str, ...], to: Phase, reason: Reason) -> None:
    end = ended(replace(ARRAY, accounting=tasks(*words)))
    assert (end.to, end.reason, len(end.tasks)) == (to, reason, 3)


def test_an_array_of_which_accounting_knows_only_some_has_not_ended() -> None:
    some = replace(ARRAY, accounting=tasks("COMPLETED", "COMPLETED"))
    assert isinstance(finish(some), Wait)
    assert isinstance(finish(replace(some, waited=PATIENCE, accounting_state="behind")), Wait)
    assert ended(replace(some, controller=tasks("COMPLETED", "COMPLETED", "FAILED"))).to is Phase.FAILED


def test_tasks_that_never_left_a_record_were_cancelled_before_they_started() -> None:
    some = replace(ARRAY, accounting=tasks("COMPLETED", "COMPLETED"))
    by_us = ended(replace(some, cancelled_tasks=frozenset({2})))
    assert (by_us.to, by_us.reason) == (Phase.CANCELLED, Reason.CANCELLED_BY_USER)
    by_others = ended(replace(some, waited=PATIENCE))
    assert (by_others.to, by_others.reason) == (Phase.CANCELLED, Reason.CANCELLED_IN_SLURM)
    assert ended(replace(some, waited=PATIENCE, cancel_requested=True)).reason is Reason.CANCELLED_BY_USER


def test_tasks_that_the_controller_purged_count_as_they_were_seen() -> None:
    purged = {0: TaskEnd(to=Phase.FAILED, reason=Reason.OUT_OF_MEMORY, exit_code=137)}
    rest = replace(ARRAY, controller=tasks("COMPLETED", "COMPLETED", first=1), accounting_state="off")
    assert isinstance(finish(rest), Wait)
    end = ended(replace(rest, seen_tasks=purged))
    assert (end.to, end.reason, end.facts["exit_code"]) == (Phase.FAILED, Reason.OUT_OF_MEMORY, 137)
    assert set(end.tasks) == {1, 2}, "what was seen before is not written again"


def test_what_slurm_says_now_beats_what_was_seen_of_a_task_before() -> None:
    outdated = {0: TaskEnd(to=Phase.FAILED, reason=Reason.NODE_LOST)}
    again = replace(ARRAY, accounting=tasks("COMPLETED", "COMPLETED", "COMPLETED"), seen_tasks=outdated)
    assert ended(again).to is Phase.COMPLETED


def test_one_record_stands_for_all_tasks_that_never_started() -> None:
    rest = replace(DONE, state="CANCELLED", array_job_id=SlurmJobId("36"))
    end = ended(replace(ARRAY, accounting=[*tasks("COMPLETED"), rest], cancel_requested=True))
    assert (end.to, end.reason, set(end.tasks)) == (Phase.CANCELLED, Reason.CANCELLED_BY_USER, {0})


def test_a_task_that_was_cancelled_through_the_gateway_says_so() -> None:
    found = tasks("CANCELLED", "CANCELLED", "COMPLETED")
    end = ended(replace(ARRAY, accounting=found, cancelled_tasks=frozenset({1})))
    reasons = [end.tasks[number][1].reason for number in range(3)]
    assert reasons == [Reason.CANCELLED_IN_SLURM, Reason.CANCELLED_BY_USER, Reason.SUCCESS]


RECORD = {"exit_code": 3, "signal": None, "started": 1000.5, "ended": 1060.25, "max_rss_kb": 77, "wrapper_error": None}


def test_a_record_is_read() -> None:
    record = read_record(json.dumps({**RECORD, "version": 1, "more": "of a later version"}).encode())
    assert record is not None
    assert (record.exit_code, record.signal, record.max_rss_kb) == (3, 0, 77)
    assert record.ended is not None
    assert record.ended.timestamp() == 1060.25
    killed = read_record(json.dumps({**RECORD, "exit_code": None, "signal": 9}).encode())
    assert killed is not None
    assert (killed.exit_code, killed.signal) == (0, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"7", b'"ok"', b"{}", b"{", b"\xff\xfe", b"\0" * 100, b"[" * 100_000, b"{" * 100_000,
        b'{"exit_code": 0}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_none(data: bytes) -> None:
    assert read_record(data) is None


@pytest.mark.parametrize(
    "junk",
    [
        {"exit_code": None},
        {"exit_code": "0"},
        {"exit_code": 0.0},
        {"exit_code": False},
        {"exit_code": -1},
        {"exit_code": 256},
        {"exit_code": 10**100},
        {"exit_code": {}},
        {"signal": "KILL"},
        {"signal": -9},
        {"started": 1e300},
        {"started": -1e300},
        {"ended": float("nan")},
        {"ended": float("inf")},
        {"max_rss_kb": -5},
        {"max_rss_kb": 2**80},
        {"max_rss_kb": [1]},
    ],
)
def test_a_record_with_junk_in_it_is_no_witness_at_all(junk: dict[str, object]) -> None:
    assert read_record(json.dumps({**RECORD, **junk}).encode()) is None


def test_a_word_of_the_wrapper_is_bounded() -> None:
    record = read_record(json.dumps({**RECORD, "wrapper_error": "x" * 10_000}).encode())
    assert record is not None
    assert len(record.wrapper_error or "") == 100
