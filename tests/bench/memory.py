"""Measure how much memory each of the gateway's processes has needed at most, since it started."""

from pathlib import Path

from gateway.demo import service
from gateway.devcluster import processes
from tests.bench.figures import Figure, Topic
from tests.bench.world import World


def measure(world: World) -> Topic:
    """Read the kernel's high-water marks."""
    live = world.live
    figures = []
    for name in (service.serve_name(live.place), service.runas_name(live.place)):
        root = processes.find(live.cluster.ledger, name)
        assert root is not None
        for pid in (root.pid, *_children(root.pid)):
            figures.append(Figure(what=_called(pid), numbers=_peak(pid), rival="175 MiB (API and SSH)"))
    note = "Resident memory, shared pages counted in each: forks of the helper share most of theirs."
    return Topic(title="Peak memory", figures=figures, note=note)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _called(pid: int) -> str:
    argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return " ".join(Path(word).name for word in argv if not word.startswith("-"))[:60].strip()


def _peak(pid: int) -> dict[str, float]:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {f"{name}_MiB": int(lines[key].split()[0]) / 1024 for name, key in (("peak", "VmHWM"), ("now", "VmRSS"))}
