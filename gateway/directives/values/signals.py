"""Read and write the signal a job wants before its end."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

# Slurm's own list (signals_mapping in proc_args.c), with Linux's numbers.
_NUMBERS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
    "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24,
}  # fmt: skip
_SIGNAL = re.compile(r"([RB]{0,2}):?([A-Z0-9]+)(?:@(\d{1,5}))?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Which signal, how many seconds before the end, and to whom."""

    number: int
    seconds: int = 60
    batch_shell: bool = False
    """Only to the batch script, not to its steps."""
    reservation: bool = False
    """Also when a reservation is about to begin on the job's nodes."""

    def __str__(self) -> str:
        flags = ("R" if self.reservation else "") + ("B" if self.batch_shell else "")
        return f"{flags}{':' if flags else ''}{self.number}@{self.seconds}"


def parse_signal(text: str) -> Signal:
    """Read `--signal`: `[R][B]:SIG[@seconds]`, a name with or without SIG or a number; 60 s if not told."""
    match = _SIGNAL.fullmatch(text)
    number = _number(match[2]) if match else None
    if not match or not number:
        raise BadValue("not a signal", "use NAME, NAME@seconds or B:NAME@seconds (B:USR1@120)")
    seconds = int(match[3]) if match[3] else 60
    if seconds > 65535:
        raise BadValue("more than 65535 seconds before the end")
    flags = match[1].upper()
    return Signal(number=number, seconds=seconds, batch_shell="B" in flags, reservation="R" in flags)


def signal_name(text: str) -> str:
    """Read a signal alone, as `scancel --signal` takes it: `USR1`, `SIGUSR1` or `10` are USR1; 37 has only a number."""
    number = _number(text) if text.isascii() else None
    if number is None:
        raise BadValue(f"{text[:20]!r} is not a signal", "use a name (USR1, TERM, …) or a number from 1 to 64")
    return next((name for name, known in _NUMBERS.items() if known == number), str(number))


def _number(text: str) -> int | None:
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= 64 else None
    return _NUMBERS.get(text.upper().removeprefix("SIG"))
