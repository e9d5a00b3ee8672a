"""Hand one consumer the items of one or several streams, in a coroutine or in a thread."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

from logs.chunk import End, Item
from logs.cursor import format_position
from logs.strand import Next, Strand
from logs.wakeups import resolve


class Follower:
    """One consumer's place in its streams. Used by one task or thread at a time; close it, or use `with`.

    It owns no buffer: a consumer that is slow costs no memory and holds up nobody. Streams take turns, and
    between two streams no order is promised.
    """

    def __init__(self, strands: Sequence[Strand], *, on_close: Callable[[], None], clock: Callable[[], float]) -> None:
        self._strands = list(strands)
        self._names = [strand.feed.stream for strand in strands]
        self._on_close = on_close
        self._clock = clock
        self._end_given = self._closed = False

    @property
    def position(self) -> str:
        """The place after the last item taken, as text: the event's id, and where to resume."""
        cursors = {strand.feed.stream: strand.cursor for strand in self._strands}
        return format_position({name: cursors[name] for name in self._names})

    def take(self, timeout: float | None = None) -> Item | None:
        """Wait up to `timeout` seconds for the next item; None when there was none, or after End.

        Raises SourceRefused, RelayClosed, and OSError when this follower's own read failed (try again).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._end_given:
            found = self._ready()
            if isinstance(found, Strand):
                found.replay()
            elif found is not None:
                return found
            elif not self._sleep(deadline):
                return None
        return None

    async def next(self, timeout: float | None = None) -> Item | None:  # noqa: ASYNC109  (None means "still nothing")
        """Do what `take` does without blocking the event loop. May be cancelled; no byte is lost by it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._end_given:
            found = self._ready()
            if isinstance(found, Strand):
                await asyncio.to_thread(found.replay)
            elif found is not None:
                return found
            elif not await self._pause(deadline):
                return None
        return None

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Every item up to and with End."""
        while (item := await self.next()) is not None:
            yield item

    def close(self) -> None:
        """Leave the feeds; the last one to leave lets the relay stop reading. May be called again."""
        if self._closed:
            return
        self._closed = True
        for strand in self._strands:
            strand.feed.leave(id(self))
        self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self) -> Item | Strand | None:
        """An item at hand, else a strand that has to read for itself, else None."""
        answers = []
        for turn, strand in enumerate(self._strands):
            answer = strand.take()
            if not isinstance(answer, Next):
                self._strands = self._strands[turn + 1 :] + self._strands[: turn + 1]
                return answer
            answers.append(answer)
        if Next.READ in answers:
            return self._strands[answers.index(Next.READ)]
        if all(answer is Next.ENDED for answer in answers):
            return self._end()
        return None

    def _end(self) -> End:
        self._end_given = True
        offsets = {strand.feed.stream: strand.cursor.offset for strand in self._strands}
        return End(
            offsets={name: offsets[name] for name in self._names},
            at=self._clock(),
            complete=all(strand.complete for strand in self._strands),
        )

    def _sleep(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        woken = threading.Event()
        for strand in self._strands:
            strand.feed.wait(strand.version, id(self), woken)
        woken.wait(left)
        return True

    async def _pause(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        alarm = None if left is None else loop.call_later(left, resolve, [woken])
        for strand in self._strands:
            strand.feed.wait(strand.version, id(self), woken)
        try:
            await woken
        finally:
            if alarm is not None:
                alarm.cancel()
        return True
