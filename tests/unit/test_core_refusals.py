"""One tenant's trouble with the helper, or with scancel, holds up nobody else and is over when the trouble is."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from gateway.ids import SlurmJobId, UnixUser
from gateway.jobs.cancel import cancel
from gateway.slurm.runner import CommandResult
from gateway.slurm.sessions import RunnerRefused
from gateway.slurm.transport import Outcome
from gateway.states import Phase, Reason
from gateway.testing.fake_slurm import Fate
from tests.core_world import principal
from tests.unit.test_core_controllers import ADA, Rig, rig

__all__ = ["rig"]

EVE = principal("eve")
AWAY = "scancel: error: Kill job error on job id 1_1: Unable to contact slurm controller (connect failure)"


def refuse(monkeypatch: pytest.MonkeyPatch, rig: Rig, *verbs: str) -> None:
    """Let the helper refuse these verbs for eve."""
    for verb in verbs:
        original: Callable[..., object] = getattr(rig.slurm.runner, verb)

        def refused(
            user: UnixUser, *args: object, _original: Callable[..., object] = original, **more: object
        ) -> object:
            if user == "globex-eve":
                raise RunnerRefused("failed", "Disk quota exceeded")
            return _original(user, *args, **more)

        monkeypatch.setattr(rig.slurm.runner, verb, refused)


def turn_for_long(rig: Rig) -> None:
    for _ in range(30):
        rig.slurm.clock.advance(20)
        rig.mine.keeper.renew()
        rig.mine.turn()


def test_a_doubt_that_cannot_be_settled_holds_up_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = rig.job("eve"), rig.job("ada")
    with monkeypatch.context() as trouble:
        rig.slurm.fates.extend([Fate.NEVER_ARRIVES, Fate.NEVER_ARRIVES])
        rig.mine.submit()
        refuse(trouble, rig, "claim", "answer")
        turn_for_long(rig)
        assert rig.phases(good) == [Phase.QUEUED]
        assert rig.phases(bad) == [Phase.SUBMITTING]
    turn_for_long(rig)
    assert rig.phases(bad) == [Phase.QUEUED]


def test_an_end_that_cannot_be_read_holds_up_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = rig.job("eve"), rig.job("ada")
    rig.mine.turn()
    rig.slurm.start()
    rig.turn()
    with monkeypatch.context() as trouble:
        refuse(trouble, rig, "read_many", "claim")
        rig.slurm.finish(exit_code=1)
        turn_for_long(rig)
        assert rig.phases(good) == [Phase.FAILED]
    turn_for_long(rig)
    assert rig.phases(bad) == [Phase.FAILED]


def test_a_cancel_that_is_refused_holds_up_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = rig.job("eve"), rig.job("ada")
    rig.mine.turn()
    rig.slurm.start()
    rig.turn()
    refuse(monkeypatch, rig, "cancel")
    cancel(rig.services, EVE, bad)
    cancel(rig.services, ADA, good)
    turn_for_long(rig)
    assert rig.phases(good, bad) == [Phase.CANCELLED, Phase.RUNNING]


def test_a_task_cancel_that_scancel_could_not_deliver_is_repeated(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.array(2)
    rig.mine.turn()
    rig.slurm.start()
    rig.turn()

    def unheard(*_: Sequence[object]) -> CommandResult:
        return CommandResult(exit_code=8, stdout="", stderr=AWAY)

    with monkeypatch.context() as trouble:
        trouble.setattr(rig.slurm.runner, "_scancel", unheard)
        cancel(rig.services, ADA, job, task=1)
        rig.turn()
    rig.turn(2)
    assert [job.state for job in rig.slurm.controller.remembered() if job.task == 1] == ["CANCELLED"]


def test_what_the_helper_will_not_start_is_tried_three_times_and_says_why(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rig.job("eve")
    refuse(monkeypatch, rig, "submit")
    rig.turn()
    waiting = rig.view(job)
    assert (waiting.phase, waiting.reason) == (Phase.PENDING, Reason.NOT_HANDED_OVER)
    assert waiting.message == "Disk quota exceeded"
    turn_for_long(rig)
    over = rig.view(job)
    assert (over.phase, over.reason, over.attempt) == (Phase.FAILED, Reason.SUBMIT_REJECTED, 3)
    assert over.message == "Disk quota exceeded"


def test_a_strangers_job_under_our_number_hides_no_end_of_ours(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.job()
    rig.mine.turn()
    rig.slurm.start()
    rig.turn()
    rig.slurm.finish(exit_code=3, record=False)
    outcomes = rig.slurm.outcomes

    def with_stranger(ids: Sequence[SlurmJobId], *, since: int) -> list[Outcome]:
        ours = outcomes(ids, since=since)
        later = [replace(o, uid=4242, workdir="/home/eve", submitted=(o.submitted or 0) + 5, exit_code=0) for o in ours]
        return [*ours, *(replace(one, state="COMPLETED") for one in later)]

    monkeypatch.setattr(rig.slurm, "outcomes", with_stranger)
    monkeypatch.setattr(rig.slurm, "controller_outcomes", lambda _: [])
    rig.turn(5, seconds=20)
    assert (rig.view(job).phase, rig.view(job).reason, rig.view(job).exit_code) == (Phase.FAILED, Reason.EXIT_CODE, 3)
