"""Bring the cluster up and down, and break and heal its parts."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gateway.devcluster import accounting, daemons, database, files, machines, memory, network, processes, users
from gateway.devcluster.commands import clean_env, require_root
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings


class DevCluster:
    """A Slurm cluster on this computer. All methods need root and may be called again after any failure."""

    def __init__(self, settings: DevSettings | None = None) -> None:
        """Describe a cluster; nothing is touched before `up`."""
        self.settings = settings or DevSettings()
        self.ledger = Ledger(self.settings.root / "ledger")

    @classmethod
    def at(cls, root: Path) -> "DevCluster":
        """Find the cluster whose state directory is `root`, with the settings it was made with."""
        mark = root / files.SETTINGS_FILE
        return cls(DevSettings.from_json(mark.read_text()) if mark.exists() else DevSettings(root=root))

    @property
    def root(self) -> Path:
        """The state directory."""
        return self.settings.root

    @property
    def slurm_conf(self) -> Path:
        """What `SLURM_CONF` must say to talk to this cluster."""
        return self.settings.slurm_conf

    def env(self) -> dict[str, str]:
        """Return the variables a shell needs to talk to this cluster."""
        return {"SLURM_CONF": str(self.slurm_conf)}

    def up(self) -> None:
        """Start whatever is not running; returns when every node is usable."""
        require_root()
        files.claim_root(self.settings)
        with self._lock():
            files.write_all(self.settings, memory=memory.enforcement())
            network.ensure_bridge(self.settings, self.ledger)
            self._ensure_users()
            with ThreadPoolExecutor(max_workers=1) as pool:
                booted = pool.submit(self._boot_machines)
                if self.settings.accounting:
                    database.ensure(self.settings)
                for one in daemons.all_daemons(self.settings):
                    if one.machine is not None:
                        booted.result()
                    daemons.start(self.settings, self.ledger, one)
                    if one.name in {"munged", "mariadbd", "slurmdbd", "slurmctld"}:
                        daemons.wait_ready(self.settings, self.ledger, one)
                    if one.name == "slurmdbd":
                        accounting.ensure_cluster(self.settings)
            for one in daemons.all_daemons(self.settings):
                daemons.wait_ready(self.settings, self.ledger, one)

    def _boot_machines(self) -> None:
        for machine in self.settings.machines:
            if machine.kind != "cloud":
                machines.boot(self.settings, self.ledger, machine)

    def _ensure_users(self) -> None:
        users.ensure_user(self.settings, self.ledger, self.settings.gateway_user, system=True)
        for names in self.settings.users.values():
            for name in names:
                users.ensure_user(self.settings, self.ledger, name)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
