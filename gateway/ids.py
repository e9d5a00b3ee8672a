"""Name the identifiers, so that a step's number is never taken for a job's."""

import re
from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", int)
TokenId = NewType("TokenId", str)
JobId = NewType("JobId", int)
StepId = NewType("StepId", int)
AttemptId = NewType("AttemptId", str)
"""`<job>-<step>-<attempt number>-<8 random hex digits>`: also the attempt directory's name, our marker in Slurm."""

ClusterName = NewType("ClusterName", str)
UnixUser = NewType("UnixUser", str)
SlurmJobId = NewType("SlurmJobId", str)
"""Slurm's number as text: `36`, never `36_1` (that is a task's address) and never an int (formats have changed)."""

_ATTEMPT = re.compile(r"[0-9]+-[a-z0-9_]{1,24}-[0-9]+-[0-9a-f]{8}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def attempt_id(job: JobId, step: str, number: int, nonce: str) -> AttemptId:
    """Build an attempt's id; `nonce` is 8 hex digits of the caller's randomness.

    The nonce keeps a database restored from a back-up from handing out a directory that already exists.
    """
    text = f"{job}-{step}-{number}-{nonce}"
    if not is_attempt_id(text):
        raise ValueError(f"not an attempt id: {text!r}")
    return AttemptId(text)


def is_attempt_id(text: str) -> bool:
    """Say whether `text` could be an attempt directory of ours."""
    return _ATTEMPT.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Say whether `text` may name a tenant or a user: lower case, digits and `-`, a letter first, at most 31."""
    return _NAME.fullmatch(text) is not None
