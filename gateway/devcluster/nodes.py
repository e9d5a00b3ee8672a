"""See the nodes as Slurm sees them, and bring them back into service."""

from dataclasses import dataclass

from gateway.devcluster.commands import attempt, clean_env, run, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DevSettings

# What a node is when jobs can start on it, or could if it were not full.
_USABLE = frozenset({"idle", "mixed", "allocated", "completing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What sinfo says about one node."""

    name: str
    state: str
    """sinfo's long word, such as `idle`, `down*` or `idle~`."""
    reason: str

    @property
    def usable(self) -> bool:
        """Jobs can run there now: no suffix says that it is silent, powered down or drained."""
        return self.state in _USABLE


def states(settings: DevSettings) -> dict[str, NodeState]:
    """Ask slurmctld about all nodes; empty when it gives no answer."""
    code, out, _ = attempt(["sinfo", "-hN", "-o", "%N|%T|%E"], env=_env(settings), timeout=15)
    lines = out.splitlines() if code == 0 else []
    found = (line.split("|", 2) for line in lines)
    return {name: NodeState(name=name, state=state, reason=reason) for name, state, reason in found}


def wait_usable(settings: DevSettings, names: set[str], *, seconds: float = 30) -> None:
    """Wait until the nodes can run jobs; put those back into service that Slurm has given up or drained."""

    def all_usable() -> bool:
        seen = states(settings)
        missing.clear()
        missing.update({name: seen[name].state if name in seen else "unknown" for name in names})
        for name in names & seen.keys():
            if seen[name].usable:
                del missing[name]
            elif seen[name].state.startswith(("down", "drain", "fail", "inval", "unknown")):
                resume(settings, name)
        return not missing

    missing: dict[str, str] = {}
    try:
        wait_until(all_usable, what="all nodes usable", seconds=seconds, log=settings.log("slurmctld"))
    except DevClusterError as error:
        raise DevClusterError(f"nodes {missing}: {error}") from error


def resume(settings: DevSettings, name: str) -> None:
    """Put a node back into service; without effect while its slurmd is silent."""
    attempt(["scontrol", "update", f"NodeName={name}", "State=RESUME"], env=_env(settings))


def give_up(settings: DevSettings, name: str, *, reason: str) -> None:
    """Declare a node down, which ends its jobs as NODE_FAIL (or requeues them)."""
    attempt(["scontrol", "update", f"NodeName={name}", "State=DOWN", f"Reason={reason}"], env=_env(settings))


def force_power_down(settings: DevSettings, name: str) -> None:
    """Let Slurm power a cloud node down now, whatever state it is in."""
    run(["scontrol", "update", f"NodeName={name}", "State=POWER_DOWN_FORCE"], env=_env(settings))


def expand(settings: DevSettings, expression: str) -> list[str]:
    """Turn `b[1-2]` into names."""
    return run(["scontrol", "show", "hostnames", expression], env=_env(settings)).split()


def _env(settings: DevSettings) -> dict[str, str]:
    return clean_env(SLURM_CONF=str(settings.slurm_conf))
