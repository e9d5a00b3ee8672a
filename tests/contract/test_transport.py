"""What every Transport does, asked of the fake cluster and of the running dev cluster."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.directives.values.hosts import fold_hosts, unfold_hosts
from gateway.errors import ClusterRefused
from gateway.ids import SlurmJobId
from gateway.slurm.answers import Refused, read_answer
from gateway.slurm.runner import ReadRequest, Target
from gateway.slurm.states import phase_of
from gateway.slurm.transport import Outcome
from gateway.states import Phase
from tests.transport_worlds import FakeWorld, World, dev_world, order, records, submitted


@pytest.fixture(scope="module", params=["fake", pytest.param("dev", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    with dev_world() as found:
        yield found


def accounted(world: World, job_id: SlurmJobId, *, count: int = 1) -> list[Outcome]:
    """What accounting says once it knows the end."""

    def look() -> list[Outcome] | None:
        found = world.transport.outcomes([job_id], since=1_700_000_000)
        return found if len(found) == count and all(one.ended for one in found) else None

    return world.eventually(look)


def remembered(world: World, job_id: SlurmJobId) -> Outcome:
    """What the controller remembers once the job has ended."""

    def look() -> Outcome | None:
        found = world.transport.controller_outcomes([job_id])
        return found[0] if found and found[0].ended else None

    return world.eventually(look)


def test_a_submitted_job_is_seen_with_its_marker(world: World) -> None:
    given = order(world, "--job-name=seen", batch="sleep 60")
    job_id = submitted(world, given)
    [job] = records(world, job_id)
    assert job.workdir.endswith(f"/{given.user}/{given.attempt}")
    assert (job.uid, job.name, job.partition, job.time_limit_s) == (world.uid, "seen", "cpu", 300)
    assert job.submitted is not None
    assert job.exit_code is None
    world.let_start(job_id)
    [job] = records(world, job_id)
    assert job.state == "RUNNING"
    assert job.started is not None
    assert job.ended is None
    assert job.node_list
    world.transport.cancel(world.user, [job_id])


def test_the_same_order_twice_is_one_job(world: World) -> None:
    given = order(world, "--hold")
    first = world.transport.submit(given, wait_s=30)
    assert world.transport.submit(given, wait_s=30) == first
    assert world.transport.answer(given.user, given.attempt) == first
    assert world.transport.sbatch_is_dead(given.user, given.attempt)
    marked = [job for job in world.transport.observe().jobs if job.workdir.endswith(given.attempt)]
    assert len(marked) == 1
    world.transport.cancel(world.user, [marked[0].job_id])


def test_an_order_for_a_uid_that_the_user_no_longer_has_is_refused(world: World) -> None:
    given = replace(order(world), uid=world.uid + 1)
    with pytest.raises(ClusterRefused, match="submit the job again"):
        world.transport.submit(given, wait_s=10)
    assert world.transport.answer(given.user, given.attempt) is None


def test_a_hostile_name_stays_a_name(world: World) -> None:
    name = "a|b\n9\x1f9\x1fN/A\x1fCOMPLETED\x1f'\"$(id) ü"
    job_id = submitted(world, order(world, f"--job-name={name}", "--hold"))
    [job] = records(world, job_id)
    assert job.name == name
    world.transport.cancel(world.user, [job_id])


@pytest.mark.parametrize("target", ["default", "batch", "full"])
def test_a_signal_ends_nothing_by_itself(world: World, target: Target) -> None:
    job_id = submitted(world, order(world, batch="sleep 60"))
    world.let_start(job_id)
    # In the first instant of a running job there is nobody on the node to signal, and scancel says so.
    assert world.eventually(
        lambda: world.transport.cancel(world.user, [job_id], signal="CONT", target=target).exit_code == 0 or None
    )
    # For an instant Slurm may call the job SIGNALING.
    assert [phase_of(job.state) for job in records(world, job_id)] == [Phase.RUNNING]
    world.transport.cancel(world.user, [job_id])


def test_accounting_and_the_controller_agree_on_the_end(world: World) -> None:
    given = order(world, batch="exit 3")
    job_id = submitted(world, given)
    world.let_end(job_id, exit_code=3)
    [outcome] = accounted(world, job_id)
    memory = remembered(world, job_id)
    for one in (outcome, memory):
        assert (one.state, one.exit_code, one.signal) == ("FAILED", 3, None)
        assert one.job_id == job_id
        assert (one.array_job_id, one.array_task) == (None, None)
        assert one.uid == world.uid
        assert one.workdir.endswith(given.attempt)
        assert one.started is not None
        assert one.node_list
        assert "cpu=1" in one.tres
        assert one.elapsed_s is not None
    assert outcome.submitted == memory.submitted


def test_the_controller_knows_high_exit_codes_exactly(world: World) -> None:
    job_id = submitted(world, order(world, batch="exit 130"))
    world.let_end(job_id, exit_code=130)
    assert remembered(world, job_id).exit_code == 130
    [outcome] = accounted(world, job_id)
    assert outcome.exit_code == 2  # sacct's own arithmetic


def test_an_array_is_seen_task_by_task(world: World) -> None:
    given = order(world, "--array=0-2", batch="exit $SLURM_ARRAY_TASK_ID", array=True)
    job_id = submitted(world, given)
    world.let_tasks_end(job_id, [0, 1, 2])
    outcomes = accounted(world, job_id, count=3)
    assert {one.array_task: one.exit_code for one in outcomes} == {0: 0, 1: 1, 2: 2}
    assert {one.array_job_id for one in outcomes} == {job_id}
    assert len({one.job_id for one in outcomes}) == 3
    assert {job.array_tasks: job.exit_code for job in records(world, job_id)} == {"0": 0, "1": 1, "2": 2}


def test_the_waiting_tasks_of_an_array_are_one_record(world: World) -> None:
    job_id = submitted(world, order(world, "--array=1,3,5%2", "--hold", array=True))
    [rest] = records(world, job_id)
    assert (rest.job_id, rest.array_job_id, rest.array_tasks) == (job_id, job_id, "1,3,5%2")
    assert rest.state == "PENDING"
    assert world.transport.cancel(world.user, [f"{job_id}_3"]).exit_code == 0
    assert [(job.array_tasks, job.state) for job in records(world, job_id)] == [("1,5%2", "PENDING")]
    world.transport.cancel(world.user, [job_id])
    assert [(job.array_tasks, job.state) for job in records(world, job_id)] == [("1,5%2", "CANCELLED")]
    [outcome] = accounted(world, job_id)
    assert (outcome.array_job_id, outcome.array_task, outcome.state) == (job_id, None, "CANCELLED")


def test_a_cancelled_job_ends_as_cancelled(world: World) -> None:
    job_id = submitted(world, order(world, batch="sleep 60"))
    world.let_start(job_id)
    assert world.transport.cancel(world.user, [job_id]).exit_code == 0
    [outcome] = accounted(world, job_id)
    assert outcome.state == "CANCELLED"
    assert world.transport.cancel(world.user, [job_id]).exit_code == 0


def test_cancelling_what_does_not_exist_says_nothing(world: World) -> None:
    assert world.transport.cancel(world.user, ["66999999"]).exit_code == 0
    assert world.transport.cancel(world.user, []).exit_code == 0


def test_what_slurm_refuses_is_a_refusal_with_a_hint(world: World) -> None:
    world.let_refuse("Invalid partition name specified")
    answer = world.transport.submit(order(world, "--partition=nowhere"), wait_s=30)
    assert answer is not None
    verdict = read_answer(answer)
    assert isinstance(verdict, Refused)
    assert "Invalid partition name specified. Choose one of the partitions" in verdict.message


def test_a_void_attempt_never_reaches_slurm(world: World) -> None:
    given = order(world)
    assert world.transport.claim(given.user, given.attempt, void=False).owner is None
    assert world.transport.claim(given.user, given.attempt, void=True).void
    answer = world.transport.submit(given, wait_s=30)
    assert answer is not None
    assert (answer.exit_code, answer.error) == (None, "void")
    assert world.transport.claim(given.user, given.attempt, void=True).void
    assert not any(job.workdir.endswith(given.attempt) for job in world.transport.observe().jobs)


def test_after_its_deadline_an_order_is_not_carried_out(world: World) -> None:
    given = replace(order(world), deadline=1_000_000_000.0)
    answer = world.transport.submit(given, wait_s=30)
    assert answer is not None
    assert (answer.exit_code, answer.error) == (None, "deadline")


def test_output_is_read_where_slurm_wrote_it(world: World) -> None:
    given = order(world, batch="printf 'out\\n'; printf 'err\\n' >&2", merged=True)
    job_id = submitted(world, given)
    world.let_end(job_id, output=b"out\nerr\n")
    accounted(world, job_id)
    requests = [ReadRequest(attempt=given.attempt, name=name, offset=1) for name in ("stdout", "stderr")]
    found, missing = world.transport.read_many(given.user, requests)
    assert (found.data, found.size) == (b"ut\nerr\n", 8)
    assert missing.identity is None


def test_unknown_jobs_have_no_outcome(world: World) -> None:
    unknown = SlurmJobId("66999999")
    assert world.transport.outcomes([unknown], since=1_700_000_000) == []
    assert world.transport.outcomes([], since=1_700_000_000) == []
    assert world.transport.controller_outcomes([unknown]) == []


def test_the_cluster_says_who_and_how_large_it_is(world: World) -> None:
    assert world.transport.ping()[0].isdigit()
    world.transport.check_visibility()
    pools = {pool.partition: pool for pool in world.transport.capacity()}
    assert pools["cpu"].default
    assert pools["cpu"].available
    assert (pools["cpu"].cpus, pools["cpu"].cpus_per_node) == (16, 4)
    assert pools["cpu"].cpus_idle + pools["cpu"].cpus_allocated <= 16
    assert sum(group.nodes for group in pools["cpu"].states) == pools["cpu"].nodes
    assert fold_hosts(name for group in pools["cpu"].states for name in unfold_hosts(group.node_list)) == "c[1-4]"


def test_accounting_settles(world: World) -> None:
    assert world.eventually(lambda: world.transport.accounting_settled() or None)


def test_two_looks_at_one_controller_share_its_boot_time(world: World) -> None:
    assert world.transport.observe().boot_time == world.transport.observe().boot_time > 0
