"""The fake cluster's failures: each is one that a real cluster was seen to have."""

import json

import pytest

from gateway.errors import ClusterUnreachable
from gateway.ids import AttemptId, SlurmJobId, UnixUser
from gateway.slurm.answers import Accepted, Refused, Uncertain, read_answer
from gateway.slurm.runner import ReadRequest
from gateway.slurm.transport import SubmitOrder
from gateway.testing.fake_slurm import FakeSlurm, Fate

ADA = UnixUser("ada")
ALAN = UnixUser("alan")


def attempt(number: int = 1) -> AttemptId:
    return AttemptId(f"7-main-{number}-0badcafe")


def submit(fake: FakeSlurm, name: AttemptId, *options: str, user: UnixUser = ADA) -> str:
    """Submit and return Slurm's id, or the kind of answer that came instead."""
    answer = fake.submit(
        SubmitOrder(
            attempt=name,
            user=user,
            uid=fake.controller.uid(user),
            options=options,
            array=any(option.startswith("--array") for option in options),
            batch=b"#!/bin/sh\n",
            files={},
            deadline=fake.clock.now().timestamp() + 60,
        ),
        wait_s=0,
    )
    if answer is None:
        return "nothing"
    verdict = read_answer(answer)
    return verdict.job_id if isinstance(verdict, Accepted) else type(verdict).__name__


def states(fake: FakeSlurm) -> dict[str, str]:
    return {job.job_id: job.state for job in fake.observe().jobs}


@pytest.fixture
def fake() -> FakeSlurm:
    return FakeSlurm()


def test_nothing_is_learnt_from_a_cluster_that_does_not_answer(fake: FakeSlurm) -> None:
    submit(fake, attempt())
    fake.unreachable = True
    for ask in (fake.observe, fake.ping, fake.capacity, fake.accounting_settled):
        with pytest.raises(ClusterUnreachable, match="Unable to contact"):
            ask()
    assert submit(fake, attempt(2)) == Uncertain.__name__
    assert fake.cancel(ADA, ["1"]).exit_code == 1
    fake.unreachable = False
    assert states(fake) == {"1": "PENDING"}


def test_an_accepted_job_whose_answer_was_lost_is_found_by_its_marker(fake: FakeSlurm) -> None:
    fake.fates.append(Fate.ACCEPTED_UNHEARD)
    assert submit(fake, attempt()) == "nothing"
    assert fake.sbatch_is_dead(ADA, attempt())
    assert fake.answer(ADA, attempt()) is None
    [job] = fake.observe().jobs
    assert job.workdir.endswith(attempt())
    assert fake.job_of(attempt()) == job.job_id


def test_a_killed_sbatch_may_never_arrive_or_land_later(fake: FakeSlurm) -> None:
    fake.fates += [Fate.NEVER_ARRIVES, Fate.LANDS_LATER]
    assert [submit(fake, attempt(n)) for n in (1, 2)] == ["nothing", "nothing"]
    assert fake.sbatch_is_dead(ADA, attempt(1))
    assert fake.sbatch_is_dead(ADA, attempt(2))
    assert fake.observe().jobs == ()
    fake.land()
    assert [job.workdir[-len(attempt()) :] for job in fake.observe().jobs] == [attempt(2)]
    assert fake.answer(ADA, attempt(2)) is None


def test_a_voided_attempt_that_lands_later_runs_no_tenant_code(fake: FakeSlurm) -> None:
    fake.fates.append(Fate.LANDS_LATER)
    submit(fake, attempt())
    assert fake.claim(ADA, attempt(), void=True).void
    fake.land()
    fake.start()
    assert fake.tenant_runs == {}
    assert [(job.state, job.exit_code) for job in fake.observe().jobs] == [("FAILED", 75)]


