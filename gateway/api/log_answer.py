"""Answer with the bytes that a log holds now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response, StreamingResponse

from gateway.api.log_sources import AttemptSource, OutputStream
from gateway.api.log_start import Start, TimeIndexes
from gateway.errors import ClusterUnreachable, Conflict
from gateway.jobs.read import LogPlace
from logs.source import SourceRefused

_BLOCK: Final = 512 * 1024
_MEDIA_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """The bytes [start, end) of a file that had `size` bytes when it was looked at."""

    source: AttemptSource
    start: int
    end: int
    size: int


def log_answer(
    place: LogPlace,
    sources: Mapping[OutputStream, AttemptSource],
    start: Start,
    limit: int | None,
    indexes: TimeIndexes,
) -> Response:
    """Send the streams one after the other; raises ClusterUnreachable, and Conflict for what is not a log.

    The length is announced, so that whoever reads a file that shrinks meanwhile notices an incomplete answer.
    """
    try:
        ranges = [
            _range(source, indexes.first_offset(start, source, stream, live=not place.final), limit, final=place.final)
            for stream, source in sources.items()
        ]
    except SourceRefused as refused:
        raise Conflict(str(refused)) from refused
    except OSError as error:
        raise ClusterUnreachable("The cluster does not answer; the log cannot be read now.", retry_after=2) from error
    headers = {
        "Content-Length": str(sum(each.end - each.start for each in ranges)),
        "Log-Complete": str(place.final and all(each.end == each.size for each in ranges)).lower(),
    }
    if len(ranges) <= 1:
        headers |= _position(ranges[0] if ranges else None)
    return StreamingResponse(_blocks(ranges), headers=headers, media_type=_MEDIA_TYPE)


def _range(source: AttemptSource, start: int, limit: int | None, *, final: bool) -> _Range:
    size = source.read(0, 0).size
    end = size if limit is None else min(size, start + limit)
    if end == size and not final:
        end -= _unwritten(source, start, size)
    return _Range(source=source, start=start, end=end, size=size)


def _unwritten(source: AttemptSource, start: int, size: int) -> int:
    """Count the NULs at the end: while a job runs, that is how bytes look that have not reached this NFS client."""
    last = source.read(max(start, size - _BLOCK), _BLOCK).data
    return len(last) - len(last.rstrip(b"\0"))


def _position(only: _Range | None) -> dict[str, str]:
    if only is None:
        return {"Log-Offset": "0", "Log-Next-Offset": "0", "Log-Size": "0"}
    return {"Log-Offset": str(only.start), "Log-Next-Offset": str(only.end), "Log-Size": str(only.size)}


def _blocks(ranges: list[_Range]) -> Iterator[bytes]:
    for each in ranges:
        place = each.start
        while place < each.end:
            data = each.source.read(place, min(_BLOCK, each.end - place)).data
            if not data:
                return
            yield data
            place += len(data)
