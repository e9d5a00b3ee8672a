"""Submitting, cancelling and reading jobs, on SQLite and on PostgreSQL: once per key, and never another tenant's."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.db.database import Database
from gateway.errors import Busy, Forbidden, InvalidRequest, KeyReused, NotFound
from gateway.ids import JobId
from gateway.jobs import facts, pools, read, submit
from gateway.jobs.cancel import cancel
from gateway.jobs.signal import signal
from gateway.services import Services
from gateway.slurm.runner import Runner
from gateway.states import Phase, Reason, State
from gateway.wire import JobRequest, SignalRequest
from tests.core_world import Lookup, add_job, move, principal, settle_people, start, step_of, use_cases
from tests.databases import Opener

ADA, BOB, AMY, EVE, ROOT = (principal(name) for name in ("ada", "bob", "amy", "eve", "root"))
REQUEST = JobRequest(script="#!/bin/sh\nhostname\n", script_name="hosts.sh")


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Iterator[Services]:
    settle_people(database)
    with use_cases(database, tmp_path) as services:
        yield services


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "_identities", submit._Identities())


def jobs_in(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.jobs)).scalar_one()


def story(services: Services, job: JobId) -> list[str]:
    page = read.events(services, ADA.visible, job, limit=100)
    return [event.kind + (f" {event.to_phase}" if event.to_phase else "") for event in page.items]


def submitted(services: Services, who: Principal = ADA, **fields: Any) -> JobId:
    request = REQUEST.model_copy(update=fields)
    return JobId(int(submit.submit(services, who, request).view.id))


def test_an_accepted_job_waits_in_the_gateway_with_all_that_is_needed_to_run_it(services: Services) -> None:
    view = submit.submit(services, ADA, REQUEST).view
    assert (view.name, view.tenant, view.user, view.unix_user, view.account) == (
        "hosts.sh", "acme", "ada", "acme-ada", "acme",
    )  # fmt: skip
    assert (view.state, view.phase, view.reason, view.attempt) == (State.PENDING, Phase.PENDING, Reason.SUBMITTED, 0)
    assert (view.placement.pool, view.placement.time_limit_s, view.cost_estimate) == ("cpu", 600, None)
    assert read.script(services, ADA.visible, JobId(int(view.id))) == b"#!/bin/sh\nhostname\n"
    assert story(services, JobId(int(view.id))) == ["job.submitted PENDING"]


def test_another_tenants_name_in_the_request_is_forbidden_and_ones_own_is_fine(services: Services) -> None:
    with pytest.raises(Forbidden, match="'globex'"):
        submit.submit(services, ADA, REQUEST.model_copy(update={"tenant_id": "globex"}))
    assert submitted(services, tenant_id="acme")
    assert jobs_in(services.database) == 1


def test_the_helper_is_asked_once_for_a_user_of_many_jobs(services: Services) -> None:
    for _ in range(5):
        submitted(services)
    submitted(services, BOB)
    lookup = cast("Lookup", services.runners["dev"])
    assert lookup.asked == ["acme-ada", "acme-bob"]


# --- once per key


def patiently(services: Services, key: str, request: JobRequest = REQUEST) -> submit.Submitted:
    """Submit as a good client does: again when the gateway is busy with the same request."""
    while True:
        try:
            return submit.submit(services, ADA, request, key=key)
        except Busy:
            continue


def test_one_key_is_one_job_for_32_clients_at_once(services: Services) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: patiently(services, "k"), range(32)))
    assert len({answer.view.id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 31
    assert jobs_in(services.database) == 1


def test_one_key_is_one_job_across_processes(opener: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the memory of what is in flight here, only the database is left to decide, as between processes.
    monkeypatch.setattr(submit._InFlight, "holding", lambda *_: _nothing())
    first, second = opener(), opener()
    settle_people(first)
    with use_cases(first, tmp_path) as one, use_cases(second, tmp_path) as other, ThreadPoolExecutor(16) as pool:
        for key in ("a", "b", "c"):
            answers = list(pool.map(lambda n, key=key: patiently((one, other)[n % 2], key), range(16)))
            assert len({answer.view.id for answer in answers}) == 1
            assert sum(not answer.replayed for answer in answers) == 1
    assert jobs_in(first) == 3


class _nothing:  # noqa: N801 - a context manager that reads as one
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_the_same_key_with_another_request_is_refused_and_names_the_job(services: Services) -> None:
    made = submit.submit(services, ADA, REQUEST, key="k").view
    with pytest.raises(KeyReused) as caught:
        submit.submit(services, ADA, REQUEST.model_copy(update={"nodes": 2}), key="k")
    assert caught.value.extra == {"job_id": made.id}
    assert jobs_in(services.database) == 1


def test_a_key_belongs_to_its_user(services: Services) -> None:
    made = {submit.submit(services, who, REQUEST, key="k").view.id for who in (ADA, BOB, EVE)}
    assert len(made) == 3


def test_a_request_that_only_spells_out_a_default_or_another_order_is_the_same(services: Services) -> None:
    first = JobRequest(script="#!/bin/sh\n", env={"A": "1", "B": "2"})
    second = JobRequest(script="#!/bin/sh\n", env={"B": "2", "A": "1"}, priority=0)
    made = [submit.submit(services, ADA, request, key="k") for request in (first, second)]
    assert [one.replayed for one in made] == [False, True]


def test_a_key_in_flight_is_busy_and_free_again_when_the_first_fails(services: Services) -> None:
    seen: list[type] = []

    class Slow(Lookup):
        def resolve(self, user: Any) -> Any:
            with pytest.raises(Busy) as caught:
                submit.submit(services, ADA, REQUEST, key="k")
            assert caught.value.retry_after == 1
            seen.append(type(caught.value))
            raise InvalidRequest("nobody of that name")

    lookup = services.runners["dev"]
    cast("dict[str, Runner]", services.runners)["dev"] = cast("Runner", Slow())
    with pytest.raises(InvalidRequest):
        submit.submit(services, ADA, REQUEST, key="k")
    cast("dict[str, Runner]", services.runners)["dev"] = lookup
    assert seen == [Busy]
    assert not submit.submit(services, ADA, REQUEST, key="k").replayed


@pytest.mark.parametrize("key", ["", "x" * 256, "new\nline", "ü", "nul\0"])
def test_a_key_that_no_header_should_carry_is_refused(services: Services, key: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        submit.submit(services, ADA, REQUEST, key=key)
    assert jobs_in(services.database) == 0


# --- text from strangers


@pytest.mark.parametrize("text", ["\ud800", "ok \udcff"])
def test_half_a_character_in_a_script_is_no_internal_error(services: Services, text: str) -> None:
    request = REQUEST.model_copy(update={"script": f"#!/bin/sh\n# {text}\n"})
    if "\udcff" in text:  # how Python carries a byte that is not UTF-8
        job = JobId(int(submit.submit(services, ADA, request, key="k").view.id))
        assert read.script(services, ADA.visible, job) == b"#!/bin/sh\n# ok \xff\n"
    else:
        with pytest.raises(InvalidRequest, match="script: is not valid Unicode"):
            submit.submit(services, ADA, request, key="k")


def test_any_text_that_is_accepted_comes_back_as_it_was(services: Services) -> None:
    env = {"A": "line\nbreak \x01 ünïcode 🦆 ' \" $(x)"}
    job = submitted(services, name="a|'\"$(x) 🦆", env=env, args=("\n", "", "🦆"))
    assert read.get(services, ADA.visible, job).name == "a|'\"$(x) 🦆"
    with services.database.read() as connection:
        spec = connection.execute(sa.select(tables.jobs.c.spec).where(tables.jobs.c.id == job)).scalar_one()
    assert spec["env"] == [["A", env["A"]]]
    assert spec["args"] == ["\n", "", "🦆"]


# --- dependencies


def test_a_dependency_is_on_a_job_of_the_same_tenant_or_on_nothing(services: Services) -> None:
    mine, theirs = submitted(services, BOB), submitted(services, EVE)
    assert submitted(services, options=(f"--dependency=afterok:{mine}",))
    for missing in (theirs, 999, 2**33):
        with pytest.raises(NotFound, match=f"no job {missing}"):
            submitted(services, options=(f"--dependency=afterok:{missing}",))
    assert jobs_in(services.database) == 3, "a refused job leaves nothing behind"


# --- cancel


def test_a_waiting_job_is_cancelled_at_once_and_again_is_fine(services: Services) -> None:
    job = submitted(services)
    first, second = (cancel(services, ADA, job) for _ in range(2))
    assert (first.was_final, first.view.phase, first.view.reason) == (False, Phase.CANCELLED, Reason.CANCELLED_BY_USER)
    assert (second.was_final, second.view.phase) == (True, Phase.CANCELLED)
    assert story(services, job) == ["job.submitted PENDING", "job.cancel_requested", "step.advanced CANCELLED"]


def test_a_running_job_is_cancelled_only_when_slurm_says_so(services: Services) -> None:
    job = submitted(services)
    start(services.database, job)
    for _ in range(3):
        answer = cancel(services, ADA, job)
        assert (answer.was_final, answer.view.phase, answer.view.cancel_requested) == (False, Phase.RUNNING, True)
    assert story(services, job).count("job.cancel_requested") == 1


def test_who_may_cancel(services: Services) -> None:
    job = submitted(services)
    with pytest.raises(Forbidden):
        cancel(services, BOB, job)
    with pytest.raises(NotFound):
        cancel(services, EVE, job)
    assert not read.get(services, ADA.visible, job).cancel_requested
    for who in (ADA, AMY, ROOT):
        assert not cancel(services, who, submitted(services)).was_final


def test_one_task_of_an_array_is_cancelled_alone_if_there_is_such_a_task(services: Services) -> None:
    job, plain = submitted(services, array="0-8:4,20"), submitted(services)
    start(services.database, job)
    for task in (4, 20, 4):
        assert not cancel(services, ADA, job, task=task).view.cancel_requested
    for task in (1, 21, -1, 2**40):
        with pytest.raises(NotFound, match="no task"):
            cancel(services, ADA, job, task=task)
    with pytest.raises(NotFound, match="not an array"):
        cancel(services, ADA, plain, task=0)
    with services.database.read() as connection:
        wishes = connection.execute(
            sa.select(tables.task_cancels.c.task).order_by(tables.task_cancels.c.task)
        ).scalars()
        assert list(wishes) == [4, 20]
    assert story(services, job).count("job.cancel_requested") == 2


# --- who sees what

READS: list[Callable[[Services, Principal, JobId], object]] = [
    lambda s, who, job: read.get(s, who.visible, job),
    lambda s, who, job: read.tasks(s, who.visible, job, limit=10),
    lambda s, who, job: read.events(s, who.visible, job, limit=10),
    lambda s, who, job: read.script(s, who.visible, job),
    lambda s, who, job: read.log_place(s, who.visible, job),
    lambda s, who, job: cancel(s, who, job),
    lambda s, who, job: cancel(s, who, job, task=1),
    lambda s, who, job: signal(s, who, job, SignalRequest(signal="USR1")),
]


@pytest.mark.parametrize("use_case", READS)
def test_another_tenants_job_does_not_exist(
    services: Services, use_case: Callable[[Services, Principal, JobId], object]
) -> None:
    job = submitted(services)
    with pytest.raises(NotFound) as theirs:
        use_case(services, EVE, job)
    with pytest.raises(NotFound) as nobodys:
        use_case(services, EVE, JobId(job + 1000))
    assert str(theirs.value).replace(str(job), "N") == str(nobodys.value).replace(str(job + 1000), "N")


@pytest.mark.parametrize("use_case", READS[:6])
def test_an_operator_sees_every_tenants_jobs(
    services: Services, use_case: Callable[[Services, Principal, JobId], object]
) -> None:
    for owner in (ADA, EVE):
        assert use_case(services, ROOT, submitted(services, owner)) is not None


def test_a_list_has_only_the_tenants_own_whatever_is_asked_for(services: Services) -> None:
    mine, theirs = submitted(services), submitted(services, EVE)

    def ids(who: Principal, **wanted: Any) -> list[int]:
        found = read.page(services, who.visible, read.JobFilter(**wanted), limit=10)
        return [int(view.id) for view in found.items]

    assert ids(ADA) == ids(BOB) == [mine]
    assert ids(EVE) == [theirs]
    assert ids(ROOT) == [theirs, mine]
    assert ids(ROOT, tenant="acme") == [mine]
    for wanted in ({"tenant": "globex"}, {"ids": (theirs,)}, {"user": "eve"}):
        assert ids(ADA, **wanted) == []


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**62])
def test_a_number_that_no_job_has_is_not_found(services: Services, number: int) -> None:
    for use_case in READS:
        with pytest.raises(NotFound):
            use_case(services, ADA, JobId(number))


# --- lists


def test_pages_are_newest_first_without_gap_or_repetition(services: Services) -> None:
    with services.database.begin() as transaction:
        made = [add_job(transaction) for _ in range(7)]
    seen, cursor = [], None
    for _ in range(3):
        page = read.page(services, ADA.visible, read.JobFilter(), limit=3, cursor=cursor)
        seen += [int(view.id) for view in page.items]
        cursor = page.next_cursor
    assert seen == made[::-1]
    assert cursor is None


@pytest.mark.parametrize("cursor", ["", "abc", "-1", "1 OR 1=1", "9" * 19, "\u0661"])
def test_a_made_up_cursor_is_refused(services: Services, cursor: str) -> None:
    job = submitted(services)
    with pytest.raises(InvalidRequest, match="cursor"):
        read.page(services, ADA.visible, read.JobFilter(), limit=3, cursor=cursor)
    with pytest.raises(InvalidRequest, match="cursor"):
        read.events(services, ADA.visible, job, limit=3, cursor=cursor)


def test_filters_narrow_the_list(services: Services) -> None:
    done, running, waiting = (submitted(services, name=name) for name in ("done", "running", "waiting"))
    cancel(services, ADA, done)
    start(services.database, running)

    def names(**wanted: Any) -> list[str]:
        return [v.name for v in read.page(services, ADA.visible, read.JobFilter(**wanted), limit=10).items]

    assert names(active=True) == ["waiting", "running"]
    assert names(active=False) == ["done"]
    assert names(states=(State.RUNNING, State.CANCELLED)) == ["running", "done"]
    assert names(name="waiting") == names(ids=(waiting,)) == ["waiting"]
    assert names(pool="gpu") == names(user="bob") == []
    ended = read.get(services, ADA.visible, done).ended_at
    assert ended is not None
    assert names(ended_after=ended) == names(ended_before=ended + timedelta(microseconds=1)) == ["done"]
    assert names(ended_after=ended + timedelta(microseconds=1)) == names(ended_before=ended) == []
    created = read.get(services, ADA.visible, running).submitted_at
    assert len(names(submitted_after=created)) >= 1
    assert names(submitted_before=created) == ([] if services.database.is_sqlite else ["done"])


def test_the_tasks_of_an_array_are_counted_and_listed(services: Services) -> None:
    job = submitted(services, array="0-4")
    attempt = start(services.database, job)
    row = {"attempt_id": attempt, "slurm_job_id": "40", "reason": None, "slurm_state": "RUNNING", "started_at": None,
           "ended_at": None, "exit_code": None, "exit_signal": None, "node_list": None}  # fmt: skip
    phases = [Phase.COMPLETED, Phase.FAILED, Phase.RUNNING]
    with services.database.begin() as transaction:
        for _ in range(2):
            facts.tasks(transaction, [{**row, "task": n, "phase": phase} for n, phase in enumerate(phases)])
        seen = {
            "attempt": attempt,
            "word": "RUNNING",
            "why": "Resources",
            "rest": "3-4",
            "submitted": 1,
            "started": None,
        }
        facts.seen(transaction, [seen | {"where": "c1", "n_nodes": 1, "n_cpus": 1}])
    counts = read.get(services, ADA.visible, job).array
    assert counts is not None
    assert (counts.total, counts.pending, counts.running, counts.completed, counts.failed, counts.cancelled) == (
        5, 2, 1, 1, 1, 0,
    )  # fmt: skip
    assert (counts.expression, counts.rest, counts.rest_reason) == ("0-4", "3-4", "Resources")
    page = read.tasks(services, ADA.visible, job, limit=2)
    assert [task.address for task in page.items] == [f"{job}_0", f"{job}_1"]
    rest = read.tasks(services, ADA.visible, job, limit=2, cursor=page.next_cursor)
    assert [task.task for task in rest.items] == [2]


def test_facts_of_a_task_follow_the_last_word(services: Services) -> None:
    job = submitted(services, array="0-4")
    attempt = start(services.database, job)
    row = {"attempt_id": attempt, "task": 3, "slurm_job_id": "40", "phase": Phase.RUNNING, "reason": None,
           "slurm_state": "RUNNING", "started_at": None, "ended_at": None, "exit_code": None, "exit_signal": None,
           "node_list": "c1"}  # fmt: skip
    over = row | {"phase": Phase.FAILED, "reason": Reason.EXIT_CODE, "slurm_state": "FAILED", "exit_code": 3}
    for one in (row, over, over):
        with services.database.begin() as transaction:
            facts.tasks(transaction, [one])
    [task] = read.tasks(services, ADA.visible, job, limit=9).items
    assert (task.state, task.reason, task.exit_code, task.node_list) == (State.FAILED, Reason.EXIT_CODE, 3, "c1")


def test_pools_show_the_gateways_own_load(services: Services) -> None:
    submitted(services)
    start(services.database, submitted(services, EVE))
    [pool] = pools.list_pools(services).items
    assert (pool.name, pool.available, pool.jobs_queued, pool.jobs_running) == ("cpu", True, 1, 1)


def test_a_binding_is_written_once(services: Services) -> None:
    job = submitted(services)
    with services.database.begin() as transaction:
        move(transaction, job, Phase.SUBMITTING, Reason.DISPATCHED)
        attempt = step_of(transaction, job).attempt_id
        for slurm_id in ("36", "37", "36"):
            facts.bind(transaction, attempt, slurm_id)  # type: ignore[arg-type]
    assert read.get(services, ADA.visible, job).slurm_job_id == "36"
