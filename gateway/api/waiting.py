"""Wait for news of a job without holding a thread."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from gateway.ids import JobId
from gateway.notices import Notice, Notices

LOOK_AGAIN_S: Final = 15.0
"""Notices are hints and may be lost: who waits looks for itself this often."""


class Bell:
    """Rings when something may have happened. One coroutine waits at it."""

    def __init__(self, patience: Callable[[float], float]) -> None:
        self._rung = asyncio.Event()
        self._patience = patience

    def ring(self) -> None:
        """Wake the waiter, now or when it comes; from the event loop only."""
        self._rung.set()

    async def wait(self, timeout_s: float = LOOK_AGAIN_S) -> None:
        """Return after a ring, or when it is time to look without one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience(min(timeout_s, LOOK_AGAIN_S))):
                await self._rung.wait()
        self._rung.clear()


class Waiting:
    """Everybody who waits in this process."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._bells: set[Bell] = set()
        self.closing = False
        """The process is about to end: answer with what is known."""

    @contextmanager
    def bell(self, job: JobId, *, only: Callable[[Notice], bool] = lambda _: True) -> Iterator[Bell]:
        """Hang a bell that notices about `job` ring. Look after it hangs, not before, or news may be missed."""
        loop, bell = asyncio.get_running_loop(), Bell(self._notices.patience)

        def hear(notice: Notice) -> None:  # called from the notices thread
            if only(notice):
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(bell.ring)

        self._bells.add(bell)
        if self.closing:
            bell.ring()
        try:
            with self._notices.listening(hear, job=job):
                yield bell
        finally:
            self._bells.discard(bell)

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closing = True
        for bell in self._bells:
            bell.ring()
