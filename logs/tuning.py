"""The numbers a relay works with, and how often it looks at a log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Sizes are bytes, times are seconds."""

    chunk: int = 64 * 1024
    """Most bytes of one read and one chunk; at least 4, so that a UTF-8 sequence always fits."""
    window: int = 512 * 1024
    """Bytes kept per log for followers; one that falls further behind reads the file itself."""
    fast: float = 0.025
    slow: float = 0.25
    """Shortest and longest pause between two looks at a followed log."""
    watched: float = 1.0
    """Pause for a log that nobody follows but whose time index is kept."""
    settle: float = 1.0
    """How long a NUL or a cut UTF-8 sequence is held back: released after one to two times this."""
    linger: float = 10.0
    """How long a log is still read after its last follower left, for those who reconnect."""
    patience: float = 5.0
    """How long to wait for the announced final size of a complete log to become visible."""
    threads: int = 4
    """Readers; a log on a file system that hangs occupies one of them."""

    def pause(self, quiet: float) -> float:
        """Seconds until the next look at a followed log that has been quiet for `quiet` seconds.

        Proportional: a line that comes after q seconds of silence is seen at most q/400 late, but never
        sooner than `fast` and never later than `slow`. A busy or fresh log is looked at 40 times a second, one that
        has said nothing for two minutes 4 times.
        """
        return min(self.slow, max(self.fast, quiet / 400))
