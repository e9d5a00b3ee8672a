"""Keep a machine's network namespace alive, let go of it, and know who lives in it.

Namespaces are pinned by a file below the state directory, not by `ip netns`: that would use names shared with
everything else on this computer, and leave its own mount behind.
"""

from pathlib import Path

from gateway.devcluster.commands import run
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine


def ensure(settings: DevSettings, ledger: Ledger, machine: Machine) -> Path:
    """Make the machine's network namespace, unless it is there; return the file that pins it."""
    pin = pin_of(settings, machine)
    if not _is_pinned(pin):
        pin.parent.mkdir(parents=True, exist_ok=True)
        ledger.made("netns", machine.name, pin=str(pin))
        pin.touch()
        run(["unshare", f"--net={pin}", "true"])
    return pin


def pin_of(settings: DevSettings, machine: Machine) -> Path:
    """Name the file that keeps the machine's network namespace alive."""
    return settings.run / "netns" / machine.name


def unpin(ledger: Ledger, name: str, pin: Path) -> None:
    """Let go of a namespace; it ends with its last process."""
    while _is_pinned(pin):
        run(["umount", str(pin)])
    pin.unlink(missing_ok=True)
    ledger.gone("netns", name)


def inode_of(pin: Path) -> int | None:
    """Identify a pinned namespace, as in /proc/PID/ns/net; None when it is not pinned."""
    return pin.stat().st_ino if _is_pinned(pin) else None


def contains(inode: int, pid: int) -> bool:
    """Say whether a process lives in that network namespace."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == inode
    except OSError:
        return False


def _is_pinned(pin: Path) -> bool:
    try:
        return pin.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False
