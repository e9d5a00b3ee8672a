"""Offer the whole cluster as one object: up, down, look, break, heal."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.devcluster import accounting, daemons, faults, files, machines, nodes, power, processes, programs, users
from gateway.devcluster.bringup import bring_up
from gateway.devcluster.commands import require_root
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings
from gateway.devcluster.status import Status, look
from gateway.devcluster.teardown import tear_down


class DevCluster:
    """A Slurm cluster on this computer. Changes need root, exclude each other and may be repeated after any failure.

    Every method raises DevClusterError with a message for people.
    """

    def __init__(self, settings: DevSettings | None = None) -> None:
        """Describe a cluster; nothing is touched before `up`."""
        self.settings = settings or DevSettings()
        self.ledger = Ledger(self.settings.root / "ledger")

    @classmethod
    def at(cls, root: Path) -> "DevCluster":
        """Find the cluster whose state directory is `root`, with the settings it was made with."""
        return cls(files.saved_settings(root) or DevSettings(root=root))

    @property
    def root(self) -> Path:
        """The state directory."""
        return self.settings.root

    @property
    def slurm_conf(self) -> Path:
        """What `SLURM_CONF` must say to talk to this cluster."""
        return self.settings.slurm_conf

    def env(self, tenant: str = "acme") -> dict[str, str]:
        """Return the variables a shell needs: SLURM_CONF, and the gateway's URL and a token once they exist."""
        found = {"SLURM_CONF": str(self.slurm_conf)}
        gateway = self.root / "gateway"
        for name, file in {"SGW_URL": gateway / "url", "SGW_TOKEN": gateway / "tokens" / tenant}.items():
            try:
                found[name] = file.read_text().strip()
            except FileNotFoundError:
                continue
            except PermissionError as error:
                raise DevClusterError(f"{file}: only root may read it: run it again with sudo") from error
        return found

    def up(self) -> None:
        """Start whatever is not running; returns when every node is usable."""
        require_root()
        files.claim_root(self.settings)
        with self._locked():
            bring_up(self.settings, self.ledger)

    def down(self) -> None:
        """Remove every process, mount, namespace, device and user of the cluster, and its state directory."""
        require_root()
        if files.saved_settings(self.root) is None:
            return
        with self._locked():
            tear_down(self.settings, self.ledger)

    def status(self) -> Status:
        """Look at every daemon and machine."""
        return look(self.settings, self.ledger)

    def pid(self, daemon: str) -> int | None:
        """Return a daemon's process id (`slurmctld`, `slurmd-c1` …), None when it is down."""
        proc = processes.find(self.ledger, daemon)
        return proc.pid if proc else None

    def stop(self, daemon: str) -> None:
        """End one daemon."""
        with self._changing():
            daemons.stop(self.ledger, programs.daemon(self.settings, daemon))

    def start(self, daemon: str) -> None:
        """Start one daemon and wait until it answers."""
        with self._changing():
            one = programs.daemon(self.settings, daemon)
            daemons.start(self.settings, self.ledger, one)
            daemons.wait_ready(self.settings, self.ledger, one)

    def kill_node(self, name: str) -> int:
        """Cut a machine's power; return how many processes died."""
        with self._changing():
            return faults.kill(self.settings, self.ledger, self.settings.machine(name))

    def cut_node(self, name: str) -> None:
        """Pull a machine's network cable."""
        with self._changing():
            faults.cut(self.settings, self.ledger, self.settings.machine(name))

    def heal_node(self, name: str) -> None:
        """Bring a machine back into service, whatever was done to it; returns when jobs can run there."""
        with self._changing():
            faults.heal(self.settings, self.ledger, self.settings.machine(name))

    def enter(self, name: str) -> tuple[str, ...]:
        """Return the command prefix that runs a program on a machine, as root and without Slurm."""
        return machines.enter(self.settings, self.ledger, self.settings.machine(name))

    def add_user(self, name: str, account: str) -> None:
        """Make a Unix user who may charge the Slurm account; idempotent."""
        with self._changing():
            users.ensure_user(self.settings, self.ledger, name)
            if self.settings.accounting:
                accounting.ensure_association(self.settings, name, account)

    def ssh_key(self, user: str) -> Path:
        """Name the private key with which the user may log in to the login machine; the gateway's user can read it."""
        return users.key_of(self.settings, user)

    def resume(self, hostlist: str) -> None:
        """Power cloud machines up, as Slurm's ResumeProgram."""
        with self._changing():
            for name in nodes.expand(self.settings, hostlist):
                power.power_up(self.settings, self.ledger, self.settings.machine(name))

    def suspend(self, hostlist: str) -> None:
        """Power cloud machines down, as Slurm's SuspendProgram."""
        with self._changing():
            for name in nodes.expand(self.settings, hostlist):
                power.power_down(self.settings, self.ledger, self.settings.machine(name))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        require_root()
        if files.saved_settings(self.root) is None:
            raise DevClusterError(f"there is no dev cluster at {self.root}: run `sgw dev up` first")
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one change happen at a time, also across processes."""
        path = self.root / "lock"
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                replaced = path.stat().st_ino != os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                replaced = True
            if replaced:
                raise DevClusterError(f"{self.root} was taken down meanwhile: run the command again")
            yield
