"""The controllers on a played cluster that loses answers, forgets, lies and restarts: nothing lost, nothing twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.controller.collector import Collector, tick_pause
from gateway.controller.dispatch import Dispatcher
from gateway.controller.doubt import Doubter
from gateway.controller.finalize import Finalizer
from gateway.controller.leases import LeaseKeeper, holder_name
from gateway.db import tables
from gateway.errors import ClusterRefused, ClusterUnreachable, Conflict, InvalidRequest, NotFound
from gateway.ids import JobId, UnixUser
from gateway.jobs import facts, read
from gateway.jobs.cancel import cancel
from gateway.jobs.signal import signal
from gateway.services import Services
from gateway.settings import Settings
from gateway.slurm.runner import CommandResult
from gateway.states import FINAL, Phase, Reason
from gateway.testing.fake_runner import ATTEMPTS
from gateway.testing.fake_slurm import FakeSlurm, Fate
from gateway.wire import JobView, SignalRequest
from tests.core_world import CLUSTER, SPEC, add_job, principal, sqlite_world, step_of

ADA = principal("ada")


class Controllers:
    """One process' controllers, turned by hand."""

    def __init__(self, services: Services, holder: str) -> None:
        self.keeper = LeaseKeeper(services.database, holder=holder, lease_s=30, every_s=10)
        self.dispatcher = Dispatcher(services, CLUSTER, self.keeper)
        self.collector = Collector(services, CLUSTER, holder=holder)
        self.doubter = Doubter(services, CLUSTER, self.keeper)
        self.finalizer = Finalizer(services, CLUSTER, self.keeper)

    def submit(self) -> None:
        """Dispatch what is due, wait for every sbatch call to return, record the answers."""
        self.dispatcher.run_once()
        while self.dispatcher._in_flight:
            assert self.dispatcher.wake.wait(10)
            self.dispatcher.wake.clear()
            self.dispatcher._land()

    def turn(self) -> None:
        self.submit()
        self.doubter.run_once()
        self.collector.run_once()
        self.finalizer.run_once()


class Rig:
    def __init__(self, services: Services, slurm: FakeSlurm) -> None:
        self.services, self.slurm = services, slurm
        self.mine = Controllers(services, "one")

    def job(self, owner: str = "ada", **changes: Any) -> JobId:
        uid = self.slurm.controller.uid(principal(owner).unix_user)
        with self.services.database.begin() as transaction:
            return add_job(transaction, owner, uid=uid, **changes)

    def array(self, tasks: int) -> JobId:
        spec = {**SPEC, "array": f"0-{tasks - 1}", "options": [*SPEC["options"], f"--array=0-{tasks - 1}"]}
        return self.job(spec=spec, array_tasks=tasks)

    def view(self, job: JobId) -> JobView:
        return read.get(self.services, principal("root").visible, job)

    def phases(self, *jobs: JobId) -> list[Phase]:
        return [self.view(job).phase for job in jobs]

    def turn(self, times: int = 1, *, seconds: float = 1.0) -> None:
        for _ in range(times):
            self.slurm.clock.advance(seconds)
            self.mine.turn()

    def until_over(self, *jobs: JobId) -> list[Phase]:
        """Turn, a minute at a time, starting and ending what Slurm has, until all are over."""
        for _ in range(40):
            self.turn(seconds=30)
            self.slurm.start()
            self.turn()
            self.slurm.finish()
            self.turn(3)
            if all(phase in FINAL for phase in self.phases(*jobs)):
                break
        return self.phases(*jobs)

    def runs(self) -> int:
        assert all(count == 1 for count in self.slurm.tenant_runs.values()), "an attempt ran twice"
        return len(self.slurm.tenant_runs)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with sqlite_world(tmp_path) as services:
        slurm = FakeSlurm(clock=services.clock, cluster=CLUSTER)  # type: ignore[arg-type]
        cluster = services.settings.clusters[CLUSTER].model_copy(update={"attempts_root": Path(ATTEMPTS)})
        settings = Settings(state_dir=tmp_path, clusters={CLUSTER: cluster})
        rig = Rig(replace(services, transports={CLUSTER: slurm}, settings=settings), slurm)
        rig.mine.collector.run_once()
        yield rig
        rig.mine.dispatcher.close()


