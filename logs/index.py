"""Remember how far a log reached at which time, in bounded memory."""

from array import array
from bisect import bisect_left, bisect_right


class TimeIndex:
    """Pairs (time, size): by `time` the log had `size` bytes.

    Pairs are thinned in proportion to their age: who asks for the last hour may get some 72 s (2 %) more, who asks
    for the last ten seconds 0.2 s more. So ten days fit into about a thousand pairs, 16 bytes each.
    """

    def __init__(self, *, capacity: int = 2048, share: float = 0.02, resolution: float = 0.1) -> None:
        self._capacity = capacity
        self._share = share
        self._resolution = resolution
        self._times = array("d")
        self._sizes = array("q")

    def note(self, size: int, now: float) -> None:
        """Record that the log has `size` bytes; a size that does not grow or a clock set back is ignored."""
        if self._times and (size <= self._sizes[-1] or now < self._times[-1]):
            return
        if len(self._times) > 2 and now - self._times[-2] < self._resolution:
            self._times[-1], self._sizes[-1] = now, size
            return
        self._times.append(now)
        self._sizes.append(size)
        share = self._share
        while len(self._times) > self._capacity:
            self._thin(share, now)
            share *= 2

    def offset_at(self, time: float) -> int | None:
        """Give the offset from which on everything written after `time` is found.

        It may be a little too early, never too late. None when the log already had bytes at the first note and
        `time` lies before it: nobody knows.
        """
        place = bisect_right(self._times, time)
        if place:
            return self._sizes[place - 1]
        return 0 if self._sizes and self._sizes[0] == 0 else None

    def time_of(self, end: int) -> float | None:
        """Give the earliest time at which the log is known to have had `end` bytes."""
        place = bisect_left(self._sizes, end)
        return self._times[place] if place < len(self._times) else None

    def __len__(self) -> int:
        return len(self._times)

    def _thin(self, share: float, now: float) -> None:
        """Drop a pair when the span from the one kept before it to the one after it is short for its age."""
        kept = [0]
        for place in range(1, len(self._times) - 1):
            after = self._times[place + 1]
            if after - self._times[kept[-1]] >= share * (now - after):
                kept.append(place)
        kept.append(len(self._times) - 1)
        self._times = array("d", (self._times[place] for place in kept))
        self._sizes = array("q", (self._sizes[place] for place in kept))
