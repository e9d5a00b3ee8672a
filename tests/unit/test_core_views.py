"""What people are shown of a row: the words, the times and the counts."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.jobs.views import array_counts, event_view, job_view, task_view
from gateway.states import Phase, Reason, State
from gateway.wire import JobView
from tests.core_world import SPEC

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": 7, "tenant_id": "acme", "user_id": 1, "user_name": "ada", "name": "heat", "cluster": "dev", "pool": "cpu",
    "unix_user": "acme-ada", "account": "acme", "priority": 0, "state": "PENDING", "phase": "PENDING",
    "reason": "SUBMITTED", "message": None, "spec": dict(SPEC), "warnings": ["w"], "array_tasks": None,
    "created_at": NOW, "started_at": None, "ended_at": None, "exit_code": None, "exit_signal": None,
    "cancel_requested_at": None, "attempt_id": None, "number": None, "slurm_job_id": None, "slurm_state": None,
    "slurm_reason": None, "array_rest": None, "node_list": None, "nodes": None,
}  # fmt: skip


def show(**changes: Any) -> JobView:
    return job_view(SimpleNamespace(**ROW | changes), now=NOW + timedelta(seconds=90), counts=None)


def test_a_job_that_waits_in_the_gateway_has_no_attempt_and_nothing_to_explain() -> None:
    view = show()
    assert (view.id, view.attempt, view.message, view.elapsed_s, view.cancel_requested) == ("7", 0, None, None, False)
    assert view.placement.resources.cpus == 1
    assert view.warnings == ("w",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phase": "QUEUED", "reason": "ACCEPTED_BY_SLURM", "slurm_reason": "Priority"}, "Priority"),
        ({"phase": "QUEUED", "reason": "ACCEPTED_BY_SLURM"}, None),
        ({"phase": "RUNNING", "reason": "STARTED", "slurm_reason": "None"}, None),
        ({"phase": "FAILED", "reason": "SUBMIT_REJECTED", "message": "Invalid qos."}, "Invalid qos."),
        ({"phase": "FAILED", "reason": "TIMEOUT"}, Reason.TIMEOUT.sentence),
        ({"phase": "PENDING", "reason": "CLUSTER_UNREACHABLE"}, Reason.CLUSTER_UNREACHABLE.sentence),
        ({"phase": "CANCELLED", "reason": "CANCELLED_BY_USER"}, Reason.CANCELLED_BY_USER.sentence),
        ({"phase": "COMPLETED", "reason": "SUCCESS"}, None),
    ],
)
def test_the_message_says_why_and_in_whose_words(changes: dict[str, Any], message: str | None) -> None:
    assert show(**changes).message == message


def test_elapsed_time_runs_until_the_end_and_is_never_negative() -> None:
    assert show(started_at=NOW).elapsed_s == 90
    assert show(started_at=NOW, ended_at=NOW + timedelta(seconds=60)).elapsed_s == 60
    assert show(started_at=NOW + timedelta(hours=1)).elapsed_s == 0, "a cluster's clock may be ahead of ours"


def test_nodes_are_shown_once_they_are_given() -> None:
    assert show(nodes=2).nodes_allocated is None
    assert (show(nodes=2, node_list="c[1-2]").nodes_allocated, show(node_list="c1").node_list) == (2, "c1")


@pytest.mark.parametrize(
    ("phase", "rest", "by_phase", "pending", "cancelled"),
    [
        ("PENDING", None, {}, 10, 0),
        ("QUEUED", "0-9%2", {}, 10, 0),
        ("RUNNING", "6-9", {"RUNNING": 2, "COMPLETED": 3, "QUEUED": 1}, 5, 0),
        ("CANCELLED", None, {"COMPLETED": 3, "CANCELLED": 2}, 0, 7),
        ("COMPLETED", None, {"COMPLETED": 10}, 0, 0),
        ("FAILED", None, {"COMPLETED": 11}, 0, 0),
    ],
)
def test_tasks_without_a_row_have_not_started_or_never_will(
    phase: str, rest: str | None, by_phase: dict[str, int], pending: int, cancelled: int
) -> None:
    row = SimpleNamespace(array_tasks=10, phase=phase, array_rest=rest, slurm_reason=None, spec={"array": "0-9"})
    counts = array_counts(row, by_phase)
    assert (counts.total, counts.pending, counts.cancelled) == (10, pending, cancelled)


def test_a_task_has_slurms_address() -> None:
    row = {"task": 3, "phase": "FAILED", "reason": "EXIT_CODE", "slurm_job_id": "41", "node_list": "c1",
           "started_at": NOW, "ended_at": NOW, "exit_code": 3, "exit_signal": None}  # fmt: skip
    view = task_view(7, SimpleNamespace(**row))
    assert (view.address, view.state, view.reason, view.exit_code) == ("7_3", State.FAILED, Reason.EXIT_CODE, 3)
    queued = task_view(7, SimpleNamespace(**row | {"phase": "QUEUED", "reason": None}))
    assert (queued.state, queued.reason) == (State.PENDING, None)


def test_an_event_says_its_own_words_or_its_reasons() -> None:
    row = {"seq": 1, "job_id": 7, "step": "main", "attempt": 1, "at": NOW, "kind": "step.advanced", "actor": "test",
           "from_phase": "QUEUED", "to_phase": "RUNNING", "reason": "STARTED", "message": None}  # fmt: skip
    assert event_view(SimpleNamespace(**row)).message == Reason.STARTED.sentence
    assert event_view(SimpleNamespace(**row | {"message": "on c1"})).message == "on c1"
    asked = row | {"reason": None, "from_phase": "RUNNING", "to_phase": None, "kind": "job.cancel_requested"}
    shown = event_view(SimpleNamespace(**asked))
    assert (shown.message, shown.reason, shown.from_phase, shown.to_phase) == (None, None, Phase.RUNNING, None)
