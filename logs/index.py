"""Remember how far a log reached at which time, in bounded memory."""

from bisect import bisect_left, bisect_right


class TimeIndex:
    """Pairs (time, size): by `time` the log had `size` bytes.

    When it is full every second pair of the older half goes, so the past grows coarser and the present stays
    sharp. Both questions err on one side: `offset_at` never answers with a later byte than the true one.
    """

    def __init__(self, *, capacity: int = 1024, resolution: float = 0.1) -> None:
        self._capacity = capacity
        self._resolution = resolution
        self._times: list[float] = []
        self._sizes: list[int] = []

    def note(self, size: int, now: float) -> None:
        """Record that the log has `size` bytes; times and sizes that run backwards are ignored."""
        if self._times and (size <= self._sizes[-1] or now < self._times[-1]):
            return
        if len(self._times) > 2 and now - self._times[-2] < self._resolution:
            self._times[-1], self._sizes[-1] = now, size
            return
        self._times.append(now)
        self._sizes.append(size)
        if len(self._times) > self._capacity:
            old = self._capacity // 2
            del self._times[1:old:2]
            del self._sizes[1:old:2]

    def offset_at(self, time: float) -> int | None:
        """Give the offset from which on everything written after `time` is found.

        None when the log already had bytes at the first note and `time` lies before it: nobody knows.
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
