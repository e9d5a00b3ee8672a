"""Hold steps while acting on them, so that two controllers never act on the same one.

A lease is three columns of the step: who, until when (in the database's time), and a token that counts every change
of holder. A decision made under a lease carries the token and is dropped once the token is no longer the newest.
"""

import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog

from gateway.db import tables
from gateway.db.database import Database, Transaction
from gateway.ids import StepId
from gateway.jobs.lifecycle import Move, lock_accounts
from gateway.states import Phase, Reason

log = structlog.get_logger()

s = tables.steps.c


ACTOR: Final = "controller"
"""How events name whoever decided under a lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to act on one step, until it runs out."""

    step: StepId
    token: int
    version: int
    """The step's version when the lease was taken."""

    def move(self, to: Phase, reason: Reason, message: str | None = None, *, due_at: datetime | None = None) -> Move:
        """Decide about the step under this lease; the decision is dropped once the lease is not the newest."""
        return Move(
            step=self.step,
            version=self.version,
            lease_token=self.token,
            to=to,
            reason=reason,
            actor=ACTOR,
            message=message,
            due_at=due_at,
        )


def claim(
    transaction: Transaction, *, holder: str, cluster: str, phase: Phase, limit: int, lease_s: float
) -> list[Lease]:
    """Take up to `limit` due steps of a phase that nobody holds, in the order of priority, then age."""
    free = sa.or_(s.lease_holder.is_(None), s.lease_expires_at <= transaction.now)
    due = sa.and_(s.cluster == cluster, s.phase == phase, s.due_at <= transaction.now, free)
    found = sa.select(s.id).where(due).order_by(s.rank, s.id).limit(limit)
    steps = [StepId(step) for step in transaction.execute(found).scalars()]
    if not steps:
        return []
    # Accounts before steps, as everywhere. Another controller may have been quicker, hence `due` once more.
    lock_accounts(transaction, steps)
    taken = transaction.execute(
        tables.steps.update()
        .where(s.id.in_(steps), due)
        .values(
            lease_holder=holder,
            lease_token=s.lease_token + 1,
            lease_expires_at=transaction.now + timedelta(seconds=lease_s),
        )
        .returning(s.id, s.lease_token, s.version, s.rank)
    ).all()
    taken = sorted(taken, key=lambda row: (row.rank, row.id))
    return [Lease(step=StepId(row.id), token=row.lease_token, version=row.version) for row in taken]


def release(transaction: Transaction, leases: Collection[Lease], *, due_at: datetime) -> None:
    """Give steps back without having moved them; they are looked at again at `due_at`."""
    _only_mine(transaction, leases, {"lease_holder": None, "lease_expires_at": None, "due_at": due_at})


_MINE: Final = sa.and_(
    s.id == sa.bindparam("b_id"), s.lease_token == sa.bindparam("b_token"), s.lease_holder.isnot(None)
)


def _only_mine(transaction: Transaction, leases: Collection[Lease], values: dict[str, Any]) -> None:
    if leases:
        marked = [{"b_id": lease.step, "b_token": lease.token} for lease in leases]
        transaction.execute(tables.steps.update().where(_MINE).values(**values), marked)


def holder_name() -> str:
    """Name one life of this process, in at most 64 characters.

    Two containers may share a host name and both be process 1: without the random part they would share their leases.
    """
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


class LeaseKeeper:
    """Renew this process's leases in bulk, from a thread that does nothing else.

    A controller that is stopped (SIGSTOP, a paused machine) stops renewing, and others take over.
    """

    def __init__(self, database: Database, *, holder: str, lease_s: float, every_s: float) -> None:
        self.holder = holder
        self.lease_s = lease_s
        self._database = database
        self._every_s = every_s
        self._lock = threading.Lock()
        self._kept: dict[StepId, Lease] = {}
        self._stop = threading.Event()

    def keep(self, leases: Sequence[Lease]) -> None:
        """Renew these until they are let go."""
        with self._lock:
            self._kept.update({lease.step: lease for lease in leases})

    def let_go(self, leases: Sequence[Lease]) -> None:
        """Stop renewing these: the work is done, or given back."""
        with self._lock:
            for lease in leases:
                if self._kept.get(lease.step) == lease:
                    del self._kept[lease.step]

    @contextmanager
    def holding(self, leases: Sequence[Lease]) -> Iterator[None]:
        """Renew these while the block runs, and not a moment longer, however it ends.

        A lease that is renewed by a controller that forgot about it keeps its step from everybody for ever.
        """
        self.keep(leases)
        try:
            yield
        finally:
            self.let_go(leases)

    def renew(self) -> None:
        """Renew all kept leases in one transaction."""
        with self._lock:
            kept = list(self._kept.values())
        if kept:
            with self._database.begin() as transaction:
                lock_accounts(transaction, [lease.step for lease in kept])
                until = transaction.now + timedelta(seconds=self.lease_s)
                _only_mine(transaction, kept, {"lease_expires_at": until})

    def run(self) -> None:
        """Renew until stopped; a database that is away for a moment does not end it."""
        while not self._stop.wait(self._every_s):
            try:
                self.renew()
            except Exception:
                log.exception("leases.not_renewed")

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()
