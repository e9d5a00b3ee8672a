"""One look at Slurm against what we believe: identity, absence, arrays, and everything a hostile owner can try."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.controller.watch import Believed, Change, Findings, Stray, compare
from gateway.ids import AttemptId, ClusterName, SlurmJobId
from gateway.slurm.transport import Observation, SlurmJob
from gateway.states import Phase, Reason

MINE, THEIRS = AttemptId("7-main-1-0badcafe"), AttemptId("8-main-1-deadbeef")
UID, STRANGER = 1001, 1002
JOB = SlurmJob(
    job_id=SlurmJobId("36"), array_job_id=None, array_tasks=None, state="RUNNING", reason="", uid=UID, name="heat",
    account="acme", partition="cpu", submitted=1000, started=1010, ended=None, time_limit_s=600, cpus=2, nodes=1,
    node_list="c1", workdir=f"/jobs/acme/{MINE}", exit_code=None, signal=None,
)  # fmt: skip
BELIEF = Believed(
    attempt=MINE, phase=Phase.RUNNING, uid=UID, slurm_job_id=SlurmJobId("36"), slurm_submitted=1000, missing_looks=0,
    slurm_state="RUNNING", slurm_reason="", array_tasks=None,
)  # fmt: skip
UNBOUND = replace(BELIEF, phase=Phase.SUBMITTING, slurm_job_id=None, slurm_submitted=None, slurm_state=None)


def look(*jobs: SlurmJob, belief: Believed = BELIEF, unread: int = 0, same_memory: bool = True) -> Findings:
    seen = Observation(cluster=ClusterName("dev"), boot_time=1, jobs=jobs, unread=unread)
    return compare(seen, [belief], same_memory=same_memory)


def task(number: object, state: str = "RUNNING", *, job_id: str = "40", **changes: Any) -> SlurmJob:
    ended = state not in {"RUNNING", "PENDING"}
    return replace(
        JOB, job_id=SlurmJobId(job_id), array_job_id=SlurmJobId("36"), array_tasks=str(number), state=state,
        exit_code=0 if ended else None, **changes,
    )  # fmt: skip


def test_nothing_new_is_nothing_to_write() -> None:
    assert look(JOB) == Findings()


@pytest.mark.parametrize(
    ("believed", "word", "to", "reason"),
    [
        (Phase.QUEUED, "PENDING", None, None),
        (Phase.QUEUED, "CONFIGURING", None, None),
        (Phase.QUEUED, "RUNNING", Phase.RUNNING, Reason.STARTED),
        (Phase.QUEUED, "COMPLETED", Phase.FINALIZING, Reason.ENDED),
        (Phase.QUEUED, "CANCELLED", Phase.FINALIZING, Reason.ENDED),
        (Phase.RUNNING, "COMPLETING", None, None),
        (Phase.RUNNING, "SUSPENDED", None, None),
        (Phase.RUNNING, "NODE_FAIL", Phase.FINALIZING, Reason.ENDED),
        (Phase.RUNNING, "PENDING", Phase.QUEUED, Reason.REQUEUED_BY_SLURM),
        (Phase.RUNNING, "REQUEUE_HOLD", Phase.QUEUED, Reason.REQUEUED_BY_SLURM),
        (Phase.QUEUED, "QUANTUM_ENTANGLED", None, None),
        (Phase.RUNNING, "QUANTUM_ENTANGLED", None, None),
    ],
)
def test_slurms_word_moves_the_attempt(believed: Phase, word: str, to: Phase | None, reason: Reason | None) -> None:
    found = look(replace(JOB, state=word), belief=replace(BELIEF, phase=believed))
    assert [(change.to, change.reason) for change in found.changes] == ([(to, reason)] if to else [])


def test_a_word_nobody_knows_is_shown_but_changes_nothing() -> None:
    found = look(replace(JOB, state="QUANTUM_ENTANGLED"))
    assert [row["word"] for row in found.seen] == ["QUANTUM_ENTANGLED"]
    assert (found.changes, found.missing) == ([], [])


def test_a_new_reason_for_waiting_is_written_down() -> None:
    belief = replace(BELIEF, phase=Phase.QUEUED, slurm_state="PENDING", slurm_reason="Priority")
    found = look(replace(JOB, state="PENDING", reason="Resources"), belief=belief)
    assert [(row["attempt"], row["why"]) for row in found.seen] == [(MINE, "Resources")]


@pytest.mark.parametrize(
    ("looks", "same_memory", "unread", "missing", "moved"),
    [
        (0, True, 0, True, False),
        (1, True, 0, True, True),
        (5, True, 0, True, True),
        (0, False, 0, True, False),
        (1, False, 0, True, False),  # slurmctld restarted: this absence is the first one that counts
        (1, True, 1, False, False),  # lines that could not be read may have been the job
        (5, True, 3, False, False),
    ],
)
def test_absence_counts_only_twice_in_a_row_whole_and_from_one_memory(
    looks: int, same_memory: bool, unread: int, missing: bool, moved: bool
) -> None:
    found = look(belief=replace(BELIEF, missing_looks=looks), unread=unread, same_memory=same_memory)
    assert found.missing == ([MINE] if missing else [])
    assert [change.to for change in found.changes] == ([Phase.FINALIZING] if moved else [])


def test_a_job_that_is_seen_again_is_not_missing_any_more() -> None:
    found = look(JOB, belief=replace(BELIEF, missing_looks=1))
    assert (found.missing, found.changes) == ([], [])
    assert [row["attempt"] for row in found.seen] == [MINE], "which resets the count"


def test_another_users_job_under_our_id_is_not_ours() -> None:
    found = look(replace(JOB, uid=STRANGER, state="COMPLETED"), belief=replace(BELIEF, missing_looks=1))
    assert (found.seen, found.strays) == ([], [])
    assert [change.to for change in found.changes] == [Phase.FINALIZING], "ours is gone; theirs says nothing of it"


def test_the_same_users_next_job_under_our_id_is_not_ours() -> None:
    other = replace(JOB, workdir=f"/jobs/acme/{THEIRS}", submitted=2000, state="FAILED")
    found = look(other)
    assert (found.missing, found.seen, found.changes) == ([MINE], [], [])


def test_an_owner_may_change_the_directory_and_an_administrator_requeue() -> None:
    moved = look(replace(JOB, workdir="/elsewhere", state="COMPLETED"))
    requeued = look(replace(JOB, submitted=2000, state="PENDING"))
    assert [change.to for change in moved.changes] == [Phase.FINALIZING]
    assert [change.to for change in requeued.changes] == [Phase.QUEUED]


def test_a_lookalike_directory_of_another_user_is_neither_adopted_nor_cancelled_as_ours() -> None:
    forged = replace(JOB, job_id=SlurmJobId("50"), uid=STRANGER)
    assert look(forged, belief=UNBOUND).adopted == []
    # It is reported with its own user's number, which is not the attempt's: the canceller then leaves it alone.
    assert all(stray.uid == STRANGER for stray in look(JOB, forged).strays)


@pytest.mark.parametrize("workdir", ["", "/", "/home/ada", f"/jobs/{MINE}/sub", f"/jobs/x{MINE}", f"/jobs/{MINE}x"])
def test_a_directory_that_only_resembles_a_marker_is_none(workdir: str) -> None:
    found = look(replace(JOB, workdir=workdir), belief=UNBOUND)
    assert (found.adopted, found.strays) == ([], [])


def test_an_unanswered_submission_is_adopted_by_its_marker() -> None:
    found = look(JOB, belief=UNBOUND)
    assert found.adopted == [(MINE, "36")]
    assert [row["submitted"] for row in found.seen] == [1000]
    assert found.strays == []


def test_of_two_with_our_marker_the_first_is_adopted_and_the_other_is_a_stray() -> None:
    second = replace(JOB, job_id=SlurmJobId("100"), state="PENDING")
    found = look(second, replace(JOB, job_id=SlurmJobId("99"), state="PENDING"), belief=UNBOUND)
    assert found.adopted == [(MINE, "99")], "by number, not by text"
    assert found.strays == [Stray(attempt=MINE, job_id=SlurmJobId("100"), uid=UID)]


def test_a_stray_beside_the_bound_job_is_found_while_it_lives() -> None:
    stray = replace(JOB, job_id=SlurmJobId("99"))
    assert look(JOB, stray).strays == [Stray(attempt=MINE, job_id=SlurmJobId("99"), uid=UID)]
    assert look(JOB, replace(stray, state="COMPLETED")).strays == []


def test_a_late_landing_of_an_attempt_that_is_over_is_a_stray_once_even_as_an_array() -> None:
    late = [task(n, "PENDING", workdir=f"/jobs/acme/{THEIRS}") for n in range(3)]
    found = look(JOB, *late)
    assert found.strays == [Stray(attempt=THEIRS, job_id=SlurmJobId("36"), uid=UID)]


ARRAY = replace(BELIEF, array_tasks=4)


@pytest.mark.parametrize(
    ("words", "to"),
    [
        (["PENDING", "PENDING"], Phase.QUEUED),
        (["RUNNING", "PENDING"], None),
        (["COMPLETED", "PENDING"], None),  # between two tasks nothing runs, yet it is not over
        (["COMPLETED", "FAILED"], Phase.FINALIZING),
        (["COMPLETED", "QUANTUM_ENTANGLED"], None),
    ],
)
def test_the_tasks_of_an_array_add_up(words: list[str], to: Phase | None) -> None:
    found = look(*(task(n, word, job_id=str(40 + n)) for n, word in enumerate(words)), belief=ARRAY)
    assert [change.to for change in found.changes] == ([to] if to else [])


def test_tasks_that_the_controller_forgot_do_not_end_the_rest() -> None:
    found = look(task("3-4%2", "PENDING", job_id="36"), belief=ARRAY)
    assert found.tasks == [], "a pending rest has no row"
    assert [change.to for change in found.changes] == [Phase.QUEUED]


def test_what_waits_of_an_array_is_kept_in_slurms_words_with_its_reason() -> None:
    running = task(1, "RUNNING", job_id="41")
    rest = task("3-4%2", "PENDING", job_id="36", reason="JobArrayTaskLimit", started=None, node_list="")
    [row] = look(running, rest, belief=ARRAY).seen
    assert (row["word"], row["why"], row["rest"]) == ("RUNNING", "JobArrayTaskLimit", "3-4%2")
    known = replace(ARRAY, slurm_reason="JobArrayTaskLimit", array_rest="3-4%2")
    assert look(running, rest, belief=known).seen == []
    [row] = look(running, belief=known).seen
    assert (row["why"], row["rest"]) == ("", None)


def test_tasks_are_facts_with_their_own_ends() -> None:
    found = look(
        task(0, "FAILED", job_id="41", ended=1050),
        task(1, "COMPLETED", job_id="42", ended=1040),
        task(2, "RUNNING", job_id="43"),
        task(3, "QUANTUM_ENTANGLED", job_id="44"),
        belief=ARRAY,
    )
    shown = [(row["task"], row["slurm_job_id"], row["phase"], row["reason"]) for row in found.tasks]
    assert shown == [
        (0, "41", Phase.FAILED, Reason.EXIT_CODE),
        (1, "42", Phase.COMPLETED, Reason.SUCCESS),
        (2, "43", Phase.RUNNING, None),
    ]
    assert found.tasks[2]["ended_at"] is found.tasks[2]["exit_code"] is None


def test_an_array_is_bound_by_the_arrays_id_not_by_a_tasks() -> None:
    pending = [task(n, "PENDING", job_id=str(70 - n)) for n in range(2)]
    found = look(*pending, belief=replace(UNBOUND, array_tasks=2))
    assert (found.adopted, found.strays) == ([(MINE, "36")], [])


def test_everything_that_is_written_about_is_named() -> None:
    array = [task(0, "RUNNING", job_id="41")]
    for findings in (look(), look(JOB, belief=UNBOUND), look(*array, belief=ARRAY)):
        assert findings.attempts() == {MINE}
    assert look(JOB).attempts() == set()
    assert Findings(changes=[Change(attempt=THEIRS, to=Phase.RUNNING, reason=Reason.STARTED)]).attempts() == {THEIRS}
