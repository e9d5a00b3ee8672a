"""Find where the last lines of a log begin, reading backwards."""

from logs.source import Source


def start_of_last_lines(source: Source, lines: int, *, limit: int = 8 * 1024 * 1024, block: int = 64 * 1024) -> int:
    """Give the offset at which the last `lines` lines begin; follow or read from there.

    A last line without a newline counts, and NULs at the end do not (they are held back by readers, too). At most
    `limit` bytes are read: when they hold fewer lines, the answer is where the first whole line begins, or the
    first byte when the line that was cut there is longer than a block. 0 when the file shrinks meanwhile.
    Raises what Source.read raises.
    """
    size = source.read(0, 0).size
    if lines <= 0:
        return size
    floor = max(0, size - limit)
    start, missing = size, lines
    text_follows = False
    data = b""
    while start > floor:
        length = min(block, start - floor)
        start -= length
        data = source.read(start, length).data
        if len(data) < length:
            return 0
        if not text_follows:
            data = data.rstrip(b"\0")
            text_follows = bool(data)
            missing += data.endswith(b"\n")
        newlines = data.count(b"\n")
        if newlines >= missing:
            return start + _nth_last(data, missing) + 1
        missing -= newlines
    only_one_line = missing == lines
    return floor if only_one_line or not floor else floor + data.find(b"\n") + 1


def _nth_last(data: bytes, n: int) -> int:
    """Position of the n-th newline from the end, which is there."""
    place = len(data)
    for _ in range(n):
        place = data.rindex(b"\n", 0, place)
    return place
