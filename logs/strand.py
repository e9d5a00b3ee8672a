"""Keep one follower's place in one feed, and find what comes next there."""

import threading
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

from logs.chunk import Break, Chunk, Gap
from logs.cursor import Cursor, fingerprint
from logs.feed import Feed, View
from logs.reading import broken, cut_sequence, span
from logs.source import Slice


class Next(Enum):
    """What a strand says when it has no item at hand."""

    WAIT = auto()
    READ = auto()  # call replay(), which may block
    ENDED = auto()


class Strand:
    """A place in a feed.

    `cursor` is what the client is told. Its generation may be ahead of the feed's, because the client followed
    the log through another process that had seen more changes than this one; `_era` is the feed's generation in
    which the cursor's offset is meant. A place is trusted only after the bytes before it were verified.
    """

    def __init__(self, feed: Feed, start: Cursor | int, clock: Callable[[], float]) -> None:
        self.feed = feed
        self.cursor = start if isinstance(start, Cursor) else Cursor(offset=start)
        self.version = -1
        self.complete = True
        self._adopt = not isinstance(start, Cursor)  # a bare offset is meant in the present generation
        self._era: int | None = None  # None until placed
        self._verified = False
        self._clock = clock
        self._found: Chunk | Gap | None = None
        self._stalled = -1
        self._reading = threading.Lock()

    def take(self) -> Chunk | Gap | Next:
        """Give the next item and move behind it, without blocking. Raises what made the feed fail."""
        if not self._reading.acquire(blocking=False):
            return Next.READ  # a read that its caller gave up is still under way; replay() waits for it
        try:
            item = self._found or self._look()
            if not isinstance(item, Next):
                self._found, self.cursor = None, item.next
            return item
        finally:
            self._reading.release()

    def replay(self) -> None:
        """Read the source for this strand alone, so that the next take() has an item or waits. May block.

        Safe when the caller's task was cancelled and calls again: the item of the first read is kept.
        """
        with self._reading:
            if self._found is None:
                item = self._look()
                self._found = self._read() if item is Next.READ else None if isinstance(item, Next) else item

    def _look(self) -> Chunk | Gap | Next:
        view = self.feed.view(-1 if self._era is None else self._era, self.cursor.offset)
        self.version = view.version
        self.complete = view.complete
        if not view.looked:
            return Next.WAIT
        if self._era is None:
            gap = self._place(view.frontier.generation)
            if gap is not None:
                return gap
            return self._look()
        if self._verified:
            return self._locate(view, self._era)
        if self._era == view.frontier.generation:
            return self._read_or_wait(view)
        return self._gap(view.why, self.cursor.offset, view.frontier.generation)

    def _place(self, era: int) -> Gap | None:
        """Say which of the feed's generations the cursor means."""
        self._era = era
        if self._adopt:
            self.cursor = Cursor(generation=era, offset=self.cursor.offset)
        self._verified = self.cursor.offset == 0
        if self.cursor.generation < era and self.cursor.offset:
            return self._gap(Break.REWRITTEN, self.cursor.offset, era)
        return None

    def _locate(self, view: View, era: int) -> Chunk | Gap | Next:
        chunk, now = view.chunk, view.frontier.generation
        if chunk is not None and chunk.generation == era and chunk.offset <= self.cursor.offset:
            return chunk.since(self.cursor.offset).labelled(self.cursor.generation)
        if era < now:
            known = view.left.offset if view.left.generation == era else self.cursor.offset
            whole = chunk is not None and chunk.generation > era and chunk.offset == 0
            return self._gap(view.why, known, chunk.generation if chunk is not None and whole else now)
        if self.cursor.offset < view.frontier.offset:
            return self._read_or_wait(view)
        return Next.ENDED if view.ended else Next.WAIT

    def _read_or_wait(self, view: View) -> Next:
        """Do not read again before the feed has looked again: this strand's last read led nowhere."""
        return Next.WAIT if self._stalled == view.version else Next.READ

    def _read(self) -> Chunk | Gap | None:
        era = self._era
        assert era is not None  # noqa: S101  (only a placed strand is asked to read)
        view = self.feed.view(era, self.cursor.offset)
        if view.frontier.generation != era:
            return None  # the feed has moved on since: the next take() says how
        wanted = max(0, min(self.feed.tuning.chunk, view.frontier.offset - self.cursor.offset))
        seen = self.feed.source.read(*span(self.cursor, wanted))
        short = seen.size < view.frontier.offset or len(seen.data) < wanted
        if short or seen.identity is None or seen.identity != view.identity:
            return self._await_feed(view)
        why = broken(self.cursor, view.identity, seen)
        if why is not None:
            return self._gap(why, self.cursor.offset, era)
        if self.cursor.offset > view.frontier.offset:
            return self._await_feed(view)  # ahead of the feed, which would not notice for us if the file shrank
        if not self._verified:
            self._verified = True
            before = seen.data[: self.cursor.overlap]
            self.cursor = Cursor(
                generation=self.cursor.generation, offset=self.cursor.offset, check=fingerprint(before)
            )
        return self._replayed(seen, view)

    def _await_feed(self, view: View) -> Gap | None:
        """The file is not what the feed knows: its next look will say so, unless it has looked its last."""
        if not view.ended:
            self._stalled = view.version
            self.feed.ask()
            return None
        self._verified = True
        frontier = view.frontier
        if self.cursor.offset >= frontier.offset:
            return None  # nothing is missed: the next take() says that this is the end
        skipped = replace(frontier, generation=self.cursor.generation)
        return self._gap(Break.VANISHED, frontier.offset, frontier.generation, onto=skipped)

    def _replayed(self, seen: Slice, view: View) -> Chunk | None:
        data = seen.data[self.cursor.overlap :]
        if self.cursor.offset + len(data) < view.frontier.offset:
            data = data[: len(data) - cut_sequence(data)]
        if not data:
            return None
        end = self.cursor.offset + len(data)
        at = self.feed.time_of(end)
        return Chunk(
            stream=self.feed.stream,
            generation=self.cursor.generation,
            offset=self.cursor.offset,
            at=self._clock() if at is None else at,
            data=data,
            check=fingerprint(seen.data[: self.cursor.overlap + len(data)]),
        )

    def _gap(self, why: Break, known: int, era: int, onto: Cursor | None = None) -> Gap:
        """Move to the start of another generation, or `onto` a place in this one."""
        self._era, self._verified, self._stalled = era, True, -1
        return Gap(
            stream=self.feed.stream,
            generation=self.cursor.generation,
            start=self.cursor.offset,
            end=max(known, self.cursor.offset),
            at=self._clock(),
            reason=why,
            next=onto or Cursor(generation=max(self.cursor.generation + 1, era)),
        )
