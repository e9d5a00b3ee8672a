"""Read single values as Slurm's commands print them; what is not a value is None, never an error.

Times come as epoch seconds, because every query runs with `SLURM_TIME_FORMAT=%s` and UTC.
"""

import re
from typing import Final

_DURATION: Final = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)")
_UNITS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_GPUS: Final = re.compile(r"(?:^|,)gpu(?::[^,:()]+(?=:))?(?::(\d+))?(?=$|[,(])")
_CORE_DUMPED: Final = 0x80


def number(text: str) -> int | None:
    """Read a whole number of any size; counters of a busy cluster do not fit into 32 bits."""
    return int(text) if text.isascii() and text.isdecimal() else None


def moment(text: str) -> int | None:
    """Read epoch seconds; `N/A`, `Unknown`, `None` and 0 are no time."""
    return number(text) or None


def duration(text: str) -> int | None:
    """Read `days-hours:minutes:seconds` and its shorter forms as seconds; None where it is `UNLIMITED` or no time.

    Slurm counts from the right only once there is a colon: `5:00` is five minutes, `1-12` a day and twelve hours.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, *rest = found.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return ((int(days) * 24 + hours) * 60 + minutes) * 60 + seconds
    if len(parts) == 1:
        return parts[0] * 60
    total = 0
    for part in parts:
        total = total * 60 + part
    return total


def size(text: str) -> int | None:
    """Read `3670016`, `4000M` or `3.91G` as a number of the unit without a letter, in powers of 1024."""
    found = _SIZE.fullmatch(text.upper())
    return None if found is None else round(float(found[1]) * 1024 ** _UNITS[found[2]])


def exit_pair(text: str) -> tuple[int, int | None]:
    """Read accounting's `code:signal`; signal 0 is none, and what cannot be read is (0, None)."""
    code, _, signal = text.partition(":")
    return number(code) or 0, number(signal) or None


def wait_status(text: str) -> tuple[int, int | None]:
    """Read the controller's raw wait status as exit code and signal.

    squeue prints the status as wait(2) gave it: `768` is exit 3, `9` is SIGKILL. Out of memory is `253`, which sacct
    prints as `0:125` (seen on 22.05.8): signal 125 with the bit for a core dump.
    """
    status = number(text) or 0
    return status >> 8 & 0xFF, status & ~_CORE_DUMPED & 0xFF or None


def gpus(gres: str) -> int:
    """Count the GPUs in a node's generic resources: `gpu:2`, `gpu:a100:4(S:0-1),gpu:t4:1`, `(null)`."""
    return sum(int(count or 1) for count in _GPUS.findall(gres))
