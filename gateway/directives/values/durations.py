"""Read and write time limits as Slurm does."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_WITH_DAYS = re.compile(r"(\d+)-(?:(\d+)(?::(\d+)(?::(\d+))?)?)?", re.ASCII)
_CLOCK = re.compile(r"(\d+)(?::(\d+)(?::(\d+))?)?", re.ASCII)
_ENDLESS = frozenset({"infinite", "unlimited", "-1"})
_LONGEST = 100 * 366 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A length of time in seconds; None means without end."""

    seconds: int | None

    def __str__(self) -> str:
        if self.seconds is None:
            return "UNLIMITED"
        days, rest = divmod(self.seconds, 86400)
        return f"{days}-{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def parse_time_limit(text: str) -> Duration:
    """Read `--time`: full minutes, as Slurm keeps no seconds and rounds up; 0 means without end."""
    seconds = parse_duration(text).seconds
    return Duration(seconds=-(-seconds // 60) * 60 if seconds else None)


def parse_duration(text: str) -> Duration:
    """Read `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M`, `D-H:M:S`, `INFINITE` or `UNLIMITED` (time_str2secs in Slurm)."""
    if text.lower() in _ENDLESS:
        return Duration(seconds=None)
    if match := _WITH_DAYS.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    elif match := _CLOCK.fullmatch(text):
        first, second, third = match.groups()
        days, hours, minutes, seconds = 0, 0, int(first), int(second or 0)
        if third is not None:
            hours, minutes, seconds = int(first), int(second), int(third)
    else:
        raise BadValue(
            "not a length of time", "use minutes (90), HH:MM:SS (1:30:00), days-HH:MM:SS (2-12:00:00) or UNLIMITED"
        )
    total = days * 86400 + hours * 3600 + minutes * 60 + seconds
    if total > _LONGEST:
        raise BadValue("longer than a hundred years", "use UNLIMITED if no limit is meant")
    return Duration(seconds=total)
