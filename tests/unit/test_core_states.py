"""The table of moves, the reasons and the sum of steps: what must hold for all of them."""

import itertools

import pytest

from gateway.states import FINAL, LIVE_IN_SLURM, MOVES, STATE_OF, Phase, Reason, State, job_phase


def test_every_phase_has_moves_and_a_public_state() -> None:
    assert set(MOVES) == set(STATE_OF) == set(Phase)
    assert set(STATE_OF.values()) == set(State)


def test_every_phase_can_be_reached_and_every_job_can_end() -> None:
    reached, edge = {Phase.PENDING}, {Phase.PENDING}
    while edge:
        edge = {to for at in edge for to in MOVES[at]} - reached
        reached |= edge
    assert reached == set(Phase)
    ends = set(FINAL)
    for _ in Phase:
        ends |= {at for at in Phase if MOVES[at] & ends}
    assert ends == set(Phase)


def test_success_is_never_opened_again_and_comes_only_from_finalizing() -> None:
    assert MOVES[Phase.COMPLETED] == frozenset()
    assert [at for at in Phase if Phase.COMPLETED in MOVES[at]] == [Phase.FINALIZING]


def test_what_slurm_has_is_never_ended_without_being_finalized() -> None:
    for at in LIVE_IN_SLURM:
        assert not MOVES[at] & FINAL


def test_a_final_phase_leads_nowhere_but_to_another_try() -> None:
    for at in FINAL:
        assert MOVES[at] <= {Phase.PENDING}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_and_a_phase(reason: Reason) -> None:
    assert reason.sentence.endswith(".")
    assert reason.sentence[0].isupper()
    assert reason.final in Phase


def test_a_users_own_error_is_not_worth_retrying() -> None:
    for reason in (Reason.EXIT_CODE, Reason.CANCELLED_BY_USER, Reason.SUBMIT_REJECTED, Reason.SUCCESS):
        assert not reason.worth_retrying
    for reason in (Reason.NODE_LOST, Reason.PREEMPTED, Reason.SUBMIT_UNCERTAIN):
        assert reason.worth_retrying


@pytest.mark.parametrize("phase", Phase)
def test_a_job_of_one_step_is_where_its_step_is(phase: Phase) -> None:
    assert job_phase([phase]) is phase


def test_a_job_is_active_while_a_step_is_and_the_order_of_steps_does_not_matter() -> None:
    for steps in itertools.product(Phase, repeat=3):
        phase = job_phase(steps)
        assert phase in steps
        assert (phase in FINAL) == all(step in FINAL for step in steps)
        assert phase is job_phase(reversed(steps))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED), Phase.FAILED),
        ((Phase.COMPLETED, Phase.CANCELLED), Phase.CANCELLED),
        ((Phase.COMPLETED, Phase.COMPLETED), Phase.COMPLETED),
        ((Phase.FAILED, Phase.PENDING), Phase.PENDING),
        ((Phase.FINALIZING, Phase.RUNNING), Phase.RUNNING),
        ((Phase.QUEUED, Phase.FINALIZING), Phase.FINALIZING),
    ],
)
def test_several_steps_add_up(steps: tuple[Phase, ...], expected: Phase) -> None:
    assert job_phase(steps) is expected


def test_a_job_without_steps_does_not_exist() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        job_phase([])
