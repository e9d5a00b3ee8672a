"""Let any number of followers share one reader per log."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

from logs.cursor import Cursor
from logs.feed import Feed
from logs.follower import Follower
from logs.poller import Poller
from logs.source import Source
from logs.strand import Strand
from logs.tuning import Tuning

_log = logging.getLogger(__name__)


class RelayClosed(Exception):
    """The relay was shut down; resume elsewhere from the follower's position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One stream to follow: the log `key` names, read through `source`, from `start`.

    Equal keys must mean the same file: the first one's source is used for all. `start` is a cursor as given out
    earlier, or a bare offset in the file as it is now.
    """

    key: Hashable
    source: Source
    stream: str = "stdout"
    start: Cursor | int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    """A feed and why it is kept."""

    key: Hashable
    feed: Feed
    unused_since: float
    followers: int = 0
    watched: bool = False


class Relay:
    """All feeds of a process. Every method may be called from any thread or event loop; only close() waits."""

    def __init__(
        self,
        tuning: Tuning | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tuning = tuning or Tuning()
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._poller = Poller(threads=self._tuning.threads, name="log-relay")
        self._closed = False

    def follow(self, *targets: Target) -> Follower:
        """Follow one stream, or several as one. Raises RelayClosed."""
        with self._lock:
            entries = [self._entry(target.key, target.stream, target.source) for target in targets]
            idle = [entry for entry in entries if not entry.followers]
            for entry in entries:
                entry.followers += 1
        for entry in entries:
            entry.feed.stir(self._monotonic())
        for entry in idle:  # it may be read once a second only
            self._poller.hurry(entry)
        strands = [
            Strand(entry.feed, target.start, self._clock) for entry, target in zip(entries, targets, strict=True)
        ]
        return Follower(strands, on_close=partial(self._leave, entries), clock=self._clock)

    def watch(self, key: Hashable, source: Source, *, stream: str = "stdout") -> None:
        """Keep the log's time index also while nobody follows, until it is finished or unwatched."""
        with self._lock:
            self._entry(key, stream, source).watched = True

    def unwatch(self, key: Hashable) -> None:
        """Undo watch()."""
        with self._lock:
            if (entry := self._entries.get(key)) is not None:
                entry.watched = False

    def finish(self, key: Hashable, *, final_size: int | None = None) -> None:
        """Say that the log is complete: followers get what is left, and then End.

        `final_size` is how many bytes the writer left, when that is known: a file that shows fewer is waited for.
        A log that nobody follows or watches is not remembered, so whoever follows a finished log
        calls this too, after follow().
        """
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None:
            entry.feed.finish(final_size, self._monotonic())
            self._poller.hurry(entry)

    def offset_at(self, key: Hashable, time: float) -> int | None:
        """Give the offset from which on everything written after `time` (epoch seconds) is found.

        The answer may lie a little too early, never too late; None when the log was not read that long ago.
        """
        with self._lock:
            entry = self._entries.get(key)
        return None if entry is None else entry.feed.offset_at(time)

    def close(self) -> None:
        """Stop reading; every follower gets RelayClosed."""
        with self._lock:
            self._closed = True
            entries, self._entries = list(self._entries.values()), {}
        self._poller.close()
        for entry in entries:
            entry.feed.fail(RelayClosed("the log relay was shut down; resume from the last position"))

    def _entry(self, key: Hashable, stream: str, source: Source) -> _Entry:
        if self._closed:
            raise RelayClosed("the log relay was shut down; resume from the last position")
        entry = self._entries.get(key)
        if entry is None or entry.feed.failed:
            now = self._monotonic()
            feed = Feed(stream=stream, source=source, tuning=self._tuning, now=now)
            entry = self._entries[key] = _Entry(key=key, feed=feed, unused_since=now)
            self._poller.add(entry, partial(self._look, entry))
        return entry

    def _look(self, entry: _Entry) -> float | None:
        now = self._monotonic()
        if self._drop(entry, older_than=now - self._tuning.linger):
            return None
        try:
            pause = entry.feed.poll(now=now, wall=self._clock())
        except OSError as error:
            _log.warning("log.read_failed", extra={"log_key": str(entry.key), "error": str(error)})
            return self._tuning.slow
        except Exception as error:  # noqa: BLE001  (a source's bug must reach its followers, not end the thread)
            _log.exception("log.reader_failed", extra={"log_key": str(entry.key)})
            entry.feed.fail(error)
            pause = None
        if pause is None:
            entry.watched = False
            self._drop(entry, older_than=now)
            return None
        return pause if entry.followers or not pause else self._tuning.watched

    def _leave(self, entries: list[_Entry]) -> None:
        now = self._monotonic()
        with self._lock:
            for entry in entries:
                entry.followers -= 1
                entry.unused_since = now
        for entry in entries:
            if entry.feed.ended:
                self._drop(entry, older_than=now)

    def _drop(self, entry: _Entry, *, older_than: float) -> bool:
        """Forget a feed that nobody has used since `older_than`."""
        with self._lock:
            if entry.followers or entry.watched or entry.unused_since > older_than:
                return False
            if self._entries.get(entry.key) is entry:
                del self._entries[entry.key]
            return True
