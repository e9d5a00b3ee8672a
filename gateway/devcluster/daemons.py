"""Know every daemon of the cluster: how it is started and how one sees that it answers."""

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
from gateway.devcluster.settings import LOGIN, DevSettings, Machine


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


def all_daemons(settings: DevSettings) -> list[Daemon]:
    """List the daemons in the order in which they are started; cloud machines' are Slurm's own business."""
    accounting = [_mariadbd(settings), _slurmdbd(settings)] if settings.accounting else []
    nodes = [slurmd(settings, machine) for machine in settings.machines if machine.kind == "compute"]
    # Seen with 22.05: slurmrestd ends at once when Slurm is "not configured with slurmdbd".
    rest = [_slurmrestd(settings)] if settings.accounting else []
    return [_munged(settings), *accounting, _slurmctld(settings), *nodes, *rest, _sshd(settings)]


def daemon(settings: DevSettings, name: str) -> Daemon:
    """Look a daemon up; raises DevClusterError naming those there are."""
    daemons = {one.name: one for one in all_daemons(settings)}
    if name not in daemons:
        raise DevClusterError(f"there is no daemon {name!r}; there are {', '.join(daemons)}")
    return daemons[name]


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


def slurmd(settings: DevSettings, machine: Machine, *, rebooted: bool = False) -> Daemon:
    """Describe a node's slurmd; `rebooted` tells slurmctld that the power-up it waits for has happened."""
    argv = ["slurmd", "-D", "-N", machine.name, "-f", str(settings.slurm_conf), *(["-b"] if rebooted else [])]
    return Daemon(
        name=machine.daemon,
        argv=tuple(argv),
        machine=machine,
        listens=settings.ports["slurmd"],
        env={"SLURM_CONF": str(settings.slurm_conf)},
    )


def _munged(settings: DevSettings) -> Daemon:
    folder = settings.munge_socket.parent
    files = {
        "--socket": settings.munge_socket,
        "--key-file": settings.root / "munge" / "munge.key",
        "--pid-file": folder / "munged.pid",
        "--seed-file": settings.root / "munge" / "munged.seed",
    }
    options = [f"{option}={path}" for option, path in files.items()]
    return Daemon(
        name="munged",
        argv=("munged", "--foreground", "--force", *options),
        listens=settings.munge_socket,
        probe=("munge", "-n", f"--socket={settings.munge_socket}"),
    )


def _mariadbd(settings: DevSettings) -> Daemon:
    sock = mariadb_socket(settings)
    return Daemon(
        name="mariadbd",
        # --no-defaults: the computer's own MariaDB settings (datadir, socket, port) are not ours.
        argv=(
            "mariadbd",
            "--no-defaults",
            f"--datadir={settings.root}/mariadb",
            f"--socket={sock}",
            f"--pid-file={settings.run}/mariadbd.pid",
            "--skip-networking",
            "--user=root",
            "--innodb-buffer-pool-size=64M",
            "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=2",
        ),
        listens=sock,
        patience_s=60,
    )


def mariadb_socket(settings: DevSettings) -> Path:
    """Where this cluster's own MariaDB listens; it has no TCP port."""
    return settings.run / "mariadb.sock"


def _slurmdbd(settings: DevSettings) -> Daemon:
    return Daemon(
        name="slurmdbd",
        argv=("slurmdbd", "-D"),
        env={"SLURM_CONF": str(settings.slurm_conf), "MYSQL_UNIX_PORT": str(mariadb_socket(settings))},
        listens=settings.ports["slurmdbd"],
        patience_s=60,
    )


def _slurmctld(settings: DevSettings) -> Daemon:
    conf = settings.slurm_conf
    own_hostname = 'hostname ctl; exec slurmctld -D -f "$1"'
    return Daemon(
        name="slurmctld",
        # It runs only on a host that has the name in SlurmctldHost.
        argv=("unshare", "--uts", "sh", "-c", own_hostname, "sh", str(conf)),
        env={"SLURM_CONF": str(conf)},
        listens=settings.ports["slurmctld"],
        probe=("scontrol", "ping"),
    )


def _slurmrestd(settings: DevSettings) -> Daemon:
    port = settings.ports["slurmrestd"]
    return Daemon(
        name="slurmrestd",
        argv=("slurmrestd", "-f", str(settings.slurm_conf), "-a", "rest_auth/jwt", f"{settings.controller}:{port}"),
        # SLURM_JWT=daemon: it acts with each caller's token and has none of its own.
        env={"SLURM_CONF": str(settings.slurm_conf), "SLURM_JWT": "daemon"},
        user=settings.rest_user,
        listens=port,
    )


def _sshd(settings: DevSettings) -> Daemon:
    login = settings.machine(LOGIN)
    return Daemon(
        name=login.daemon,
        argv=("/usr/sbin/sshd", "-D", "-e", "-f", str(settings.conf / "sshd_config")),
        machine=login,
        listens=22,
    )


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
