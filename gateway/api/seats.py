"""Bound how many streams are open, in all and for one tenant."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import Busy
from gateway.ids import TenantId


class NoSeat(Busy):
    """Too many logs are being followed right now."""

    problem = "too-many-followers"
    title = "Too many followers"
    status = 503


class Seats:
    """For the event loop's thread."""

    def __init__(self, limit: int, *, observe: Callable[[int], None]) -> None:
        self._limit = limit
        self._observe = observe
        self._taken: Counter[TenantId] = Counter()

    def demand(self, tenant: TenantId) -> None:
        """Raise NoSeat where one more is too many. One tenant gets half of the seats, so that others find one."""
        if self._taken.total() >= self._limit or self._taken[tenant] >= max(1, self._limit // 2):
            raise NoSeat(retry_after=5, hint="Read the log without follow=true, or follow fewer logs at once.")

    @contextmanager
    def taken(self, tenant: TenantId) -> Iterator[None]:
        """Hold a seat."""
        self._taken[tenant] += 1
        self._observe(self._taken.total())
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]
            self._observe(self._taken.total())
