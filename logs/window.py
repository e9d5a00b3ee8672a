"""Keep the latest chunks of a log for all its followers, in bounded memory."""

from bisect import bisect_right

from logs.chunk import Chunk


class Window:
    """The newest chunks, oldest first, at most `size` bytes (but always the last chunk) and `count` chunks.

    Followers own no buffer: each has an offset and finds its bytes here, or reads the file itself when it
    has fallen behind. Chunks of an earlier generation stay until they are pushed out, so a log that is truncated
    a moment after a line was read still delivers that line.
    """

    def __init__(self, *, size: int, count: int = 1024) -> None:
        self._limit = size
        self._count = count
        self._held = 0
        self._chunks: list[Chunk] = []

    def append(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._held += len(chunk.data)
        while (self._held > self._limit or len(self._chunks) > self._count) and len(self._chunks) > 1:
            self._held -= len(self._chunks.pop(0).data)

    def find(self, generation: int, offset: int) -> Chunk | None:
        """The first chunk that ends after (`generation`, `offset`); it may start after it, too."""
        place = bisect_right(self._chunks, (generation, offset), key=lambda chunk: (chunk.generation, chunk.end))
        return self._chunks[place] if place < len(self._chunks) else None
