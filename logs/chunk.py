"""What a follower receives, as values that render themselves as JSON."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Self

from logs.cursor import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive bytes of one generation of a stream.

    `at` is the time (epoch seconds) by which the bytes had been written, as far as is known; for bytes older
    than the reader that is the time it first looked. `check` is the fingerprint before the chunk's end.
    """

    stream: str
    generation: int
    offset: int
    at: float
    data: bytes
    check: int

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def next(self) -> Cursor:
        """The cursor that continues after this chunk: the event's id."""
        return Cursor(generation=self.generation, offset=self.end, check=self.check)

    def since(self, offset: int) -> Self:
        """The part of the chunk from byte `offset` of the file on."""
        if offset == self.offset:
            return self
        return replace(self, offset=offset, data=self.data[offset - self.offset :])

    def labelled(self, generation: int) -> Self:
        """The same bytes under another generation's number."""
        return self if generation == self.generation else replace(self, generation=generation)

    def payload(self) -> dict[str, object]:
        """Bytes as `text` when they are valid UTF-8, else as `base64`."""
        head = {"stream": self.stream, "generation": self.generation, "offset": self.offset, "time": self.at}
        try:
            return head | {"text": self.data.decode()}
        except UnicodeDecodeError:
            return head | {"base64": base64.b64encode(self.data).decode("ascii")}


class Break(StrEnum):
    """Why a log does not go on at the byte after the last one."""

    TRUNCATED = "truncated"  # it became shorter than what had been read
    REPLACED = "replaced"  # another file took its place
    REWRITTEN = "rewritten"  # the bytes before the offset are not the ones that were there
    VANISHED = "vanished"  # it was complete and then taken away before this follower had read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The bytes [start, end) of `generation` never came and cannot come; the stream goes on at `next`."""

    stream: str
    generation: int
    start: int
    end: int
    at: float
    reason: Break
    next: Cursor

    def payload(self) -> dict[str, object]:
        return {
            "stream": self.stream,
            "generation": self.generation,
            "from": self.start,
            "to": self.end,
            "time": self.at,
            "reason": str(self.reason),
            "next": str(self.next),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Every stream is complete and was delivered up to these offsets.

    `complete` is False when the owner announced a larger final size than the file ever showed.
    """

    offsets: Mapping[str, int]
    at: float
    complete: bool

    def payload(self) -> dict[str, object]:
        return {"offsets": dict(self.offsets), "time": self.at, "complete": self.complete}


Item = Chunk | Gap | End


def as_json(item: Item) -> str:
    """Render an item's payload as one line of ASCII.

    ASCII because clients that split an event stream with str.splitlines (httpx does) would also split it at
    U+0085 and U+2028, which JSON leaves alone.
    """
    return _chunk_json(item) if isinstance(item, Chunk) else json.dumps(item.payload())


@lru_cache(maxsize=32)
def _chunk_json(chunk: Chunk) -> str:
    """Many followers receive the same chunk within a few milliseconds: render it once for all of them."""
    return json.dumps(chunk.payload())
