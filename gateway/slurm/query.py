"""Run one of Slurm's query commands as ourselves, bounded in time and in what it may print."""

import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

from gateway.errors import ClusterUnreachable
from gateway.slurm.commands import ENVIRONMENT
from gateway.slurm.runner import CommandResult

OUTPUT_MAX: Final = 256 * 1024 * 1024
"""About 400 bytes a job: more than this is not a queue."""
_CHUNK: Final = 1 << 20


class Query(Protocol):
    """Something that runs a command and says what it said; raises ClusterUnreachable when it did not end well."""

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        """Run `argv`, a list that `gateway.slurm.commands` built."""


class LocalQuery:
    """Runs commands on this machine, with the environment of `commands.ENVIRONMENT` and nothing of our own."""

    def __init__(self, *, slurm_conf: Path, timeout_s: float, output_max: int = OUTPUT_MAX) -> None:
        self._environ = ENVIRONMENT | {"SLURM_CONF": str(slurm_conf)}
        self._timeout_s = timeout_s
        self._output_max = output_max

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        """Run `argv`; a command that takes too long or prints too much is killed."""
        try:
            process = _start(argv, self._environ)
        except OSError as error:
            raise ClusterUnreachable(f"{argv[0]} cannot be run here: {error.strerror}") from None
        with process:
            try:
                stdout, stderr = self._read(process)
            except ClusterUnreachable:
                process.kill()
                raise
        return CommandResult(exit_code=process.returncode, stdout=_text(stdout), stderr=_text(stderr))

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[bytearray, bytearray]:
        name = process.args[0] if isinstance(process.args, list) else "the command"
        deadline = time.monotonic() + self._timeout_s
        stdout, stderr = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for pipe, said in ((process.stdout, stdout), (process.stderr, stderr)):
                selector.register(_fd(pipe), selectors.EVENT_READ, said)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise ClusterUnreachable(f"{name} gave no complete answer within {self._timeout_s:g} s")
                for key, _ in ready:
                    piece = key.fileobj.read1(_CHUNK)  # type: ignore[union-attr]  # what we registered is a pipe
                    key.data.extend(piece)
                    if not piece:
                        selector.unregister(key.fileobj)
                if len(stdout) + len(stderr) > self._output_max:
                    raise ClusterUnreachable(f"{name} printed more than {self._output_max} bytes")
        return stdout, stderr


def _start(argv: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        cwd="/",
        start_new_session=True,
    )


def _fd(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  # Popen was told to make it
    return pipe


def _text(said: bytearray) -> str:
    """Names may hold any bytes; a job must not become unreadable for its name."""
    return said.decode(errors="replace")
