"""Boot, enter and switch off the cluster's machines.

A machine is its network namespace plus one holder process whose mount and UTS namespaces are the machine's: a hostname,
a private /tmp, /dev/shm and /run, and our files as /etc/slurm and /etc/hosts.
"""

from pathlib import Path

from gateway.devcluster import namespaces, network, processes
from gateway.devcluster.commands import wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.processes import Proc
from gateway.devcluster.settings import DevSettings, Machine

# A private /tmp is not comfort: PMIx puts its directories there and finds another node's. /run is private on account of
# sshd, which wants /run/sshd, absent where no init made it.
_BOOT = """
set -e
hostname "$1"
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
if [ -d /etc/slurm ]; then mount --bind "$2" /etc/slurm; fi
mount --bind "$2/hosts" /etc/hosts
exec sleep infinity
"""


def boot(settings: DevSettings, ledger: Ledger, machine: Machine) -> Proc:
    """Switch the machine on, unless it is; it runs no daemon yet."""
    pin = network.ensure_link(settings, ledger, machine)
    network.set_link(settings, machine, up=True)
    holder = processes.find(ledger, _holder(machine))
    if holder is None:
        argv = ["nsenter", f"--net={pin}", "unshare", "--mount", "--uts", "sh", "-c", _BOOT]
        argv += ["sh", machine.name, str(settings.conf)]
        log = settings.log(_holder(machine))
        holder = processes.start_detached(argv, name=_holder(machine), ledger=ledger, log=log)
        booted = holder
        wait_until(lambda: _is_ready(booted), what=f"machine {machine.name} to boot", seconds=10, log=log)
    return holder


def enter(settings: DevSettings, ledger: Ledger, machine: Machine) -> tuple[str, ...]:
    """Return the command prefix that runs a program on the machine as root; raises DevClusterError when it is off."""
    holder = processes.find(ledger, _holder(machine))
    if holder is None:
        raise DevClusterError(f"machine {machine.name} is off; `heal-node {machine.name}` boots it")
    pin = namespaces.pin_of(settings, machine)
    # --root: a mount namespace is entered at its own root, which is not ours when we run in a chroot.
    return ("nsenter", f"--net={pin}", f"--target={holder.pid}", "--mount", "--uts", "--root", "--")


def is_on(ledger: Ledger, machine: Machine) -> bool:
    """Say whether the machine is switched on."""
    return processes.find(ledger, _holder(machine)) is not None


def power_off(settings: DevSettings, ledger: Ledger, machine: Machine) -> int:
    """Kill everything on the machine at once, as a power cut does; return how many processes that were."""
    inode = namespaces.inode_of(namespaces.pin_of(settings, machine))
    killed = 0 if inode is None else processes.kill_all(lambda pid: namespaces.contains(inode, pid))
    holder = processes.find(ledger, _holder(machine))
    if holder is not None:  # it had not entered the network namespace yet
        processes.stop(holder)
    ledger.gone("process", _holder(machine))
    ledger.gone("process", machine.daemon)
    return killed


def _holder(machine: Machine) -> str:
    return f"machine-{machine.name}"


def _is_ready(holder: Proc) -> bool:
    try:
        return Path(f"/proc/{holder.pid}/comm").read_text() == "sleep\n"
    except FileNotFoundError:
        return False
