"""Every case of the decisions about waiting jobs and doubtful submissions, as rows of tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.controller.decide import (
    AFTER_DEATH,
    SBATCH_BLOCKS,
    Bind,
    Dispatch,
    End,
    Need,
    SubmitEvidence,
    Void,
    Wait,
    dispatch,
    submission,
)
from gateway.ids import SlurmJobId
from gateway.slurm.answers import Accepted, Refused, Uncertain
from gateway.states import FINAL, MOVES, Phase, Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MUNGE = timedelta(seconds=300)
DOUBT = SubmitEvidence(
    now=NOW,
    created=NOW - timedelta(seconds=40),
    bound=None,
    verdict=None,
    claimed_by=None,
    void=False,
    sbatch_dead=False,
    deadline=NOW - timedelta(seconds=10),
    munge_life=MUNGE,
)
ID, OTHER, THIRD = SlurmJobId("36"), SlurmJobId("37"), SlurmJobId("38")
MAYBE = Uncertain(message="sbatch was killed by signal 9.")


def need(kind: str, phase: Phase, *, started: bool = False) -> Need:
    return Need(kind=kind, phase=phase, started=started)


MET, NEVER, OPEN = Dispatch, End, Wait


@pytest.mark.parametrize(
    ("kind", "phase", "started", "expected"),
    [
        ("after", Phase.PENDING, False, OPEN),
        ("after", Phase.QUEUED, False, OPEN),
        ("after", Phase.RUNNING, True, MET),
        ("after", Phase.PENDING, True, MET),
        ("after", Phase.CANCELLED, False, MET),
        ("afterany", Phase.RUNNING, True, OPEN),
        ("afterany", Phase.FINALIZING, True, OPEN),
        ("afterany", Phase.COMPLETED, True, MET),
        ("afterany", Phase.FAILED, True, MET),
        ("afterany", Phase.CANCELLED, False, MET),
        ("afterok", Phase.FINALIZING, True, OPEN),
        ("afterok", Phase.COMPLETED, True, MET),
        ("afterok", Phase.FAILED, True, NEVER),
        ("afterok", Phase.CANCELLED, False, NEVER),
        ("afternotok", Phase.RUNNING, True, OPEN),
        ("afternotok", Phase.COMPLETED, True, NEVER),
        ("afternotok", Phase.FAILED, True, MET),
        ("afternotok", Phase.CANCELLED, False, MET),
        ("a word of a newer gateway", Phase.COMPLETED, True, NEVER),
    ],
)
def test_one_dependency_is_met_open_or_hopeless(kind: str, phase: Phase, started: bool, expected: type) -> None:
    decided = dispatch(cancelled=False, needs=[need(kind, phase, started=started)], any_need=False)
    assert isinstance(decided, expected)
    if isinstance(decided, End):
        assert (decided.to, decided.reason) == (Phase.CANCELLED, Reason.DEPENDENCY_FAILED)


OK, BAD, LATER = need("afterok", Phase.COMPLETED), need("afterok", Phase.FAILED), need("afterok", Phase.RUNNING)


@pytest.mark.parametrize(
    ("needs", "all_of", "any_of"),
    [
        ([], MET, MET),
        ([OK, OK], MET, MET),
        ([OK, LATER], OPEN, MET),
        ([OK, BAD], NEVER, MET),
        ([BAD, LATER], NEVER, OPEN),
        ([BAD, BAD], NEVER, NEVER),
        ([LATER, LATER], OPEN, OPEN),
    ],
)
def test_several_dependencies_count_together(needs: list[Need], all_of: type, any_of: type) -> None:
    assert isinstance(dispatch(cancelled=False, needs=needs, any_need=False), all_of)
    assert isinstance(dispatch(cancelled=False, needs=needs, any_need=True), any_of)


def test_a_cancelled_job_is_not_dispatched_whatever_it_waits_for() -> None:
    for needs in ([], [OK], [BAD], [LATER]):
        end = dispatch(cancelled=True, needs=needs, any_need=False)
        assert end == End(to=Phase.CANCELLED, reason=Reason.CANCELLED_BY_USER)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        # What is bound stays bound, whatever files in the tenant's directory say since.
        (replace(DOUBT, bound=ID, claimed_by=OTHER, verdict=Refused(message="no")), (ID, Reason.ACCEPTED_BY_SLURM)),
        (replace(DOUBT, bound=ID, void=True), (ID, Reason.ACCEPTED_BY_SLURM)),
        (replace(DOUBT, verdict=Accepted(job_id=ID), claimed_by=OTHER), (ID, Reason.ACCEPTED_BY_SLURM)),
        (replace(DOUBT, verdict=Accepted(job_id=ID), sbatch_dead=True), (ID, Reason.ACCEPTED_BY_SLURM)),
        # The answer is lost, but a job runs: whoever holds the claim is the attempt, also against a refusal.
        (replace(DOUBT, claimed_by=ID), (ID, Reason.ADOPTED)),
        (replace(DOUBT, claimed_by=ID, verdict=MAYBE), (ID, Reason.ADOPTED)),
        (replace(DOUBT, claimed_by=ID, verdict=Refused(message="forged")), (ID, Reason.ADOPTED)),
    ],
)
def test_what_exists_is_adopted(evidence: SubmitEvidence, expected: tuple[SlurmJobId, Reason]) -> None:
    decided = submission(evidence)
    assert isinstance(decided, Bind)
    assert (decided.job_id, decided.reason) == expected


def test_a_refusal_ends_the_job_with_slurms_words() -> None:
    decided = submission(replace(DOUBT, verdict=Refused(message="Invalid qos specification.")))
    assert decided == End(to=Phase.FAILED, reason=Reason.SUBMIT_REJECTED, message="Invalid qos specification.")


@pytest.mark.parametrize(
    "evidence",
    [
        replace(DOUBT, verdict=MAYBE),
        replace(DOUBT, sbatch_dead=True),
        replace(DOUBT, deadline=NOW - SBATCH_BLOCKS),
        replace(DOUBT, deadline=NOW - SBATCH_BLOCKS - timedelta(days=1)),
    ],
)
def test_what_cannot_be_found_is_made_void_before_anything_else(evidence: SubmitEvidence) -> None:
    assert isinstance(submission(evidence), Void)


@pytest.mark.parametrize("late", [timedelta(), SBATCH_BLOCKS - timedelta(milliseconds=1)])
def test_an_sbatch_that_may_still_answer_is_waited_for(late: timedelta) -> None:
    assert isinstance(submission(replace(DOUBT, deadline=NOW - late)), Wait)


@pytest.mark.parametrize(
    ("evidence", "reason", "pause"),
    [
        (replace(DOUBT, verdict=MAYBE), Reason.CLUSTER_UNREACHABLE, AFTER_DEATH),
        (replace(DOUBT, sbatch_dead=True), Reason.SUBMIT_UNCERTAIN, AFTER_DEATH),
        # Not known dead: only munge's credential life bounds when its request can still land.
        (DOUBT, Reason.SUBMIT_UNCERTAIN, MUNGE + SBATCH_BLOCKS - timedelta(seconds=40)),
        (replace(DOUBT, created=NOW - timedelta(hours=1)), Reason.SUBMIT_UNCERTAIN, timedelta()),
    ],
)
def test_a_void_attempt_is_followed_by_a_new_one_after_a_pause(
    evidence: SubmitEvidence, reason: Reason, pause: timedelta
) -> None:
    decided = submission(replace(evidence, void=True))
    assert isinstance(decided, End)
    assert (decided.to, decided.reason, decided.pause) == (Phase.PENDING, reason, pause)


def test_no_evidence_ever_leads_to_a_second_sbatch_of_the_same_attempt_or_to_an_illegal_move() -> None:
    verdicts = (None, Accepted(job_id=OTHER), Refused(message="no"), MAYBE)
    for bound in (None, ID):
        for verdict in verdicts:
            for claimed in (None, THIRD):
                for void in (False, True):
                    for dead in (False, True):
                        decided = submission(
                            replace(
                                DOUBT, bound=bound, verdict=verdict, claimed_by=claimed, void=void, sbatch_dead=dead
                            )
                        )
                        assert not isinstance(decided, Dispatch)
                        if isinstance(decided, End):
                            assert decided.to in MOVES[Phase.SUBMITTING]
                            assert decided.to in FINAL or void, "a new attempt only after this one is void"
