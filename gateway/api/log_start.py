"""Find where in a log a reader wants to begin."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from gateway.api.log_sources import AttemptSource, LogKey, OutputStream
from gateway.errors import Detail, InvalidRequest
from logs.relay import Relay
from logs.tail import start_of_last_lines

_TAIL: Final = re.compile(r"([0-9]{1,9})([smh]?)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_WATCHED_LOGS: Final = 256
_ALL_LINES: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The last `lines` lines, or what was written in the last `seconds`."""

    lines: int | None = None
    seconds: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `100` (lines), `10s`, `5m` or `2h`; raises InvalidRequest."""
        match = _TAIL.fullmatch(text)
        if match is None:
            message = f"must be a number of lines (100) or a time (10s, 5m, 2h), not {text[:40]!r}"
            raise InvalidRequest(f"tail: {message}", details=(Detail(where="query.tail", message=message),))
        number, unit = match.groups()
        return cls(seconds=int(number) * _SECONDS[unit]) if unit else cls(lines=int(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The place a reader asked for: a byte, or the tail, or (neither) the beginning."""

    offset: int | None = None
    tail: Tail | None = None


class TimeIndexes:
    """Remembers how long logs were at which time, for those who asked by time and may ask again.

    Only a log that is being read has such an index. So the first to ask by time gets everything there is, up to 8 MiB,
    rather than too little; from then on the log is looked at once a second, and the next answers are exact.
    """

    def __init__(self, relay: Relay, *, clock: Callable[[], float] = time.time) -> None:
        self._relay = relay
        self._clock = clock
        self._lock = threading.Lock()
        self._watched: OrderedDict[LogKey, None] = OrderedDict()

    def first_offset(self, start: Start, source: AttemptSource, stream: OutputStream, *, live: bool) -> int:
        """Return the byte that `start` means in a log as it is now; raises what reading raises."""
        if start.offset is not None:
            return min(start.offset, source.read(0, 0).size)
        if start.tail is None:
            return 0
        if start.tail.lines is not None:
            return start_of_last_lines(source, start.tail.lines)
        return self._offset_at(source, stream, start.tail.seconds or 0, live=live)

    def _offset_at(self, source: AttemptSource, stream: OutputStream, seconds: int, *, live: bool) -> int:
        known = self._relay.offset_at(source.key, self._clock() - seconds)
        if live:
            self._keep(source, stream)
        else:
            self._drop(source.key)
        return start_of_last_lines(source, _ALL_LINES) if known is None else known

    def _keep(self, source: AttemptSource, stream: OutputStream) -> None:
        with self._lock:
            self._relay.watch(source.key, source, stream=stream)
            self._watched[source.key] = None
            self._watched.move_to_end(source.key)
            while len(self._watched) > _WATCHED_LOGS:
                self._relay.unwatch(self._watched.popitem(last=False)[0])

    def _drop(self, key: LogKey) -> None:
        with self._lock:
            if key in self._watched:
                del self._watched[key]
                self._relay.unwatch(key)