def test_a_job_goes_all_the_way(rig: Rig) -> None:
    job = rig.job()
    rig.turn()
    assert rig.phases(job) == [Phase.QUEUED]
    rig.slurm.start()
    rig.turn()
    assert rig.phases(job) == [Phase.RUNNING]
    rig.slurm.clock.advance(60)
    rig.slurm.finish()
    rig.turn()
    view = rig.view(job)
    assert (view.phase, view.reason, view.exit_code, view.attempt) == (Phase.COMPLETED, Reason.SUCCESS, 0, 1)
    assert view.elapsed_s is not None
    assert 60 <= view.elapsed_s <= 62
    assert rig.runs() == 1


def test_a_failing_job_keeps_its_exit_code(rig: Rig) -> None:
    job = rig.job()
    rig.turn()
    rig.slurm.start()
    rig.slurm.finish(exit_code=139)
    rig.turn(3)
    view = rig.view(job)
    assert (view.phase, view.reason, view.exit_code) == (Phase.FAILED, Reason.EXIT_CODE, 139)


def test_a_refusal_is_final_and_told_in_slurms_words(rig: Rig) -> None:
    rig.slurm.fates.append("sbatch: error: Batch job submission failed: Invalid qos specification")
    job = rig.job()
    rig.turn(3)
    view = rig.view(job)
    assert (view.phase, view.reason) == (Phase.FAILED, Reason.SUBMIT_REJECTED)
    assert "Invalid qos" in (view.message or "")
    assert rig.slurm.controller.memory == []


@pytest.mark.parametrize("fate", [Fate.ACCEPTED_UNHEARD, Fate.NEVER_ARRIVES, Fate.LANDS_LATER, Fate.HANGS])
@pytest.mark.parametrize("landing_s", [1, 45, 500])
def test_whatever_becomes_of_sbatch_tenant_code_runs_once_and_one_job_is_left(
    rig: Rig, fate: Fate, landing_s: int
) -> None:
    rig.slurm.fates.append(fate)
    job = rig.job()
    rig.turn(4)
    rig.turn(1, seconds=landing_s)
    rig.slurm.land()
    assert rig.until_over(job) == [Phase.COMPLETED]
    assert rig.runs() == 1
    completed = [one for one in rig.slurm.controller.accounted if one.state == "COMPLETED"]
    assert len(completed) == 1


def test_a_late_landing_is_cancelled_before_it_wastes_a_node(rig: Rig) -> None:
    rig.slurm.fates.append(Fate.LANDS_LATER)
    job = rig.job()
    rig.turn(2)
    rig.turn(2, seconds=30)
    assert rig.view(job).attempt == 2
    rig.slurm.land()
    rig.turn()
    states = sorted(one.state for one in rig.slurm.controller.memory)
    assert states == ["CANCELLED", "PENDING"]


def test_an_answer_that_was_lost_is_adopted_from_slurm(rig: Rig) -> None:
    rig.slurm.fates.append(Fate.ACCEPTED_UNHEARD)
    job = rig.job()
    rig.mine.submit()
    assert rig.phases(job) == [Phase.SUBMITTING]
    rig.mine.collector.run_once()
    view = rig.view(job)
    assert (view.phase, view.reason, view.attempt) == (Phase.QUEUED, Reason.ADOPTED, 1)


