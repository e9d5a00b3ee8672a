"""Know every daemon of the cluster: its command line, who it runs as, where it listens."""

from pathlib import Path

from gateway.devcluster.daemons import Daemon
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import LOGIN, DevSettings, Machine


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
    sock = _mariadb_socket(settings)
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


def _mariadb_socket(settings: DevSettings) -> Path:
    """Where this cluster's own MariaDB listens; it has no TCP port."""
    return settings.run / "mariadb.sock"


def _slurmdbd(settings: DevSettings) -> Daemon:
    return Daemon(
        name="slurmdbd",
        argv=("slurmdbd", "-D"),
        env={"SLURM_CONF": str(settings.slurm_conf), "MYSQL_UNIX_PORT": str(_mariadb_socket(settings))},
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
