"""Slurm's words for states, and ours."""

import pytest

from gateway.slurm.states import phase_of, state_word, verdict_of
from gateway.states import FINAL, Phase, Reason

ENDED = {
    "COMPLETED": (Phase.COMPLETED, Reason.SUCCESS),
    "FAILED": (Phase.FAILED, Reason.EXIT_CODE),
    "TIMEOUT": (Phase.FAILED, Reason.TIMEOUT),
    "DEADLINE": (Phase.FAILED, Reason.DEADLINE),
    "OUT_OF_MEMORY": (Phase.FAILED, Reason.OUT_OF_MEMORY),
    "NODE_FAIL": (Phase.FAILED, Reason.NODE_LOST),
    "BOOT_FAIL": (Phase.FAILED, Reason.BOOT_FAIL),
    "PREEMPTED": (Phase.FAILED, Reason.PREEMPTED),
    "LAUNCH_FAILED": (Phase.FAILED, Reason.NODE_UNFIT),
    "CANCELLED": (Phase.CANCELLED, Reason.CANCELLED_IN_SLURM),
    "CANCELLED by 1000": (Phase.CANCELLED, Reason.CANCELLED_IN_SLURM),
    "REVOKED": (Phase.CANCELLED, Reason.CANCELLED_IN_SLURM),
}


@pytest.mark.parametrize(("word", "verdict"), ENDED.items())
def test_an_ended_state_has_one_verdict(word: str, verdict: tuple[Phase, Reason]) -> None:
    assert phase_of(word) is Phase.FINALIZING
    assert verdict_of(word, exit_code=0, signal=None) == verdict
    assert verdict[0] in FINAL


@pytest.mark.parametrize("word", ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"])
def test_a_waiting_job_is_queued(word: str) -> None:
    assert phase_of(word) is Phase.QUEUED


@pytest.mark.parametrize("word", ["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT"])
def test_a_job_with_nodes_is_running_even_while_it_completes(word: str) -> None:
    assert phase_of(word) is Phase.RUNNING
    with pytest.raises(ValueError, match=word):
        verdict_of(word, exit_code=0, signal=None)


@pytest.mark.parametrize("word", ["", "?", "EXPEDITING", "COMPLETE"])
def test_an_unknown_word_says_nothing(word: str) -> None:
    assert phase_of(word) is None


def test_success_needs_exit_code_zero() -> None:
    assert verdict_of("COMPLETED", exit_code=1, signal=None) == (Phase.FAILED, Reason.EXIT_CODE)
    assert verdict_of("COMPLETED", exit_code=0, signal=9) == (Phase.FAILED, Reason.EXIT_CODE)


def test_memory_is_recognised_by_its_signal_too() -> None:
    assert verdict_of("FAILED", exit_code=0, signal=125) == (Phase.FAILED, Reason.OUT_OF_MEMORY)
    assert verdict_of("FAILED", exit_code=125, signal=None) == (Phase.FAILED, Reason.EXIT_CODE)


@pytest.mark.parametrize("text", ["CANCELLED by 1000", "CANCELLED+", "CANCELLED", "cancelled"])
def test_a_state_loses_its_tail(text: str) -> None:
    assert state_word(text) == "CANCELLED"
