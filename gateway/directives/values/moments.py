"""Read the points in time that `--begin` and `--deadline` take."""

import re
from calendar import isleap
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.directives.diagnostics import BadValue

_EPOCH = re.compile(r"uts(\d{7,11})", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_NOW = re.compile(r"now(?:\s*([+-])\s*(\d{1,9})\s*(second|minute|hour|day|week)?s?)?", re.IGNORECASE | re.ASCII)
_PARTS = re.compile(
    r"(?P<word>today|tomorrow|midnight|noon|fika|teatime)"
    r"|(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"|(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<half>[ap]m)?"
    r"|(?P<m>\d{1,2})[./](?P<d>\d{1,2})(?:[./](?P<y>\d{2}))?"
    r"|(?P<mm>\d{2})(?P<dd>\d{2})(?P<yy>\d{2})?",
    re.IGNORECASE | re.ASCII,
)
_CLOCK_WORDS = {"midnight": 0, "noon": 12, "fika": 15, "teatime": 16}
_BETWEEN = re.compile(r"[\s\-T]*")
_MOST_SECONDS = 100 * 366 * 86400
_YEARS = range(1970, 2200)
"""What no time zone turns into a year that `datetime` does not have (before 1, after 9999)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time as it was written: absolute, or relative to when it is read."""

    text: str
    epoch: int | None = None
    offset: int | None = None
    """Seconds from now."""
    days: int | None = None
    """0 for today, 1 for tomorrow."""
    date: tuple[int | None, int, int] | None = None
    """Year if told, month, day."""
    clock: tuple[int, int, int] | None = None

    def at(self, now: datetime) -> datetime:
        """Return the moment; `now` is aware and in the cluster's time zone, which the words are read in."""
        if self.epoch is not None:
            return datetime.fromtimestamp(self.epoch, UTC).astimezone(now.tzinfo)
        if self.offset is not None:
            return now + timedelta(seconds=self.offset)
        hour, minute, second = self.clock or (0, 0, 0)
        point = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        if self.date:
            return self._dated(point, now)
        if self.days is not None:
            return point + timedelta(days=self.days)
        return point if (hour, minute) > (now.hour, now.minute) else point + timedelta(days=1)

    def _dated(self, point: datetime, now: datetime) -> datetime:
        """Put `point` on the date; without a year it is the next such day, and the 29th of February may be far."""
        year, month, day = self.date or (None, now.month, now.day)
        if year is not None:
            return point.replace(year=year, month=month, day=day)
        leap_day = (month, day) == (2, 29)
        years = (y for y in range(now.year, now.year + 10) if isleap(y) or not leap_day)
        return next(d for y in years if (d := point.replace(year=y, month=month, day=day)) > now)

    def __str__(self) -> str:
        return self.text


def parse_moment(text: str) -> Moment:
    """Read `now+1hour`, `16:00`, `tomorrow`, `2026-01-20T12:34`, `01/20/26-10:00`, `uts…` (parse_time in Slurm)."""
    if match := _EPOCH.fullmatch(text):
        return Moment(text=text, epoch=int(match[1]))
    if match := _NOW.fullmatch(text.strip()):
        seconds = int(match[2] or 0) * _UNITS[(match[3] or "").lower()]
        if seconds > _MOST_SECONDS:
            raise BadValue("more than a hundred years from now")
        return Moment(text=text, offset=-seconds if match[1] == "-" else seconds)
    moment = Moment(text=text)
    position = 0
    while (position := _skip(text, position)) < len(text):
        match = _PARTS.match(text, position)
        if not match:
            raise _bad()
        moment = _with_part(moment, {k: v for k, v in match.groupdict().items() if v is not None})
        position = match.end()
    if moment.clock is None and moment.date is None and moment.days is None:
        raise _bad()
    return moment


def _skip(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _with_part(moment: Moment, part: dict[str, str]) -> Moment:
    if word := part.get("word", "").lower():
        if word in _CLOCK_WORDS:
            return replace(moment, clock=(_CLOCK_WORDS[word], 0, 0))
        return replace(moment, days=int(word == "tomorrow"))
    if "hour" in part:
        return replace(moment, clock=_clock(part))
    year = part.get("year") or part.get("y") or part.get("yy")
    month = int(part.get("month") or part.get("m") or part["mm"])
    day = int(part.get("day") or part.get("d") or part["dd"])
    full_year = None if year is None else int(year) + (2000 if len(year) == 2 else 0)
    if full_year is not None and full_year not in _YEARS:
        raise _bad()
    try:
        datetime(full_year or 2024, month, day, tzinfo=UTC)
    except ValueError:
        raise _bad() from None
    return replace(moment, date=(full_year, month, day))


def _clock(part: dict[str, str]) -> tuple[int, int, int]:
    hour, minute, second = int(part["hour"]), int(part["minute"]), int(part.get("second", 0))
    half = part.get("half", "").lower()
    if hour > 23 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        raise _bad()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return hour, minute, second


def _bad() -> BadValue:
    return BadValue("not a point in time", "use 2026-01-20T12:34, 16:00, tomorrow or now+2hours")
