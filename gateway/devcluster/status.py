"""Say what of the cluster is up: as values, as a table for people, as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.devcluster import daemons, machines, network, nodes, processes, programs
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStatus:
    """One daemon as it is now."""

    name: str
    state: str
    """`up`, `down`, `paused` (SIGSTOP) or `silent`: it runs and does not answer."""
    pid: int | None
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStatus:
    """One machine as it is now."""

    name: str
    address: str
    state: str
    """`on`, `off` or `cut` (its cable is pulled)."""
    slurm: str
    """sinfo's word for it; `-` for a machine that is no node, `?` when slurmctld is silent."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole cluster as it is now."""

    root: str
    daemons: tuple[DaemonStatus, ...]
    machines: tuple[MachineStatus, ...]
    up: bool
    """Every daemon answers and every fixed node can run jobs."""

    def to_json(self) -> str:
        """Write it for programs."""
        return json.dumps(asdict(self), indent=2)

    def table(self) -> str:
        """Write it for people."""
        rows = [("DAEMON", "STATE", "PID", "LOG")]
        rows += [(one.name, one.state, str(one.pid or "-"), one.log) for one in self.daemons]
        more = [("MACHINE", "STATE", "ADDRESS", "SLURM", "REASON")]
        more += [(one.name, one.state, one.address, one.slurm, one.reason) for one in self.machines]
        verdict = "The dev cluster is up." if self.up else "Not everything is up: `sgw dev up` repairs it."
        return f"{_aligned(rows)}\n\n{_aligned(more)}\n\n{verdict}"


def look(settings: DevSettings, ledger: Ledger) -> Status:
    """Look at every part once."""
    seen = nodes.states(settings) if processes.find(ledger, "slurmctld") else {}
    running = tuple(_daemon(settings, ledger, one) for one in programs.all_daemons(settings))
    hosts = tuple(_machine(settings, ledger, machine, seen) for machine in settings.machines)
    fixed = [machine.name for machine in settings.machines if machine.kind == "compute"]
    up = all(one.state == "up" for one in running) and all(name in seen and seen[name].usable for name in fixed)
    return Status(root=str(settings.root), daemons=running, machines=hosts, up=up)


def _daemon(settings: DevSettings, ledger: Ledger, one: daemons.Daemon) -> DaemonStatus:
    proc = processes.find(ledger, one.name)
    if proc is None:
        state = "down"
    elif _is_paused(proc.pid):
        state = "paused"
    else:
        state = "up" if daemons.answers(one, proc) else "silent"
    return DaemonStatus(name=one.name, state=state, pid=proc.pid if proc else None, log=str(settings.log(one.name)))


def _machine(
    settings: DevSettings, ledger: Ledger, machine: Machine, seen: dict[str, nodes.NodeState]
) -> MachineStatus:
    node = seen.get(machine.name)
    state = "on" if machines.is_on(ledger, machine) else "off"
    if state == "on" and network.is_cut(settings, machine):
        state = "cut"
    unknown = "-" if machine.kind == "login" else "?"
    reason = node.reason if node and node.reason != "none" else ""
    slurm = node.state if node else unknown
    return MachineStatus(name=machine.name, address=machine.address, state=state, slurm=slurm, reason=reason)


def _is_paused(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
