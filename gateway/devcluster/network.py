"""Give every machine an address of its own: a bridge, and for each machine a namespace and a veth pair.

Namespaces are pinned by a file below the state directory, not by `ip netns`: that would use names shared with
everything else on this computer, and leave its own mount behind.
"""

import json
from pathlib import Path

from gateway.devcluster.commands import attempt, run, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine


def ensure_bridge(settings: DevSettings, ledger: Ledger) -> None:
    """Make the bridge with the controller's address, unless it is there; refuse one that is not ours."""
    bridge, address = settings.bridge, settings.controller
    if _link_exists(bridge):
        if ledger.find("link", bridge) is None:
            raise DevClusterError(f"network device {bridge} exists and is not ours: remove it or use another --name")
    else:
        _refuse_foreign_subnet(settings)
        ledger.made("link", bridge)
        run(["ip", "link", "add", bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{address}/24", "dev", bridge])
    run(["ip", "link", "set", bridge, "up"])


def ensure_link(settings: DevSettings, ledger: Ledger, machine: Machine) -> Path:
    """Make the machine's namespace with its address on the bridge; return the file that pins it."""
    pin = netns_pin(settings, machine)
    veth = veth_name(settings, machine)
    if not _is_pinned(pin):
        pin.parent.mkdir(parents=True, exist_ok=True)
        ledger.made("netns", machine.name, pin=str(pin))
        pin.touch()
        run(["unshare", f"--net={pin}", "true"])
    if not _link_exists(veth):
        ledger.made("link", veth)
        # The MAC follows from the address: a machine made anew is not shut out by its predecessor's ARP entries.
        mac = "02:77:" + ":".join(f"{int(part):02x}" for part in machine.address.split("."))
        peer = ["peer", "name", "eth0", "address", mac, "netns", str(pin)]
        run(["ip", "link", "add", veth, "type", "veth", *peer])
    inside = (
        "link set lo up\n"
        f"address replace {machine.address}/24 dev eth0\n"
        "link set eth0 up\n"
        f"route replace default via {settings.controller}\n"
    )
    run(["nsenter", f"--net={pin}", "ip", "-batch", "-"], stdin=inside)
    run(["ip", "link", "set", veth, "master", settings.bridge])
    return pin


def set_link(settings: DevSettings, machine: Machine, *, up: bool) -> None:
    """Plug the machine's cable in, or pull it."""
    run(["ip", "link", "set", veth_name(settings, machine), "up" if up else "down"])


def is_cut(settings: DevSettings, machine: Machine) -> bool:
    """Say whether the machine's cable is pulled."""
    code, out, _ = attempt(["ip", "-json", "link", "show", veth_name(settings, machine)])
    return code == 0 and "UP" not in json.loads(out)[0]["flags"]


def remove_link(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Take the machine off the network, its namespace too."""
    remove_device(ledger, veth_name(settings, machine))
    unpin(ledger, machine.name, netns_pin(settings, machine))


def remove_device(ledger: Ledger, device: str) -> None:
    """Delete a network device of ours, if it is there."""

    def removed() -> bool:
        # May fail: when a namespace ends, the kernel takes its devices along, in its own time.
        attempt(["ip", "link", "delete", device])
        return not _link_exists(device)

    if _link_exists(device):
        wait_until(removed, what=f"removal of network device {device}", seconds=10)
    ledger.gone("link", device)


def unpin(ledger: Ledger, name: str, pin: Path) -> None:
    """Let go of a namespace; it ends with its last process."""
    while _is_pinned(pin):
        run(["umount", str(pin)])
    pin.unlink(missing_ok=True)
    ledger.gone("netns", name)


def netns_pin(settings: DevSettings, machine: Machine) -> Path:
    """Name the file that keeps the machine's network namespace alive."""
    return settings.run / "netns" / machine.name


def veth_name(settings: DevSettings, machine: Machine) -> str:
    """Name the host's end of the machine's cable."""
    return f"{settings.name}-{machine.name}"


def netns_inode(pin: Path) -> int | None:
    """Identify a pinned namespace, as in /proc/PID/ns/net; None when it is not pinned."""
    return pin.stat().st_ino if _is_pinned(pin) else None


def in_netns(pid: int, inode: int) -> bool:
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


def _link_exists(device: str) -> bool:
    return Path("/sys/class/net", device).exists()


def _refuse_foreign_subnet(settings: DevSettings) -> None:
    for link in json.loads(run(["ip", "-json", "-4", "address"])):
        for address in link["addr_info"]:
            if address["local"].startswith(settings.subnet + "."):
                raise DevClusterError(
                    f"subnet {settings.subnet}.0/24 is in use by {link['ifname']} ({address['local']}): "
                    "choose another with --subnet"
                )
