"""Say in Slurm's words what state a job or an array task is in, and why."""

from typing import Final

from gateway.states import Phase, Reason, State
from gateway.wire import JobView, TaskView

_BY_REASON: Final = {
    Reason.TIMEOUT: "TIMEOUT",
    Reason.OUT_OF_MEMORY: "OUT_OF_MEMORY",
    Reason.NODE_LOST: "NODE_FAIL",
    Reason.BOOT_FAIL: "BOOT_FAIL",
    Reason.PREEMPTED: "PREEMPTED",
    Reason.DEADLINE: "DEADLINE",
}
COMPACT: Final = {
    "PENDING": "PD",
    "RUNNING": "R",
    "COMPLETING": "CG",
    "COMPLETED": "CD",
    "CANCELLED": "CA",
    "FAILED": "F",
    "TIMEOUT": "TO",
    "OUT_OF_MEMORY": "OOM",
    "NODE_FAIL": "NF",
    "BOOT_FAIL": "BF",
    "PREEMPTED": "PR",
    "DEADLINE": "DL",
}
"""Slurm's state words and their short forms, in the order squeue sorts them."""

_WHY: Final = {
    Reason.EXIT_CODE: "NonZeroExitCode",
    Reason.TIMEOUT: "TimeLimit",
    Reason.OUT_OF_MEMORY: "OutOfMemory",
    Reason.NODE_LOST: "NodeDown",
    Reason.BOOT_FAIL: "BootFailure",
    Reason.DEADLINE: "DeadLine",
    Reason.DEPENDENCY_FAILED: "DependencyNeverSatisfied",
    Reason.CLUSTER_UNREACHABLE: "ClusterUnreachable",
    Reason.SUBMIT_REJECTED: "SubmitRejected",
    Reason.SUBMIT_UNCERTAIN: "SubmitUncertain",
    Reason.NODE_UNFIT: "NodeUnfit",
    Reason.OUTCOME_UNKNOWN: "OutcomeUnknown",
}
_WAITS: Final = {Phase.PENDING: "WaitsInGateway", Phase.STAGING: "StagingInputs", Phase.SUBMITTING: "Submitting"}


def job_word(job: JobView) -> str:
    """Name a job's state as Slurm would."""
    if job.phase is Phase.FINALIZING:
        return "COMPLETING"
    return _word(job.state, job.reason)


def task_word(task: TaskView) -> str:
    """Name an array task's state as Slurm would."""
    return _word(task.state, task.reason)


def job_why(job: JobView) -> str:
    """Say why a job waits or did not succeed: Slurm's own reason where there is one, in one word where we say it."""
    if job.reason in _WHY:
        return _WHY[job.reason]
    if job.phase is Phase.QUEUED:
        return job.message or "None"
    return _WAITS.get(job.phase, "None")


def task_why(job: JobView, task: TaskView) -> str:
    """Say why an array task waits or did not succeed."""
    if task.state is State.PENDING:
        return (job.array and job.array.rest_reason) or job.message or "None"
    return _WHY.get(task.reason, "None") if task.reason else "None"


def words_of(text: str) -> set[str]:
    """Read a list of states as `--states` takes it; raises ValueError for an unknown one.

    Long and short forms in any case, and `all`.
    """
    wanted: set[str] = set()
    for part in filter(None, (part.strip().upper() for part in text.split(","))):
        if part == "ALL":
            return set(COMPACT)
        if part in _NEVER_SHOWN or part in _NEVER_SHOWN.values():
            continue
        word = "CANCELLED" if part == "CANCELED" else next((w for w, c in COMPACT.items() if part in {w, c}), None)
        if word is None:
            raise ValueError(f"{part!r} is not a state: write one of {', '.join(COMPACT)}, or its short form, or all")
        wanted.add(word)
    return wanted


ACTIVE: Final = frozenset({"PENDING", "RUNNING", "COMPLETING"})

_NEVER_SHOWN: Final = {
    "CONFIGURING": "CF",
    "REQUEUED": "RQ",
    "REQUEUE_HOLD": "RH",
    "RESIZING": "RS",
    "RESV_DEL_HOLD": "RD",
    "REVOKED": "RV",
    "SIGNALING": "SI",
    "SPECIAL_EXIT": "SE",
    "STAGE_OUT": "SO",
    "STOPPED": "ST",
    "SUSPENDED": "S",
}
"""States of Slurm's that no job of the gateway is in: asking for them is right, and finds nothing."""


def _word(state: State, reason: Reason | None) -> str:
    if state is State.STAGING:
        return "PENDING"
    if state is State.FAILED and reason in _BY_REASON:
        return _BY_REASON[reason]
    return state.value
