"""Start processes that outlive their starter, and stop exactly those again.

A process is known by its pid *and* start time, so a recycled pid is never taken for ours.
"""

import os
import pwd
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.devcluster.commands import clean_env, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Entry, Ledger

# The child waits until its pid is in the ledger: if we die before, the pipe closes and it ends without a trace.
_LAUNCH = 'umask 022; read -r _ || exit 1; cd "$1" || exit 1; shift; exec "$@" </dev/null'

# Signals that we may ignore (Python: PIPE and XFSZ, nohup: HUP, a shell's `&`: INT and QUIT). A daemon would hand that
# down to every job it starts, where `yes | head` would not end.
_IGNORABLE = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]

# Positions in what _stat returns.
_STATE, _SESSION, _START_TIME = 0, 3, 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Proc:
    """One particular process."""

    pid: int
    start_time: int
    """Clock ticks after boot (field 22 of proc(5)'s stat)."""

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Return the process that was written down, dead or alive: what it started may live on without it."""
        return cls(pid=int(entry.facts["pid"]), start_time=int(entry.facts["start_time"]))


def start_detached(
    argv: Sequence[str],
    *,
    name: str,
    ledger: Ledger,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: Path = Path("/"),
) -> Proc:
    """Start `argv` in a session of its own, output appended to `log`; its environment is `env` and nothing else.

    It keeps none of our open files, so a pipe behind us ends when we do. With `user` it runs as that user with its
    groups. It is in the ledger as `name` before its program starts; a failing start is seen in the log only.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*(_as_user(user) if user else ()), *argv]
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb", buffering=0) as go:
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _LAUNCH, "sh", str(cwd), *command],
            dict(env) if env is not None else clean_env(),
            file_actions=_only_log_open(log, stdin=reader),
            setsid=True,
            setsigdef=_IGNORABLE,
            setsigmask=[],
        )
        try:
            start_time = int(_stat(pid)[_START_TIME])  # it cannot end before `go`, nor lose its entry as our child
            ledger.made("process", name, pid=pid, start_time=start_time)
        except BaseException:
            go.close()
            os.waitpid(pid, 0)
            raise
        go.write(b"\n")
    return Proc(pid=pid, start_time=start_time)


def find(ledger: Ledger, name: str) -> Proc | None:
    """Return the process started as `name` while it is alive."""
    entry = ledger.find("process", name)
    return Proc.of(entry) if entry is not None and is_alive(Proc.of(entry)) else None


def is_alive(proc: Proc) -> bool:
    """Say whether it still runs; a zombie does not."""
    return _start_time(proc.pid) == proc.start_time


def stop(proc: Proc, *, patience: float = 10.0) -> None:
    """Ask the process to end (TERM), after `patience` seconds make it (KILL); returns when it is gone."""
    _signal(proc, signal.SIGTERM)
    # A stopped process (SIGSTOP) handles TERM only once it is continued.
    _signal(proc, signal.SIGCONT)
    try:
        wait_until(lambda: not is_alive(proc), what=f"end of process {proc.pid}", seconds=patience)
    except DevClusterError:
        _signal(proc, signal.SIGKILL)
        wait_until(lambda: not is_alive(proc), what=f"end of killed process {proc.pid}", seconds=10)
    with suppress(ChildProcessError):
        os.waitpid(proc.pid, os.WNOHANG)


def kill_session(proc: Proc) -> None:
    """Kill the process and whatever it has started that stayed in its session, also when it is long dead itself."""
    if _start_time(proc.pid) in {proc.start_time, None}:  # else the pid was given away again: nobody was left
        kill_all(lambda pid: _session(pid) == proc.pid)


def kill_all(chosen: Callable[[int], bool]) -> int:
    """Kill every process that `chosen` picks by pid, until there is none (they may fork); return how many."""
    killed: set[int] = set()

    def none_left() -> bool:
        pids = [pid for pid in _pids() if pid != os.getpid() and _start_time(pid) is not None and chosen(pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(pids)
        return not pids

    wait_until(none_left, what="end of killed processes", seconds=15)
    return len(killed)


def _as_user(user: str) -> list[str]:
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "--"]


def _only_log_open(log: Path, *, stdin: int) -> list[tuple[int, ...]]:
    open_log = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    inherited = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if int(fd.name) > 2]
    return [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        open_log,  # type: ignore[list-item]  # typeshed knows no file actions; os.posix_spawn documents these tuples
        (os.POSIX_SPAWN_DUP2, 1, 2),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in inherited),
    ]


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _start_time(pid: int) -> int | None:
    """None: there is no such process, or it is a zombie."""
    fields = _stat(pid)
    return None if not fields or fields[_STATE] in "ZX" else int(fields[_START_TIME])


def _session(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[_SESSION]) if fields else None


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third (state) on; none when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return stat.rpartition(")")[2].split()


def _signal(proc: Proc, number: signal.Signals) -> None:
    if is_alive(proc):
        with suppress(ProcessLookupError):
            os.kill(proc.pid, number)
