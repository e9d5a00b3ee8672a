"""Remove everything that the ledger lists, then the state directory, and nothing else."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.devcluster import machines, memory, namespaces, network, processes, users
from gateway.devcluster.commands import wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Entry, Ledger
from gateway.devcluster.processes import Proc
from gateway.devcluster.settings import DevSettings


def tear_down(settings: DevSettings, ledger: Ledger) -> None:
    """Undo `up` completely; may be called again after any failure."""
    # slurmctld first: it would power up machines again.
    _stop([entry for entry in ledger.entries("process") if entry.name == "slurmctld"])
    for machine in settings.machines:
        machines.power_off(settings, ledger, machine)
        memory.remove_cgroups(ledger, machine)
    _stop(ledger.entries("process"))
    users.remove_users(ledger)
    for entry in ledger.entries("netns"):
        namespaces.unpin(ledger, entry.name, Path(str(entry.facts["pin"])))
    for entry in reversed(ledger.entries("link")):
        network.remove_device(ledger, entry.name)
    _refuse_mounts(settings.root)
    wait_until(lambda: _removed(settings.root), what=f"removal of {settings.root}", seconds=10)


def _stop(entries: list[Entry]) -> None:
    procs = [Proc.of(entry) for entry in entries]
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(processes.stop, procs))
        list(pool.map(processes.kill_session, procs))


def _removed(root: Path) -> bool:
    shutil.rmtree(root, ignore_errors=True)  # a dying process may still be writing: the next try gets it
    return not root.exists()


def _refuse_mounts(root: Path) -> None:
    """Never delete through a mount: it may be somebody's data."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [mount for mount in mounts if Path(mount).is_relative_to(root)]
    if inside:
        raise DevClusterError(f"{', '.join(inside)}: not mounted by us, below {root}: unmount it, then `down` again")
