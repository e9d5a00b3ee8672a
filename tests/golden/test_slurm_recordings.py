"""Hold the parser to what real releases of Slurm printed (recorded by tests/golden/slurm/record.py)."""

from pathlib import Path

import pytest

from gateway.directives.values.hosts import unfold_hosts
from gateway.slurm import capacity, parse
from gateway.slurm.transport import Outcome, SlurmJob

HERE = Path(__file__).parent / "slurm"
MARK = "\x1egolden\x1e"
RELEASES = sorted(path.name for path in HERE.iterdir() if (path / "squeue.txt").exists())

pytestmark = pytest.mark.parametrize("release", RELEASES)


def recorded(release: str, name: str) -> str:
    return (HERE / release / f"{name}.txt").read_bytes().decode(errors="replace")


def jobs_by_name(release: str) -> dict[str, list[SlurmJob]]:
    jobs, unread = parse.queue(recorded(release, "squeue"), MARK)
    assert unread == 0
    by_name: dict[str, list[SlurmJob]] = {}
    for job in jobs:
        by_name.setdefault(job.name, []).append(job)
    return by_name


def outcomes_by_id(release: str) -> dict[str, Outcome]:
    outcomes, unread = parse.accounting(recorded(release, "sacct"), MARK)
    assert unread == 0
    return {one.job_id: one for one in outcomes}


def test_every_job_of_the_catalogue_is_read_from_the_queue(release: str) -> None:
    jobs = jobs_by_name(release)
    assert {name: {job.state for job in found} for name, found in jobs.items()} == {
        "a|b c": {"RUNNING"},
        "fails": {"FAILED"},
        "completes": {"COMPLETED"},
        "high code": {"FAILED"},
        "kills itself": {"FAILED"},
        "tidy end": {"FAILED"},
        "evil\n999999\x1f999999\x1fN/A\x1fCOMPLETED\x1f": {"RUNNING"},
        "bad\ufffd\ufffdutf": {"RUNNING"},
        "held": {"PENDING"},
        "memory": {"OUT_OF_MEMORY"},
        "two nodes": {"FAILED"},
        "some tasks fail": {"COMPLETED", "FAILED"},
        "long array": {"PENDING", "RUNNING"},
        "gpu": {"RUNNING"},
        "no limit": {"PENDING"},
        "later": {"PENDING"},
        "cancelled": {"CANCELLED"},
        "times out": {"COMPLETING"},
    }


def test_a_name_or_directory_with_newlines_fakes_no_record(release: str) -> None:
    jobs = jobs_by_name(release)
    assert not any(job.job_id == "999999" for found in jobs.values() for job in found)
    assert jobs["held"][0].workdir == "\n/odd\x1f"


def test_exit_codes_of_the_queue_are_exact_and_only_of_ended_jobs(release: str) -> None:
    jobs = jobs_by_name(release)
    codes = {name: (found[0].exit_code, found[0].signal) for name, found in jobs.items() if len(found) == 1}
    assert codes["fails"] == (3, None)
    assert codes["high code"] == (130, None)
    assert codes["kills itself"] == (0, 9)
    assert codes["tidy end"] == (0, 15)
    assert codes["memory"] == (0, 125)
    assert codes["times out"] == codes["a|b c"] == codes["held"] == (None, None)


def test_arrays_show_their_tasks_and_their_pending_rest(release: str) -> None:
    jobs = jobs_by_name(release)
    rest, *running = sorted(jobs["long array"], key=lambda job: job.state)
    assert rest.array_tasks == "7-1198:3%2"
    assert rest.job_id == rest.array_job_id
    assert [job.array_tasks for job in running] == ["1", "4"]
    assert {job.array_job_id for job in running} == {rest.job_id}
    tasks = {job.array_tasks: job.exit_code for job in jobs["some tasks fail"]}
    assert tasks == {"0": 0, "1": 1, "2": 2}


def test_times_are_facts_and_never_predictions(release: str) -> None:
    jobs = jobs_by_name(release)
    assert jobs["later"][0].started is None
    running = jobs["gpu"][0]
    assert running.started is not None
    assert running.ended is None
    assert running.time_limit_s == 3600
    assert jobs["no limit"][0].time_limit_s is None
    assert "gres/gpu=1" in running.tres


def test_accounting_tells_how_jobs_ended(release: str) -> None:
    jobs = jobs_by_name(release)
    outcomes = outcomes_by_id(release)

    def outcome(name: str) -> Outcome:
        return outcomes[jobs[name][0].job_id]

    assert (outcome("fails").state, outcome("fails").exit_code) == ("FAILED", 3)
    assert (outcome("kills itself").exit_code, outcome("kills itself").signal) == (0, 9)
    assert outcome("times out").state == "TIMEOUT"
    assert outcome("cancelled").state == "CANCELLED"
    assert outcome("cancelled").started == outcome("cancelled").ended
    assert outcome("memory").state == "OUT_OF_MEMORY"
    assert outcome("two nodes").nodes == 2
    assert outcome("two nodes").cpus == 2
    assert outcome("a|b c").ended is None
    assert outcome("a|b c").uid == jobs["a|b c"][0].uid


def test_the_memory_used_comes_from_the_largest_step(release: str) -> None:
    outcome = outcomes_by_id(release)[jobs_by_name(release)["two nodes"][0].job_id]
    assert outcome.max_rss_kb is not None
    assert 1_000 < outcome.max_rss_kb < 100_000


def test_accounting_names_the_tasks_of_an_array(release: str) -> None:
    outcomes = outcomes_by_id(release).values()
    array = jobs_by_name(release)["some tasks fail"][0].array_job_id
    assert {one.array_task: one.exit_code for one in outcomes if one.array_job_id == array} == {0: 0, 1: 1, 2: 2}


def test_partitions_are_counted(release: str) -> None:
    pools = {pool.partition: pool for pool in capacity.pools(recorded(release, "sinfo"))}
    assert set(pools) == {"cpu", "gpu", "burst"}
    cpu, gpu, burst = pools["cpu"], pools["gpu"], pools["burst"]
    assert cpu.default
    assert (cpu.nodes, cpu.cpus, cpu.gpus, cpu.cpus_per_node) == (4, 16, 4, 4)
    assert 0 < cpu.cpus_idle + cpu.cpus_allocated <= 16
    assert {name for state in cpu.states for name in unfold_hosts(state.node_list)} == {"c1", "c2", "c3", "c4"}
    assert [(state.state, state.node_list) for state in burst.states] == [("idle~", "b[1-2]")]
    assert (cpu.rank, gpu.rank, burst.rank) == (0, 1, 2)
    assert (gpu.nodes, gpu.gpus, gpu.gpus_per_node) == (2, 4, 2)
    assert (burst.nodes_powered_down, burst.nodes_idle, burst.nodes_down) == (2, 0, 0)
    assert (cpu.default_time_s, cpu.max_time_s) == (3600, 86400)


def test_the_controller_says_who_it_is(release: str) -> None:
    said = parse.controller(recorded(release, "config"))
    assert said is not None
    assert said.version == release
    assert said.boot_time > 1_700_000_000
    assert "jobs" in said.private
    assert said.slurm_user == "root"
    assert said.accounting


def test_the_queue_to_accounting_is_read(release: str) -> None:
    assert parse.accounting_backlog(recorded(release, "sdiag")) == 0
