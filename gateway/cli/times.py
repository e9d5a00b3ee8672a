"""Write and read times and durations the way Slurm does."""

import re
from datetime import date, datetime, time, timedelta, tzinfo

_SLURM_STAMP = "%Y-%m-%dT%H:%M:%S"


def queue_duration(seconds: int) -> str:
    """Write a duration as squeue does: `0:05`, `1:02:03`, `1-02:03:04` (src/squeue/print.c, _print_secs)."""
    days, hours, minutes, rest = _split(seconds)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{rest:02}"
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def record_duration(seconds: int) -> str:
    """Write a duration as sacct does: `00:00:05`, `1-02:03:04` (src/common/parse_time.c, secs2time_str)."""
    days, hours, minutes, rest = _split(seconds)
    return (f"{days}-" if days else "") + f"{hours:02}:{minutes:02}:{rest:02}"


def stamp(moment: datetime, zone: tzinfo | None, style: str = "") -> str:
    """Write a moment in `zone` (None is the machine's); `style` is SLURM_TIME_FORMAT: a strftime format, or nothing."""
    local = moment.astimezone(zone)
    return local.strftime(style if style not in {"", "standard", "relative"} else _SLURM_STAMP)


def parse_moment(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Read a moment as `sacct --starttime` takes it; raises ValueError naming the accepted forms.

    `2026-11-21`, `2026-11-21T08:00[:00]`, `11/21[/26]`, `1121`, `08:00[:00]`, `today`, `midnight`, `noon`, `now`,
    `now-2hours`, an epoch number of at least nine digits. Times without a date are today's.
    """
    text = text.strip()
    local = now.astimezone(zone)
    word = text.lower()
    if word in _WORDS:
        return _at(local, _WORDS[word])
    if found := re.fullmatch(r"now(?:([+-])(\d{1,9})(second|minute|hour|day|week)?s?)?", word):
        sign, count, unit = found.groups()
        step = timedelta(seconds=int(count or 0) * _UNITS[unit or "second"])
        return local - step if sign == "-" else local + step
    if re.fullmatch(r"\d{9,11}", text):
        return datetime.fromtimestamp(int(text), zone).astimezone(zone)
    return _written(text, local)


def _written(text: str, local: datetime) -> datetime:
    day, _, clock = text.replace(" ", "T").partition("T")
    if ":" in day:
        day, clock = "", day
    try:
        read_clock = time.fromisoformat(f"0{clock}" if clock[1:2] == ":" else clock or "00:00")
        read_day = _day(day, local.year) if day or not clock else local.date()
        return datetime.combine(read_day, read_clock, local.tzinfo)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time: write 2026-11-21, 2026-11-21T08:00, 11/21, 08:00, today, noon, now or now-2hours"
        ) from None


def _day(text: str, this_year: int) -> date:
    if found := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    found = re.fullmatch(r"(\d{1,2})[/.](\d{1,2})(?:[/.](?:20)?(\d{2}))?|(\d{2})(\d{2})(\d{2})?", text)
    if found is None:
        raise ValueError(text)
    month, day, year = found.groups()[:3] if found[1] else found.groups()[3:]
    return date(2000 + int(year) if year else this_year, int(month), int(day))


def _at(local: datetime, clock: time) -> datetime:
    return datetime.combine(local.date(), clock, local.tzinfo)


def _split(seconds: int) -> tuple[int, int, int, int]:
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return days, hours, minutes, rest


_WORDS = {"today": time(0), "midnight": time(0), "noon": time(12), "fika": time(15), "teatime": time(16)}
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