def test_a_hanging_sbatch_is_alive_until_it_answers(fake: FakeSlurm) -> None:
    fake.fates.append(Fate.HANGS)
    assert submit(fake, attempt()) == "nothing"
    assert not fake.sbatch_is_dead(ADA, attempt())
    fake.land()
    assert fake.sbatch_is_dead(ADA, attempt())
    answer = fake.answer(ADA, attempt())
    assert answer is not None
    assert isinstance(read_answer(answer), Accepted)


def test_slurms_refusal_is_a_text(fake: FakeSlurm) -> None:
    fake.fates.append("Invalid qos specification")
    assert submit(fake, attempt()) == Refused.__name__
    assert fake.observe().jobs == ()


def test_only_the_first_of_two_jobs_with_one_marker_runs(fake: FakeSlurm) -> None:
    fake.fates.append(Fate.ACCEPTED_UNHEARD)
    submit(fake, attempt())
    fake.controller.accept(ADA, {"chdir": fake.job("1").workdir})
    fake.start()
    assert fake.tenant_runs == {attempt(): 1}
    assert states(fake) == {"1": "RUNNING", "2": "FAILED"}
    assert fake.claim(ADA, attempt(), void=True).slurm_job_id == "1"


def test_a_requeued_job_is_not_run_a_second_time(fake: FakeSlurm) -> None:
    job_id = submit(fake, attempt())
    fake.start()
    fake.clock.advance(1)
    fake.controller.requeue(fake.job(job_id))
    fake.start()
    assert fake.tenant_runs == {attempt(): 1}
    records = fake.outcomes([SlurmJobId(job_id)], since=0)
    assert [one.state for one in records] == ["NODE_FAIL", "FAILED"]


def test_a_fenced_attempt_does_not_start(fake: FakeSlurm) -> None:
    submit(fake, attempt())
    fake.runner.fence(ADA, attempt())
    fake.start()
    assert fake.tenant_runs == {}


def test_an_ordinary_user_sees_an_empty_queue_without_an_error(fake: FakeSlurm) -> None:
    submit(fake, attempt())
    fake.blind = True
    assert fake.observe().jobs == ()
    assert fake.observe().unread == 0


def test_a_cut_answer_is_never_complete(fake: FakeSlurm) -> None:
    submit(fake, attempt())
    fake.observe()
    fake.cut = 20
    with pytest.raises(ClusterUnreachable):
        fake.observe()


def test_words_on_stderr_make_a_successful_query_untrustworthy(fake: FakeSlurm) -> None:
    fake.complaint = "squeue: error: something is missing"
    with pytest.raises(ClusterUnreachable, match="something is missing"):
        fake.observe()


def test_the_controller_forgets_ended_jobs_but_accounting_does_not(fake: FakeSlurm) -> None:
    job_id = SlurmJobId(submit(fake, attempt()))
    fake.start()
    fake.finish(exit_code=3)
    assert fake.controller_outcomes([job_id])[0].exit_code == 3
    fake.clock.advance(301)
    assert fake.observe().jobs == ()
    assert fake.controller_outcomes([job_id]) == []
    [outcome] = fake.outcomes([job_id], since=0)
    assert (outcome.state, outcome.exit_code, outcome.max_rss_kb) == ("FAILED", 3, 4096)


def test_accounting_learns_late_and_says_so(fake: FakeSlurm) -> None:
    fake.controller.accounting_lag_s = 10
    job_id = SlurmJobId(submit(fake, attempt()))
    assert fake.outcomes([job_id], since=0) == []
    assert not fake.accounting_settled()
    fake.clock.advance(11)
    fake.start()
    fake.finish()
    assert [one.state for one in fake.outcomes([job_id], since=0)] == ["PENDING"]
    assert not fake.accounting_settled()
    fake.clock.advance(11)
    assert [one.state for one in fake.outcomes([job_id], since=0)] == ["COMPLETED"]
    assert fake.accounting_settled()