def test_another_controller_takes_over_what_a_dead_one_had_begun(rig: Rig) -> None:
    jobs = [rig.job() for _ in range(3)]
    with rig.services.database.begin() as transaction:
        rig.mine.dispatcher._intend(transaction, 3)  # and then the process was killed: no sbatch, no renewal
    other = Controllers(rig.services, "two")
    other.turn()
    assert rig.phases(*jobs) == [Phase.SUBMITTING] * 3, "the leases still hold"
    rig.mine = other
    assert rig.until_over(*jobs) == [Phase.COMPLETED] * 3
    assert rig.runs() == 3


def test_an_answer_that_cannot_be_recorded_is_found_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.job()
    rig.mine.dispatcher.run_once()
    assert rig.mine.dispatcher.wake.wait(10)
    with monkeypatch.context() as broken:
        broken.setattr(facts, "bind", lambda *_: (_ for _ in ()).throw(sa.exc.OperationalError("x", None, Exception())))
        with pytest.raises(sa.exc.OperationalError):
            rig.mine.dispatcher.run_once()
    assert rig.mine.dispatcher._in_flight == 0
    rig.turn(2, seconds=31)
    assert rig.phases(job) == [Phase.QUEUED]
    assert len(rig.slurm.controller.memory) == 1


def test_while_slurmctld_is_down_jobs_wait_and_are_submitted_when_it_is_back(rig: Rig) -> None:
    rig.slurm.unreachable = True
    rig.turn()
    job = rig.job()
    rig.turn(5)
    assert rig.phases(job) == [Phase.PENDING]
    rig.slurm.unreachable = False
    rig.turn(2)
    assert rig.phases(job) == [Phase.QUEUED]
    assert rig.view(job).attempt == 1


@pytest.mark.parametrize("lie", [{"unreachable": True}, {"cut": 40}, {"complaint": "slurm_load_jobs error: timed out"}])
def test_a_failed_or_incomplete_look_changes_no_job(rig: Rig, lie: dict[str, Any]) -> None:
    queued, running = rig.job(), rig.job()
    rig.turn()
    rig.slurm.start(str(rig.view(running).slurm_job_id))
    rig.turn()
    before = rig.phases(queued, running)
    for name, value in lie.items():
        setattr(rig.slurm, name, value)
    rig.turn(10, seconds=60)
    assert rig.phases(queued, running) == before == [Phase.QUEUED, Phase.RUNNING]


def test_jobs_that_a_restarted_slurmctld_forgot_run_after_all_and_ids_are_not_mixed_up(rig: Rig) -> None:
    lost = rig.job()
    rig.turn()
    number = rig.view(lost).slurm_job_id
    rig.slurm.clock.advance(1)
    rig.slurm.restart(forget_s=10)
    stranger = rig.slurm.controller.accept("somebody", {"chdir": "/home/somebody"})
    assert str(stranger) == number, "the next user's job has our number"
    assert rig.until_over(lost) == [Phase.COMPLETED]
    assert rig.view(lost).attempt == 2
    assert rig.runs() >= 1
    assert not any(job.user == "somebody" and job.state == "CANCELLED" for job in rig.slurm.controller.accounted)


def test_a_job_that_an_administrator_requeued_does_not_run_twice(rig: Rig) -> None:
    job = rig.job()
    rig.turn()
    rig.slurm.start()
    rig.turn()
    rig.slurm.controller.requeue(rig.slurm.job(str(rig.view(job).slurm_job_id)))
    rig.turn()
    assert (rig.view(job).phase, rig.view(job).reason) == (Phase.QUEUED, Reason.REQUEUED_BY_SLURM)
    rig.slurm.start()
    rig.turn(3)
    assert (rig.view(job).phase, rig.view(job).reason) == (Phase.FAILED, Reason.NODE_UNFIT)
    assert rig.runs() == 1


def test_a_cancel_that_races_the_submission_wins(rig: Rig) -> None:
    heard, unheard = rig.job(), rig.job()
    rig.slurm.fates.extend([Fate.ANSWERS, Fate.ACCEPTED_UNHEARD])
    rig.mine.dispatcher.run_once()
    for job in (heard, unheard):
        assert not cancel(rig.services, ADA, job).was_final
    rig.turn(3)
    rig.slurm.start()
    rig.turn(3, seconds=10)
    assert rig.phases(heard, unheard) == [Phase.CANCELLED, Phase.CANCELLED]
    assert rig.runs() == 0


