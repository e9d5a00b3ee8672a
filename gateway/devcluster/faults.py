"""Break machines as they break in real life, and heal them again."""

from gateway.devcluster import daemons, machines, network, nodes, power, programs
from gateway.devcluster.commands import wait_until
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine


def kill(settings: DevSettings, ledger: Ledger, machine: Machine) -> int:
    """Cut the machine's power: everything on it dies at once and says nothing; return how many processes died."""
    machines.enter(settings, ledger, machine)  # refuses a machine that is off
    network.set_link(settings, machine, up=False)
    return machines.power_off(settings, ledger, machine)


def cut(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Pull the machine's network cable: everything on it goes on, unheard. Shared folders stay reachable."""
    machines.enter(settings, ledger, machine)  # refuses a machine that is off
    network.set_link(settings, machine, up=False)


def heal(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Bring the machine back into service, whatever was done to it; returns when jobs can run there."""
    if machine.kind == "cloud":
        _return_to_slurm(settings, ledger, machine)
        return
    was_off = not machines.is_on(ledger, machine)
    was_cut = network.is_cut(settings, machine)
    machines.boot(settings, ledger, machine)
    if machine.kind == "login":
        _ensure_daemon(settings, ledger, programs.daemon(settings, machine.daemon))
        return
    node = nodes.states(settings).get(machine.name)
    slurmd = programs.slurmd(settings, machine)
    if was_off:
        # Jobs died with the machine. slurmctld would miss them only minutes later, and not before they are 20 s old.
        nodes.give_up(settings, machine.name, reason="the machine was off")
    if was_cut or node is None or not node.usable:
        # slurmctld pings a silent node only every SlurmdTimeout / 3; a slurmd that starts registers at once.
        # Running jobs survive its restart.
        daemons.stop(ledger, slurmd)
    _ensure_daemon(settings, ledger, slurmd)
    nodes.wait_usable(settings, {machine.name})


def _return_to_slurm(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Give a broken cloud node back to power saving, which makes it anew when a job needs it."""
    power.power_down(settings, ledger, machine)
    nodes.force_power_down(settings, machine.name)

    def powered_down() -> bool:
        node = nodes.states(settings).get(machine.name)
        if node is not None and node.state.startswith("down"):
            nodes.resume(settings, machine.name)
        return node is not None and node.state == "idle~"

    wait_until(powered_down, what=f"power-down of {machine.name}", seconds=60, log=settings.log("slurmctld"))


def _ensure_daemon(settings: DevSettings, ledger: Ledger, one: daemons.Daemon) -> None:
    daemons.start(settings, ledger, one)
    daemons.wait_ready(settings, ledger, one)