def test_accounting_may_know_a_job_before_it_knows_whose_it_is(fake: FakeSlurm) -> None:
    fake.controller.anonymous_s = 5
    job_id = SlurmJobId(submit(fake, attempt()))
    fake.start()
    fake.finish()
    assert fake.outcomes([job_id], since=0) == []
    assert fake.accounting_settled()
    fake.clock.advance(6)
    assert [one.uid for one in fake.outcomes([job_id], since=0)] == [fake.controller.uid(ADA)]


def test_without_slurmdbd_only_accounting_fails(fake: FakeSlurm) -> None:
    submit(fake, attempt())
    fake.slurmdbd_down = True
    with pytest.raises(ClusterUnreachable, match="database"):
        fake.outcomes([SlurmJobId("1")], since=0)
    assert states(fake) == {"1": "PENDING"}


def test_a_restart_that_forgets_gives_the_same_id_to_somebody_else(fake: FakeSlurm) -> None:
    submit(fake, attempt(1))
    fake.clock.advance(60)
    lost = submit(fake, attempt(2))
    before = fake.observe().boot_time
    fake.restart(forget_s=30)
    look = fake.observe()
    assert look.boot_time > before
    assert [job.workdir[-len(attempt()) :] for job in look.jobs] == [attempt(1)]
    assert submit(fake, attempt(3), user=ALAN) == lost
    [other] = [job for job in fake.observe().jobs if job.job_id == lost]
    assert other.uid == fake.controller.uid(ALAN)
    assert {one.uid for one in fake.outcomes([SlurmJobId(lost)], since=0)} == {other.uid, fake.controller.uid(ADA)}


def test_nobody_cancels_somebody_elses_job(fake: FakeSlurm) -> None:
    job_id = submit(fake, attempt(), user=ALAN)
    assert fake.cancel(ADA, [job_id]).exit_code == 1
    assert states(fake) == {job_id: "PENDING"}


def test_a_signal_reaches_running_jobs_and_ends_none(fake: FakeSlurm) -> None:
    job_id = submit(fake, attempt())
    fake.start()
    fake.cancel(ADA, [job_id], signal="USR1")
    assert fake.signals == [(job_id, "USR1")]
    assert states(fake) == {job_id: "RUNNING"}


def test_a_lost_node_leaves_no_exit_record(fake: FakeSlurm) -> None:
    submit(fake, attempt(1))
    submit(fake, attempt(2))
    fake.start()
    fake.finish("1", state="NODE_FAIL", record=False)
    fake.finish("2", exit_code=3)
    names = [ReadRequest(attempt=attempt(n), name="exit.json") for n in (1, 2)]
    lost, ended = fake.read_many(ADA, names)
    assert lost.identity is None
    assert json.loads(ended.data)["exit_code"] == 3
    assert states(fake) == {"1": "NODE_FAIL", "2": "FAILED"}


def test_tasks_of_an_array_get_ids_as_they_start_and_the_last_keeps_the_arrays(fake: FakeSlurm) -> None:
    job_id = submit(fake, attempt(), "--array=0-2")
    fake.start(f"{job_id}_0", f"{job_id}_2", f"{job_id}_1")
    found = {job.array_tasks: job.job_id for job in fake.observe().jobs}
    assert found == {"0": "2", "2": "3", "1": job_id}
    assert fake.tenant_runs == {f"{attempt()}.{task}": 1 for task in range(3)}
    assert fake.claim(ADA, attempt(), void=True).slurm_job_id == job_id


def test_held_jobs_start_only_when_named(fake: FakeSlurm) -> None:
    job_id = submit(fake, attempt(), "--hold")
    fake.start()
    assert states(fake) == {job_id: "PENDING"}
    fake.start(job_id)
    assert states(fake) == {job_id: "RUNNING"}


def test_to_name_a_job_that_does_not_exist_is_a_mistake_of_the_test(fake: FakeSlurm) -> None:
    with pytest.raises(LookupError):
        fake.start("99")
    with pytest.raises(LookupError):
        fake.job("99")