def test_a_forged_claim_to_somebody_elses_job_gains_nothing(rig: Rig) -> None:
    theirs = rig.job("eve")
    rig.turn()
    number = rig.view(theirs).slurm_job_id
    rig.slurm.fates.append(Fate.NEVER_ARRIVES)
    forger = rig.job()
    rig.mine.submit()
    with rig.services.database.begin() as transaction:
        attempt = step_of(transaction, forger).attempt_id
    rig.slurm.write(UnixUser("acme-ada"), attempt, "claim", f"{number}.0".encode())
    cancel(rig.services, ADA, forger)
    rig.turn(5)
    assert rig.phases(theirs) == [Phase.QUEUED], "theirs is neither cancelled nor shown as ours"
    rig.slurm.start()
    rig.slurm.finish()
    rig.turn(3)
    assert rig.phases(theirs) == [Phase.COMPLETED]
    assert rig.phases(forger) != [Phase.COMPLETED]


def test_a_cancel_is_true_only_when_slurm_says_so(rig: Rig) -> None:
    queued, running, done = rig.job(), rig.job(), rig.job()
    rig.turn()
    for job in (running, done):
        rig.slurm.start(str(rig.view(job).slurm_job_id))
    rig.turn()
    rig.slurm.finish(str(rig.view(done).slurm_job_id))
    for job in (queued, running, done):
        cancel(rig.services, ADA, job)
    assert rig.phases(queued, running, done) == [Phase.QUEUED, Phase.RUNNING, Phase.RUNNING]
    rig.turn(3)
    assert rig.phases(queued, running, done) == [Phase.CANCELLED, Phase.CANCELLED, Phase.COMPLETED]
    assert rig.view(queued).reason is Reason.CANCELLED_BY_USER


def test_a_cancel_that_slurm_did_not_hear_is_sent_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    array = rig.array(3)
    rig.turn()
    rig.slurm.start()
    rig.turn()
    cancel(rig.services, ADA, array, task=1)
    with monkeypatch.context() as away:

        def unheard(*_: object, **__: object) -> None:
            raise ClusterUnreachable

        away.setattr(rig.slurm, "cancel", unheard)
        rig.turn()
    with rig.services.database.read() as connection:
        assert connection.execute(sa.select(tables.task_cancels.c.sent_at)).scalar_one() is None
    rig.turn(2)
    states = {one.task: one.state for one in rig.slurm.controller.memory}
    assert states == {0: "RUNNING", 1: "CANCELLED", 2: "RUNNING"}


def test_a_signal_goes_to_what_runs_and_is_part_of_the_story(rig: Rig) -> None:
    job, array, waits = rig.job(), rig.array(4), rig.job()
    rig.turn()
    number, tasks = rig.view(job).slurm_job_id, rig.view(array).slurm_job_id
    rig.slurm.start(str(number), f"{tasks}_0", f"{tasks}_2")
    rig.turn()
    for name in ("USR1", "SIGUSR1", "10"):
        signal(rig.services, ADA, job, SignalRequest(signal=name))
    with pytest.raises(Conflict, match="have not started"):
        signal(rig.services, ADA, array, SignalRequest(signal="TERM"), task=2)
    with pytest.raises(Conflict, match="does not run"):
        signal(rig.services, ADA, array, SignalRequest(signal="TERM"), task=1)
    rig.slurm.start(f"{tasks}_1", f"{tasks}_3")
    rig.slurm.finish(f"{tasks}_1", f"{tasks}_3")
    rig.turn()
    signal(rig.services, ADA, array, SignalRequest(signal="TERM", target="full"))
    signal(rig.services, ADA, array, SignalRequest(signal="INT", target="batch"), task=2)
    assert rig.slurm.signals == [
        *[(number, "USR1")] * 3, (f"{tasks}_0", "TERM"), (f"{tasks}_2", "TERM"), (f"{tasks}_2", "INT"),
    ]  # fmt: skip
    events = read.events(rig.services, ADA.visible, array, limit=50).items
    assert [event.message for event in events if event.kind == "job.signalled"] == [
        "TERM to the batch script and all steps", "INT to the batch script of task 2",
    ]  # fmt: skip
    assert rig.phases(job, array) == [Phase.RUNNING, Phase.RUNNING]
    for name in ("FOO", "0", "USR1@60", "B:USR1", "999"):
        with pytest.raises(InvalidRequest, match="is not a signal"):
            signal(rig.services, ADA, job, SignalRequest(signal=name))
    for idle, task in ((waits, None), (array, 1)):
        with pytest.raises(Conflict, match="does not run"):
            signal(rig.services, ADA, idle, SignalRequest(signal="USR1"), task=task)
    with pytest.raises(NotFound, match="not an array"):
        signal(rig.services, ADA, job, SignalRequest(signal="USR1"), task=1)


