"""Tell processes apart across reboots and reused numbers, and shed what a fork inherits."""

import os
from typing import Any


def close_others(*keep: int) -> None:
    """Close every descriptor from 3 up that is not in `keep`."""
    low = 3
    for descriptor in sorted(keep):
        os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def silence() -> None:
    """Point stdin, stdout and stderr at nothing: what our children inherit must not be a log or a socket."""
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def stamp() -> dict[str, Any]:
    """Describe this process so that `is_gone` can find it, and its session, again."""
    return {"host": os.uname().nodename, "boot": _boot_id(), "pid": os.getpid(), "start": _stat(os.getpid())[1]}


def is_gone(mark: dict[str, Any]) -> bool | None:
    """Say whether the stamped process and everything left in the session it led have ended; None: not to be seen here.

    The session matters because sbatch goes on when its launcher is killed.
    """
    if mark.get("host") != os.uname().nodename:
        return None
    if mark.get("boot") != _boot_id():
        return True
    pid = mark.get("pid")
    if not isinstance(pid, int):
        return None
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            session, start = _stat(int(entry))
            if session == pid and (int(entry) != pid or start == mark.get("start")):
                return False
    return True


def _stat(pid: int) -> tuple[int, int]:
    """Return (session, start time in clock ticks since boot); zeros for a process that has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command, in parentheses, may hold anything; the state comes first behind it (proc(5)).
            words = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return (0, 0) if words[0] in {b"Z", b"X"} else (int(words[3]), int(words[19]))


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        return file.read().strip()
