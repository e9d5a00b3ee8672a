"""Run a command, or wait for a condition, and say clearly what went wrong."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.devcluster.errors import DevClusterError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean_env(**extra: str) -> dict[str, str]:
    """Build the environment every command and daemon gets: nothing of the caller's leaks into a cluster."""
    return {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8", **extra}


def run(argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """Return the command's stdout; raise DevClusterError with its own words when it fails."""
    code, out, err = attempt(argv, stdin=stdin, env=env, timeout=timeout)
    if code:
        raise DevClusterError(f"`{' '.join(argv)}` failed ({code}): {(err or out).strip()[-2000:]}")
    return out


def attempt(
    argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None, timeout: float = 60
) -> tuple[int, str, str]:
    """Run a command that may fail; return (exit code, stdout, stderr), 127 when it is not installed, 124 too slow."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, env=env or clean_env(), timeout=timeout, check=False
        )
    except FileNotFoundError:
        return 127, "", f"{argv[0]}: not installed; `make packages` installs what is needed"
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {timeout:g} s"
    return done.returncode, done.stdout, done.stderr


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float, log: Path | None = None) -> None:
    """Poll until `condition` holds; raise DevClusterError with the log's last lines when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not condition():
        if time.monotonic() > deadline:
            raise DevClusterError(f"{what}: not within {seconds:g} s{last_lines(log)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def require_root() -> None:
    """Namespaces, Unix users and daemons for several users need root."""
    if os.geteuid() != 0:
        raise DevClusterError("the dev cluster needs root (namespaces and Unix users): run it again with sudo")


def last_lines(log: Path | None, *, count: int = 15) -> str:
    """Quote the end of a log for an error message."""
    if log is None:
        return ""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError as error:
        return f" (no log: {error})"
    return f"; the last lines of {log}:\n" + "\n".join(f"  {line}" for line in lines)