def test_a_signal_that_comes_too_late_is_a_conflict_and_no_event(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.job()
    rig.turn()
    rig.slurm.start()
    rig.turn()

    def refused(text: str) -> None:
        said = CommandResult(exit_code=1, stdout="", stderr=f"scancel: error: Kill job error on job id 1: {text}\n")
        monkeypatch.setattr(rig.slurm, "cancel", lambda *_, **__: said)

    refused("Invalid job id specified")
    with pytest.raises(Conflict, match="has just ended"):
        signal(rig.services, ADA, job, SignalRequest(signal="USR1"))
    refused("Job can not be altered now, try again later")
    with pytest.raises(ClusterRefused, match="try again later"):
        signal(rig.services, ADA, job, SignalRequest(signal="USR1"))
    kinds = [event.kind for event in read.events(rig.services, ADA.visible, job, limit=50).items]
    assert "job.signalled" not in kinds


def test_an_array_is_followed_task_by_task(rig: Rig) -> None:
    job = rig.array(3)
    rig.turn()
    rig.slurm.start()
    rig.turn()
    number = rig.view(job).slurm_job_id
    rig.slurm.finish(f"{number}_0")
    rig.slurm.finish(f"{number}_1", exit_code=3)
    rig.turn()
    counts = rig.view(job).array
    assert counts is not None
    assert (counts.running, counts.completed, counts.failed) == (1, 1, 1)
    assert (counts.expression, counts.rest, counts.rest_reason) == ("0-2", None, None)
    rig.slurm.finish(f"{number}_2")
    rig.turn(3)
    view = rig.view(job)
    assert (view.phase, view.reason, view.exit_code) == (Phase.FAILED, Reason.EXIT_CODE, 3)
    page = read.tasks(rig.services, ADA.visible, job, limit=9)
    assert [(task.task, task.state, task.exit_code) for task in page.items] == [
        (0, "COMPLETED", 0), (1, "FAILED", 3), (2, "COMPLETED", 0),
    ]  # fmt: skip


def test_the_rest_of_an_array_shrinks_as_tasks_start_and_as_they_are_cancelled(rig: Rig) -> None:
    job = rig.array(4)

    def rest() -> tuple[str | None, str | None, int, int]:
        counts = rig.view(job).array
        assert counts is not None
        return counts.rest, counts.rest_reason, counts.pending, counts.cancelled

    assert rest() == ("0-3", None, 4, 0)
    rig.turn(2)
    number = rig.view(job).slurm_job_id
    assert rest() == ("0,1,2,3", "Priority", 4, 0)
    rig.slurm.start(f"{number}_0")
    cancel(rig.services, ADA, job, task=2)
    rig.turn(2)
    assert rest() == ("1,3", "Priority", 2, 1)
    cancel(rig.services, ADA, job)
    rig.turn(4)
    assert rest() == ("1,3", None, 0, 4)


def test_tasks_that_slurm_forgot_before_the_array_ended_still_count(rig: Rig) -> None:
    rig.slurm.slurmdbd_down = True
    job = rig.array(2)
    rig.turn()
    rig.slurm.start()
    number = rig.view(job).slurm_job_id
    rig.slurm.finish(f"{number}_0", exit_code=3)
    rig.turn(3)
    rig.slurm.clock.advance(rig.slurm.controller.min_job_age_s + 1)
    rig.turn()
    rig.slurm.finish(f"{number}_1")
    rig.turn(3)
    assert rig.view(job).reason is Reason.EXIT_CODE


def test_a_job_that_vanished_without_a_trace_is_unknown_and_never_a_success(rig: Rig) -> None:
    job = rig.job()
    rig.turn()
    rig.slurm.start()
    rig.turn()
    rig.slurm.controller.memory.clear()
    rig.slurm.controller.accounted.clear()
    rig.turn(2)
    assert rig.phases(job) == [Phase.FINALIZING]
    rig.turn(3, seconds=30)
    assert rig.view(job).reason is Reason.OUTCOME_UNKNOWN


def test_while_accounting_cannot_be_asked_nothing_becomes_unknown(rig: Rig) -> None:
    job = rig.job()
    rig.turn()
    rig.slurm.start()
    rig.turn()
    rig.slurm.finish(record=False)
    rig.slurm.slurmdbd_down = True
    rig.slurm.clock.advance(rig.slurm.controller.min_job_age_s + 1)
    rig.turn(30, seconds=60)
    assert rig.phases(job) == [Phase.FINALIZING]
    rig.slurm.slurmdbd_down = False
    rig.turn(2, seconds=5)
    assert rig.phases(job) == [Phase.COMPLETED]


def test_only_one_collector_looks_and_a_paused_one_applies_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.job()
    rig.turn()
    other = Collector(rig.services, CLUSTER, holder="two")
    assert not other.run_once()
    with rig.services.database.read() as connection:
        assert connection.execute(sa.select(tables.cluster_watches.c.lease_holder)).scalar_one() == "one"
    observe = rig.slurm.observe

    def paused() -> Any:
        look = observe()
        monkeypatch.setattr(rig.slurm, "observe", observe)
        rig.slurm.clock.advance(60)
        other.run_once()
        return look

    monkeypatch.setattr(rig.slurm, "observe", paused)
    rig.slurm.start()
    assert not rig.mine.collector.run_once(), "what it saw before its pause is nobody's business any more"
    assert rig.phases(job) == [Phase.RUNNING], "the other one saw it"


def test_two_containers_with_one_host_name_hold_different_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)
    monkeypatch.setattr("os.getpid", lambda: 4194304)
    one, two = holder_name(), holder_name()
    assert one != two
    assert len(one) <= 64, "the column is no wider, and PostgreSQL insists"


def test_dependencies_hold_a_job_back_and_let_it_go(rig: Rig) -> None:
    first, second = rig.job(), rig.job()
    with rig.services.database.begin() as transaction:
        row = {"job_id": second, "needs_job_id": first, "kind": "afterok"}
        transaction.execute(tables.job_dependencies.insert().values(row))
    rig.turn(2)
    assert rig.phases(first, second) == [Phase.QUEUED, Phase.PENDING]
    rig.slurm.start()
    rig.slurm.finish()
    rig.turn(3)
    assert rig.phases(first, second) == [Phase.COMPLETED, Phase.QUEUED]


@pytest.mark.parametrize(("cost", "pause"), [(0.01, 1.0), (0.5, 4.5), (5.0, 10.0)])
def test_looking_takes_a_tenth_of_the_time_at_most(cost: float, pause: float) -> None:
    assert tick_pause(cost, least_s=1.0, most_s=10.0) == pytest.approx(pause)
