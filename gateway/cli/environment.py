"""Hold the whole outside world of a command in one value: streams, variables, clock, network."""

import getpass
import io
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:  # costs 60 ms to load, and `sgw --help` does without
    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a command may touch. Tests build their own; nothing else reaches outside."""

    stdin: BinaryIO
    stdout: io.TextIOWrapper
    stderr: TextIO
    variables: Mapping[str, str]
    config_dir: Path
    cwd: Path
    zone: tzinfo | None
    """The zone in which times are shown; None is the machine's own."""
    stdin_is_terminal: bool
    stdout_is_terminal: bool
    ask_secret: Callable[[str], str]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    new_key: Callable[[], str]
    transport: "httpx.BaseTransport | None" = None
    """None is the real network."""

    @property
    def coloured(self) -> bool:
        """Whether colours are wanted: on a terminal that can, unless NO_COLOR is set (https://no-color.org)."""
        plain = self.variables.get("NO_COLOR") or self.variables.get("TERM") == "dumb"
        return self.stdout_is_terminal and not plain

    def say(self, text: str) -> None:
        """Print one piece of the answer."""
        print(text, file=self.stdout)

    def warn(self, text: str) -> None:
        """Print a remark for people, never part of the answer."""
        print(f"sgw: {text}", file=self.stderr)

    def emit(self, data: bytes) -> None:
        """Write bytes of the answer, unchanged and at once."""
        self.stdout.flush()
        self.stdout.buffer.write(data)
        self.stdout.buffer.flush()

    def emit_aside(self, data: bytes) -> None:
        """Write bytes beside the answer, unchanged where stderr has bytes below it."""
        raw = getattr(self.stderr, "buffer", None)
        self.stderr.flush()
        if raw is None:
            self.stderr.write(data.decode(errors="replace"))
        else:
            raw.write(data)
            raw.flush()


def real_environment() -> Environment:
    """Describe the process we are."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        # A job's name may hold what the locale's encoding cannot say; that must not end the list in a traceback.
        out.reconfigure(errors="replace")
    else:
        out = io.TextIOWrapper(io.BytesIO())
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Environment(
        stdin=sys.stdin.buffer if sys.stdin else io.BytesIO(),
        stdout=out,
        stderr=sys.stderr,
        variables=os.environ,
        config_dir=home / "sgw",
        cwd=_cwd(),
        zone=None,
        stdin_is_terminal=bool(sys.stdin) and sys.stdin.isatty(),
        stdout_is_terminal=sys.stdout.isatty(),
        ask_secret=getpass.getpass,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        sleep=time.sleep,
        new_key=lambda: str(uuid.uuid4()),
    )


def _cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # the directory was removed under us; only commands that name files need one
        return Path("/")
