"""Find out how memory limits can be enforced on this computer, and keep its cgroups tidy."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.devcluster.commands import wait_until
from gateway.devcluster.config import Memory
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine

CGROUPS = Path("/sys/fs/cgroup")
# What task/cgroup (memory) and proctrack/cgroup (freezer) need of cgroup v1.
_CONTROLLERS = ("memory", "freezer")


def enforcement(settings: DevSettings, ledger: Ledger, *, cgroups: Path = CGROUPS) -> Memory:
    """Say `cgroup` where slurmd can make its cgroups, else `gather` (the accounting sampler kills).

    slurmd names its cgroup after the node, so a second cluster with our node names would share them: it gets `gather`.
    """
    for machine in settings.machines:
        for folder in machine_cgroups(machine, cgroups=cgroups):
            if not os.access(folder.parent, os.W_OK) or not (folder.parent / "cgroup.procs").exists():
                return "gather"
            if folder.exists() and ledger.find("cgroup", str(folder)) is None:
                return "gather"
    return "cgroup"


def claim_cgroups(ledger: Ledger, machine: Machine) -> None:
    """Write down the cgroups that the machine's slurmd is about to make."""
    for folder in machine_cgroups(machine):
        if ledger.find("cgroup", str(folder)) is None:
            ledger.made("cgroup", str(folder))


def remove_cgroups(ledger: Ledger, machine: Machine) -> None:
    """Remove the machine's cgroups, if they are ours; all of its processes must have been killed."""
    for folder in machine_cgroups(machine):
        if ledger.find("cgroup", str(folder)) is not None:
            wait_until(lambda folder=folder: _removed(folder), what=f"removal of {folder}", seconds=10)  # type: ignore[misc]
            ledger.gone("cgroup", str(folder))


def machine_cgroups(machine: Machine, *, cgroups: Path = CGROUPS) -> list[Path]:
    """Name the cgroups that slurmd makes for this machine."""
    return [cgroups / controller / f"slurm_{machine.name}" for controller in _CONTROLLERS]


def _removed(folder: Path) -> bool:
    for path in _children_first(folder):
        with suppress(FileNotFoundError, OSError):  # busy while its last process is being reaped
            path.rmdir()
    return not folder.exists()


def _children_first(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from _children_first(child)
        yield folder
