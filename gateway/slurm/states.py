"""Turn Slurm's words for a job's state into ours.

A word that is not in these tables changes nothing: newer releases have more of them.
"""

from typing import Final

from gateway.states import Phase, Reason

OUT_OF_MEMORY_SIGNAL: Final = 125
"""Slurm's own number, printed as `0:125`, for a job whose processes were killed for their memory."""

_LIVE: Final = {
    "PENDING": Phase.QUEUED,
    "REQUEUED": Phase.QUEUED,
    "REQUEUE_HOLD": Phase.QUEUED,
    "REQUEUE_FED": Phase.QUEUED,
    "SPECIAL_EXIT": Phase.QUEUED,
    "RESV_DEL_HOLD": Phase.QUEUED,
    # Its nodes are still booting.
    "CONFIGURING": Phase.QUEUED,
    "RUNNING": Phase.RUNNING,
    # Not final: processes were seen alive four seconds after the end time of a completing job.
    "COMPLETING": Phase.RUNNING,
    "STAGE_OUT": Phase.RUNNING,
    "RESIZING": Phase.RUNNING,
    "SIGNALING": Phase.RUNNING,
    # It keeps its nodes and memory and goes on later.
    "SUSPENDED": Phase.RUNNING,
    "STOPPED": Phase.RUNNING,
}

_ENDED: Final = {
    "COMPLETED": Reason.SUCCESS,
    "FAILED": Reason.EXIT_CODE,
    "CANCELLED": Reason.CANCELLED_IN_SLURM,
    # Another cluster of a federation took it.
    "REVOKED": Reason.CANCELLED_IN_SLURM,
    "TIMEOUT": Reason.TIMEOUT,
    "DEADLINE": Reason.DEADLINE,
    "OUT_OF_MEMORY": Reason.OUT_OF_MEMORY,
    "NODE_FAIL": Reason.NODE_LOST,
    "BOOT_FAIL": Reason.BOOT_FAIL,
    "PREEMPTED": Reason.PREEMPTED,
    "LAUNCH_FAILED": Reason.NODE_UNFIT,
    "RECONFIG_FAIL": Reason.NODE_UNFIT,
}


def state_word(text: str) -> str:
    """Return the state without its tail: `CANCELLED by 1000` and sacct's `CANCELLED+` are `CANCELLED`."""
    return text.partition(" ")[0].rstrip("+").upper()


def phase_of(state: str) -> Phase | None:
    """Return QUEUED, RUNNING, or FINALIZING for a job that ended; None for a word we do not know."""
    word = state_word(state)
    return Phase.FINALIZING if word in _ENDED else _LIVE.get(word)


def verdict_of(state: str, *, exit_code: int | None, signal: int | None) -> tuple[Phase, Reason]:
    """Return the final phase and the reason of a job that ended.

    The state decides, not the exit code: out of memory can come with exit code 0, and sacct prints an exit code of
    128 or more without its 128 (seen on 22.05.8). Raises ValueError for a state that is not an ended one.
    """
    word = state_word(state)
    reason = _ENDED.get(word)
    if reason is None:
        raise ValueError(f"{state!r} is not the state of a job that ended")
    if word == "FAILED" and signal == OUT_OF_MEMORY_SIGNAL:
        reason = Reason.OUT_OF_MEMORY
    if word == "COMPLETED" and (exit_code or signal):
        # A completed job with a bad code is a contradiction; success must not be guessed.
        reason = Reason.EXIT_CODE
    return reason.final, reason
