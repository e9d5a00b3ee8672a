"""Start and stop a daemon, and see whether it answers."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.devcluster import machines, processes
from gateway.devcluster.commands import attempt, clean_env, last_lines, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.processes import Proc
from gateway.devcluster.settings import DevSettings, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One long-running program of the cluster."""

    name: str
    argv: tuple[str, ...]
    listens: int | Path
    """The TCP port or Unix socket at which it answers."""
    probe: tuple[str, ...] = ()
    """A command that succeeds once it answers; empty: that it listens is enough."""
    machine: Machine | None = None
    """Where it runs; None is this computer itself."""
    user: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 30.0


def start(settings: DevSettings, ledger: Ledger, one: Daemon) -> Proc:
    """Start the daemon unless it runs, without waiting for it."""
    running = processes.find(ledger, one.name)
    if running is not None:
        return running
    prefix: tuple[str, ...] = ()
    if one.machine is None:
        _refuse_taken(one)
    else:
        prefix = machines.enter(settings, ledger, one.machine)
    return processes.start_detached(
        [*prefix, *one.argv],
        name=one.name,
        ledger=ledger,
        log=settings.log(one.name),
        env=clean_env(**one.env),
        user=one.user,
    )


def wait_ready(settings: DevSettings, ledger: Ledger, one: Daemon) -> None:
    """Wait until the daemon answers; raise DevClusterError with its log when it ends or takes too long."""

    def ready() -> bool:
        proc = processes.find(ledger, one.name)
        if proc is None:
            raise DevClusterError(f"{one.name} ended at once{last_lines(log)}")
        return answers(one, proc)

    log = settings.log(one.name)
    wait_until(ready, what=f"answer of {one.name}", seconds=one.patience_s, log=log)


def answers(one: Daemon, proc: Proc) -> bool:
    """Say whether the running daemon answers."""
    listening = _listens_unix if isinstance(one.listens, Path) else _listens_tcp
    if not listening(proc, str(one.listens)):
        return False
    return not one.probe or attempt(one.probe, env=clean_env(**one.env), timeout=10)[0] == 0


def stop(ledger: Ledger, one: Daemon) -> None:
    """End the daemon if it runs."""
    running = processes.find(ledger, one.name)
    if running is not None:
        processes.stop(running, patience=20)
    ledger.gone("process", one.name)


def _refuse_taken(one: Daemon) -> None:
    if isinstance(one.listens, Path):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", one.listens))
        except OSError as error:
            raise DevClusterError(
                f"{one.name}: TCP port {one.listens} is taken ({os.strerror(error.errno or 0)}): "
                "choose another range with --base-port"
            ) from error


def _listens_tcp(proc: Proc, port: str) -> bool:
    """Look at the kernel's table instead of connecting: a bare connect is an error in every Slurm daemon's log."""
    wanted = f":{int(port):04X}"
    for table in ("tcp", "tcp6"):
        for line in _lines(Path(f"/proc/{proc.pid}/net/{table}")):
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return True
    return False


def _listens_unix(proc: Proc, path: str) -> bool:
    return any(line.split()[-1] == path for line in _lines(Path(f"/proc/{proc.pid}/net/unix")))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()[1:]
    except OSError:  # the process ended meanwhile
        return []
