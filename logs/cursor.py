"""Name a byte of a log so that another process can find it again and prove that it did."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

OVERLAP: Final = 64
"""Bytes before an offset that its fingerprint covers, and that are read again to verify it."""

# Eighteen digits stay below 2**63, the largest offset a file can have; [0-9] because \d takes any script's digits.
_CURSOR: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18})(?:~([0-9a-f]{8}))?")
_TAGS: Final = {"stdout": "o", "stderr": "e"}


class CursorError(ValueError):
    """The text is not a position in a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a log: byte `offset` of its `generation`, and the fingerprint of the bytes before it.

    A generation is one content of the file: it is counted up when the file shrinks, is replaced, or turns out
    to hold other bytes than before. `check` is None when nobody has seen the bytes before the offset.
    """

    generation: int = 0
    offset: int = 0
    check: int | None = None

    def __str__(self) -> str:
        proof = "" if self.check is None else f"~{self.check:08x}"
        return f"{self.generation}:{self.offset}{proof}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `GENERATION:OFFSET` or `GENERATION:OFFSET~FINGERPRINT`; raises CursorError."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise CursorError(
                f"{text[:80]!r} is not a position in a log; expected GENERATION:OFFSET or "
                "GENERATION:OFFSET~FINGERPRINT, such as 0:1234~9f3a1c20"
            )
        generation, offset, check = match.groups()
        return cls(generation=int(generation), offset=int(offset), check=None if check is None else int(check, 16))

    @property
    def overlap(self) -> int:
        """How many bytes before the offset there are to verify: 0 to OVERLAP."""
        return min(OVERLAP, self.offset)


def fingerprint(before: bytes) -> int:
    """Digest the last OVERLAP bytes of `before`, 32 bits: it guards against accidents, not against forgers."""
    return zlib.crc32(before[-OVERLAP:])


def format_position(cursors: Mapping[str, Cursor]) -> str:
    """Write a follower's place: one cursor as it is, stdout and stderr together as `o=CURSOR,e=CURSOR`.

    Only digits, a to f and `:~=,oe` occur: the text fits into an SSE id, a header and a query unquoted.
    """
    if len(cursors) == 1:
        return str(*cursors.values())
    return ",".join(f"{_TAGS[stream]}={cursor}" for stream, cursor in cursors.items())


def parse_position(text: str, streams: Sequence[str]) -> dict[str, Cursor]:
    """Read a place back for the `streams` now wanted; raises CursorError.

    A pair serves a follower of one of its streams, and a pair that lacks a stream starts that one at its
    beginning. A bare cursor does not say which of two streams it means, and is refused for two.
    """
    if "=" not in text:
        if len(streams) != 1:
            raise CursorError(f"{text[:80]!r} names one stream; following {' and '.join(streams)} needs o=…,e=…")
        return {streams[0]: Cursor.parse(text)}
    found: dict[str, Cursor] = {}
    for part in text.split(",", maxsplit=len(_TAGS)):
        tag, _, cursor = part.partition("=")
        if tag not in _TAGS.values() or tag in found:
            raise CursorError(f"{text[:80]!r} is not a position in a log; expected o=CURSOR,e=CURSOR")
        found[tag] = Cursor.parse(cursor)
    return {stream: found.get(_TAGS[stream], Cursor()) for stream in streams}
