"""Describe a decision about one step, and say whether it still counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import GatewayFault
from gateway.ids import AttemptId, StepId
from gateway.states import MOVES, Phase, Reason


class IllegalMove(GatewayFault):
    """A move was decided that the table of moves does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """The intent to run one sbatch, recorded before it runs."""

    id: AttemptId
    number: int
    sbatch_deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A decision about one step."""

    step: StepId
    version: int
    """The step's version that the decision was made on."""
    to: Phase
    reason: Reason
    actor: str
    """`controller`, `collector`, or `user:<name>`."""
    lease_token: int | None = None
    """The fencing token, where the decision was made under a lease. It must still be the newest."""
    message: str | None = None
    due_at: datetime | None = None
    """Not to be acted on before; at once when left out."""
    new_attempt: NewAttempt | None = None
    keep_lease: bool = False


def is_current(move: Move, row: Any, now: datetime) -> bool:
    """Say whether nobody has moved the step, or taken it over, since the decision was made on it."""
    if row is None or row.version != move.version:
        return False
    if move.lease_token is not None:
        return bool(row.lease_token == move.lease_token and row.lease_holder is not None)
    leased = row.lease_holder is not None and row.lease_expires_at is not None and row.lease_expires_at > now
    return not leased


def check(move: Move, at: Phase) -> None:
    """Raise IllegalMove unless the table of moves allows it."""
    if move.to not in MOVES[at]:
        raise IllegalMove(f"step {move.step} may not go from {at} to {move.to} ({move.reason})")
