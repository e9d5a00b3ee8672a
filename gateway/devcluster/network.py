"""Give every machine an address of its own: a bridge, and for each machine a cable (veth pair) to it."""

import json
from pathlib import Path

from gateway.devcluster import namespaces
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
    pin = namespaces.ensure(settings, ledger, machine)
    veth = _veth(settings, machine)
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
    run(["ip", "link", "set", _veth(settings, machine), "up" if up else "down"])


def is_cut(settings: DevSettings, machine: Machine) -> bool:
    """Say whether the machine's cable is pulled."""
    code, out, _ = attempt(["ip", "-json", "link", "show", _veth(settings, machine)])
    return code == 0 and "UP" not in json.loads(out)[0]["flags"]


def remove_link(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Take the machine off the network, its namespace too."""
    remove_device(ledger, _veth(settings, machine))
    namespaces.unpin(ledger, machine.name, namespaces.pin_of(settings, machine))


def remove_device(ledger: Ledger, device: str) -> None:
    """Delete a network device of ours, if it is there."""

    def removed() -> bool:
        # May fail: when a namespace ends, the kernel takes its devices along, in its own time.
        attempt(["ip", "link", "delete", device])
        return not _link_exists(device)

    if _link_exists(device):
        wait_until(removed, what=f"removal of network device {device}", seconds=10)
    ledger.gone("link", device)


def _veth(settings: DevSettings, machine: Machine) -> str:
    """Name the host's end of the machine's cable."""
    return f"{settings.name}-{machine.name}"


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
