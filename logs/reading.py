"""Judge what a read says about the bytes after a cursor; pure."""

import codecs

from logs.chunk import Break
from logs.cursor import Cursor, fingerprint
from logs.source import Identity, Slice


def span(cursor: Cursor, limit: int) -> tuple[int, int]:
    """Offset and length to read for `limit` bytes after the cursor and, in the same read, those that prove it."""
    return cursor.offset - cursor.overlap, cursor.overlap + limit


def broken(cursor: Cursor, known: Identity | None, seen: Slice) -> Break | None:
    """Say why the slice read at `span(cursor, …)` does not continue the cursor, or None when it does.

    `known` is the file the cursor was taken from, None when that is not known.
    """
    if known is not None and seen.identity != known:
        return Break.REPLACED
    if seen.size < cursor.offset or len(seen.data) < cursor.overlap:
        return Break.TRUNCATED
    if cursor.check is not None and fingerprint(seen.data[: cursor.overlap]) != cursor.check:
        return Break.REWRITTEN
    return None


def ready(data: bytes, *, settled: int, at_end: bool) -> int:
    """Count the leading bytes of `data` that may be handed out now; the rest is read again later.

    Held back are NULs at the end of the file, NULs among bytes not yet settled, and a UTF-8 sequence that is cut
    by the end of `data`. The first two are how a write on another NFS client looks before its pages
    have arrived: the size is there, a hole reads as zeros. `settled` is the number of leading bytes that have been in
    the file long enough to be taken as they are; NULs at the end are never taken before something follows them.
    """
    end = len(data.rstrip(b"\0")) if at_end else len(data)
    hole = data.find(b"\0", max(0, settled), end)
    if hole >= 0:
        end = hole
    rest_is_there = not at_end and end == len(data)
    return end - cut_sequence(data[max(0, end - 3) : end]) if rest_is_there or end > settled else end


def cut_sequence(data: bytes) -> int:
    """Count the bytes (0 to 3) at the end of `data` that begin a UTF-8 sequence and do not finish it."""
    last = data[-3:]
    _, consumed = codecs.utf_8_decode(last, "ignore", False)  # noqa: FBT003  (positional-only: "final")
    return len(last) - consumed
