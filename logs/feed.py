"""Read one log once for all its followers, and notice when it is no longer the same log."""

import threading
from dataclasses import dataclass

from logs.chunk import Break, Chunk
from logs.cursor import OVERLAP, Cursor, fingerprint
from logs.index import TimeIndex
from logs.reading import broken, ready, span
from logs.source import Identity, Slice, Source, SourceRefused
from logs.tuning import Tuning
from logs.wakeups import Waiter, wake
from logs.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a feed knows at one moment, as a follower at some place sees it."""

    version: int  # counts up whenever a waiting follower should look again
    looked: bool  # the source was read at least once
    frontier: Cursor  # up to here bytes are given to followers
    identity: Identity | None
    left: Cursor  # the frontier of the generation before, when it ended
    why: Break  # why it ended
    ended: bool
    complete: bool
    chunk: Chunk | None  # the first one kept that ends after the follower's place


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The owner's word that the log is complete."""

    final_size: int | None
    deadline: float

    def kept(self, size: int) -> bool:
        return self.final_size is None or size >= self.final_size

    def holds(self, size: int, now: float) -> bool:
        """A file shorter than announced is waited for: its last bytes may be under way to this host."""
        return self.kept(size) or now >= self.deadline


class Feed:
    """The one reader of a source.

    `poll` is called by one thread at a time and may block in the source; all else only takes the lock.
    """

    def __init__(self, *, stream: str, source: Source, tuning: Tuning, now: float) -> None:
        self.stream = stream
        self.source = source
        self.tuning = tuning
        self._lock = threading.Lock()
        self._version = 0
        self._waiters: dict[int, Waiter] = {}
        self._window = Window(size=tuning.window)
        self._index = TimeIndex()
        self._looked = self._ended = self._asked = False
        self._complete = True
        self._frontier, self._left, self._why = Cursor(), Cursor(), Break.REPLACED
        self._identity: Identity | None = None
        self._finish: Finish | None = None
        self._fault: Exception | None = None
        self._stirred = now  # when bytes or a follower last came
        self._settled, self._size, self._sized = 0, 0, now

    def poll(self, *, now: float, wall: float) -> float | None:
        """Look at the source once; seconds until the next look, None when there is nothing more to see.

        `now` is monotonic and measures pauses, `wall` is epoch seconds and stamps chunks. Raises OSError
        when the source could not be read this time; nothing has changed then.
        """
        finish = self._finish  # taken before reading: what was written before the owner's word is in the slice
        try:
            if not self._looked:
                size = self.source.read(0, 0).size
                self._frontier = Cursor(offset=max(0, size - self.tuning.chunk))
            seen = self.source.read(*span(self._frontier, self.tuning.chunk))
        except SourceRefused as refused:
            self.fail(refused)
            return None
        final = finish is not None and finish.holds(seen.size, now)
        with self._lock:
            before = self._version
            progress = self._take(seen, final=final, now=now, wall=wall)
            if finish is not None and final and self._looked and self._frontier.offset >= seen.size:
                self._ended, self._complete = True, finish.kept(self._frontier.offset)
            if self._ended or self._asked:
                self._asked, self._version = False, self._version + 1
            waiters = self._drain() if self._version != before else []
        wake(waiters)
        if self._ended:
            return None
        return 0.0 if progress else self.tuning.pause(now - self._stirred)

    def view(self, generation: int, offset: int) -> View:
        """Show the feed to a follower who stands there; raises what made the feed fail."""
        with self._lock:
            if self._fault is not None:
                raise self._fault.with_traceback(None)  # else it would grow with every follower that raises it
            return View(
                version=self._version,
                looked=self._looked,
                frontier=self._frontier,
                identity=self._identity,
                left=self._left,
                why=self._why,
                ended=self._ended,
                complete=self._complete,
                chunk=self._window.find(generation, offset),
            )

    def wait(self, version: int, owner: int, waiter: Waiter) -> None:
        """Have `waiter` woken once the feed is past `version`; an owner has one waiter, the newest."""
        with self._lock:
            if self._version == version:
                self._waiters[owner] = waiter
                return
        wake([waiter])

    def leave(self, owner: int) -> None:
        """Drop the owner's waiter."""
        with self._lock:
            self._waiters.pop(owner, None)

    def ask(self) -> None:
        """Have the next poll wake everyone even if it finds nothing new."""
        with self._lock:
            self._asked = True

    def stir(self, now: float) -> None:
        """Look often again: a follower came."""
        self._stirred = now

    def finish(self, final_size: int | None, now: float) -> None:
        """The owner says that nothing more will be written. The first word counts."""
        if self._finish is None:
            self._finish = Finish(final_size=final_size, deadline=now + self.tuning.patience)

    def fail(self, fault: Exception) -> None:
        """Give up: every follower gets `fault`."""
        with self._lock:
            self._fault, self._ended = fault, True
            self._version += 1
            waiters = self._drain()
        wake(waiters)

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def failed(self) -> bool:
        return self._fault is not None

    def offset_at(self, time: float) -> int | None:
        """TimeIndex.offset_at of the present generation."""
        with self._lock:
            return self._index.offset_at(time)

    def time_of(self, end: int) -> float | None:
        """TimeIndex.time_of of the present generation."""
        with self._lock:
            return self._index.time_of(end)

    def _take(self, seen: Slice, *, final: bool, now: float, wall: float) -> bool:
        """Learn from a slice; True when another look at once is worth it."""
        first, self._looked = not self._looked, True
        self._version += first
        if seen.identity is None:
            self._index.note(self._frontier.offset, wall)
            return False
        why = broken(self._frontier, self._identity, seen)
        if why is not None and first:
            self._looked = False  # it changed between the two reads of the first look: begin again
            return True
        if why is not None:
            self._renew(why, seen, wall)
            return True
        self._identity = seen.identity
        self._settle(seen.size, now)
        fresh = seen.data[self._frontier.overlap :]
        at_end = self._frontier.offset + len(fresh) >= seen.size
        settled = len(fresh) if final else self._settled - self._frontier.offset
        length = len(fresh) if final and at_end else ready(fresh, settled=settled, at_end=at_end)
        if length:
            self._publish(fresh[:length], seen.data[: self._frontier.overlap], wall)
            self._stirred = now
        self._index.note(self._frontier.offset, wall)
        return bool(length) and not at_end

    def _publish(self, data: bytes, before: bytes, wall: float) -> None:
        chunk = Chunk(
            stream=self.stream,
            generation=self._frontier.generation,
            offset=self._frontier.offset,
            at=wall,
            data=data,
            check=fingerprint(before + data[-OVERLAP:]),
        )
        self._window.append(chunk)
        self._frontier = chunk.next
        self._version += 1

    def _renew(self, why: Break, seen: Slice, wall: float) -> None:
        """Begin a new generation at byte 0: other bytes than before must never follow the old ones."""
        self._left, self._why = self._frontier, why
        self._frontier = Cursor(generation=self._frontier.generation + 1)
        self._identity = seen.identity
        self._settled = self._size = 0
        self._index = TimeIndex()
        self._index.note(0, wall)
        self._version += 1

    def _settle(self, size: int, now: float) -> None:
        """Bytes below the size seen `settle` seconds ago count as settled."""
        if now - self._sized >= self.tuning.settle:
            self._settled, self._size, self._sized = self._size, size, now

    def _drain(self) -> list[Waiter]:
        waiters, self._waiters = list(self._waiters.values()), {}
        return waiters
