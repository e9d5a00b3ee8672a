"""Launch an attempt's sbatch: at most once, detached from everything, and never too late."""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gateway.runas.attempts import make_durable, read_small, write, write_once
from gateway.runas.processes import close_others, is_gone, stamp

VERSION = 1
_MODES = {"script": 0o700, "attempt.json": 0o600, "wrapper.py": 0o600}
_OUTPUT = 16384
"""Bytes kept of sbatch's stdout and of its stderr; an answer then always fits a pipe that nobody reads."""


class NotLaunched(Exception):
    """sbatch was not launched, and a later attempt to do so may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to launch. `argv[0]` is an absolute path."""

    argv: list[str]
    environment: Mapping[str, str]
    batch: bytes
    files: Mapping[str, bytes]
    until_wall: float
    """Epoch seconds after which sbatch must not start."""
    until_boot: float
    """The same moment on the boot-time clock, which no time server sets back while the machine slept."""


def launch(directory: int, order: Order, *, wait_s: float) -> dict[str, Any] | None:
    """Launch sbatch unless that was done before, and return its answer; None when there is none after `wait_s`.

    Raises NotLaunched. The work happens in a forked process that survives its parent, so that neither a broken
    connection nor the end of the helper or the gateway can take sbatch's answer away.
    """
    unknown = order.files.keys() - _MODES.keys()
    if unknown:
        raise NotLaunched(f"no such file in an attempt: {min(unknown)!r}")
    report, launcher_report = os.pipe()
    if os.fork() == 0:
        _launcher(directory, order, launcher_report)
    os.close(launcher_report)
    try:
        said = _listen(report, wait_s)
    finally:
        os.close(report)
    if said and "not_launched" in said:
        raise NotLaunched(said["not_launched"])
    return said or read_answer(directory)


def read_answer(directory: int) -> dict[str, Any] | None:
    """Read `answer.json`; None when there is none, or when its owner made something else of it."""
    found = _json(read_small(directory, "answer.json", limit=8 * _OUTPUT) or b"")
    kinds = {"stdout": str, "stderr": str, "started": float, "ended": float}
    sound = (
        found.get("version") == VERSION
        and all(isinstance(found.get(key), kind) for key, kind in kinds.items())
        and isinstance(found.get("exit"), int) != isinstance(found.get("error"), str)
    )
    return found if sound else None


def state(directory: int) -> str:
    """Return `answered`, `absent` (never launched), `alive`, `dead` (ended without an answer) or `unknown`."""
    text = read_small(directory, "launch")
    gone = is_gone(_json(text)) if text is not None else True
    if read_answer(directory) is not None:  # read last: once the launcher is gone its answer is final
        return "answered"
    return "absent" if text is None else {None: "unknown", False: "alive", True: "dead"}[gone]


def _launcher(directory: int, order: Order, report: int) -> NoReturn:
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        close_others(directory, report)
        mark = json.dumps({"version": VERSION} | stamp()).encode()
        if write_once(directory, "launch", mark) == mark:
            _carry_out(directory, order, report)
    except OSError as error:
        os.write(report, _line({"not_launched": f"{error.filename or 'attempt directory'}: {error.strerror}"}))
    finally:
        os._exit(0)


def _carry_out(directory: int, order: Order, report: int) -> None:
    """Write the files, run sbatch, keep its answer; we hold the write-once `launch`, so nobody else does."""
    try:
        for name, data in order.files.items():
            write(directory, name, data, mode=_MODES[name])
        write(directory, "batch.sh", order.batch)
        batch = os.open("batch.sh", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
    except OSError:
        os.unlink("launch", dir_fd=directory)  # nothing was started, so a repetition is safe
        raise
    answer = _line({"version": VERSION} | _run(directory, order, batch))
    write(directory, "answer.json", answer)
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        os.write(report, answer)
    # Whoever waited commits the answer to a database; the disk's 0.5 ms matter only where nobody did.
    make_durable(directory, "answer.json")


def _run(directory: int, order: Order, batch: int) -> dict[str, Any]:
    """Run sbatch to its end: it may block for two minutes on a full queue and is never killed for it."""
    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
    started = time.time()
    said: dict[str, Any] = {"stdout": "", "stderr": "", "started": started}
    if read_small(directory, "claim") is not None:
        return said | {"error": "void", "ended": started}
    if started > order.until_wall or time.clock_gettime(time.CLOCK_BOOTTIME) > order.until_boot:
        return said | {"error": "deadline", "ended": started}
    try:
        child = os.posix_spawn(
            order.argv[0],
            order.argv,
            order.environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((batch, out, err))],
            setsigmask=(),
            setsigdef=signal.valid_signals(),
        )
    except OSError as error:
        return said | {"error": "not_started", "stderr": f"{order.argv[0]}: {error.strerror}", "ended": time.time()}
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = [os.pread(each, _OUTPUT, 0).decode(errors="replace") for each in (out, err)]
    return said | {"exit": code, "stdout": texts[0], "stderr": texts[1], "ended": time.time()}


def _listen(report: int, wait_s: float) -> dict[str, Any]:
    """Read the line that the launcher says; empty when it says none in time, or hangs up."""
    text = b""
    until = time.monotonic() + wait_s
    poll = select.poll()
    poll.register(report, select.POLLIN)
    while not text.endswith(b"\n") and poll.poll(max(0, until - time.monotonic()) * 1000):
        piece = os.read(report, 65536)
        if not piece:
            return {}
        text += piece
    return _json(text)


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
