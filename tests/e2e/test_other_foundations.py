"""The same gateway on other foundations: without slurmdbd, and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from gateway.demo import service
from gateway.demo.place import Place
from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.commands import clean_env, run
from gateway.states import Reason, State
from tests.live import Live, cluster_apart, eventually, running

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def plain() -> Iterator[Live]:
    """A cluster without accounting that forgets ended jobs after two seconds."""
    with (
        cluster_apart("plain", subnet="10.81.0", base_port=27500, accounting=False, min_job_age=2) as cluster,
        running(cluster, Place(cluster=cluster.settings)) as live,
    ):
        yield live


def test_without_slurmdbd_outcomes_come_from_the_controller(plain: Live):
    good, bad = plain.submit("echo fine"), plain.submit("exit 4")
    array = plain.submit("exit $SLURM_ARRAY_TASK_ID", "--array=0-1")
    assert plain.finish(good).state is State.COMPLETED
    ended = plain.finish(bad)
    assert (ended.state, ended.reason, ended.exit_code) == (State.FAILED, Reason.EXIT_CODE, 4)
    assert plain.finish(array).state is State.FAILED
    states = {task.task: task.state for task in plain.client().tasks(array.id).items}
    assert states == {0: State.COMPLETED, 1: State.FAILED}


def test_without_slurmdbd_a_forgotten_job_is_judged_by_its_own_record(plain: Live):
    """The gateway is down while the job ends, and comes back when Slurm has forgotten it."""
    job = plain.submit("sleep 1; exit 6")
    eventually(lambda: plain.client().job(job.id).slurm_job_id, what="the binding")
    service.stop(plain.place, plain.cluster.ledger)
    eventually(lambda: list(plain.place.attempts.glob(f"*/{job.id}-*/exit.json")), what="the exit record")
    eventually(lambda: not _known(plain, job.slurm_job_id), what="Slurm's forgetting", within_s=90)
    service.start(plain.place, plain.cluster.ledger)
    ended = plain.finish(job)
    assert (ended.state, ended.reason, ended.exit_code) == (State.FAILED, Reason.EXIT_CODE, 6)


def _known(live: Live, slurm_job_id: str | None) -> bool:
    listed = run(["squeue", "-h", "-t", "all", "-o", "%A"], env=clean_env(SLURM_CONF=str(live.cluster.slurm_conf)))
    return bool(listed.split()) if slurm_job_id is None else slurm_job_id in listed.split()


@pytest.mark.postgres
def test_on_postgresql_a_job_takes_the_same_way(dev_cluster: DevCluster, postgres_url: str):
    settings = f'database_url = "{postgres_url}"\n'
    place = Place(cluster=dev_cluster.settings, name="gateway-postgres", port_offset=92, settings=settings)
    with running(dev_cluster, place) as live:
        jobs = [live.submit(f"exit {code}") for code in (0, 3, 0)]
        ended = [live.finish(job) for job in jobs]
        assert [job.exit_code for job in ended] == [0, 3, 0]
        array = live.run("true", "--array=1-3")
        assert array.array is not None
        assert array.array.completed == 3
        phases = [event.to_phase for event in live.client().events(jobs[0].id).items]
        assert phases[0] == "PENDING"
        assert phases[-1] == "COMPLETED"
