"""Make cloud machines when Slurm wants them and take them away again: its ResumeProgram and SuspendProgram."""

from gateway.devcluster import daemons, machines, memory, network, programs
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine


def power_up(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Boot the machine and start its slurmd, which tells slurmctld that it is there."""
    machines.boot(settings, ledger, machine)
    daemons.start(settings, ledger, programs.slurmd(settings, machine, rebooted=True))


def power_down(settings: DevSettings, ledger: Ledger, machine: Machine) -> None:
    """Switch the machine off and give its address, namespace and cgroups back."""
    machines.power_off(settings, ledger, machine)
    memory.remove_cgroups(ledger, machine)
    network.remove_link(settings, ledger, machine)
