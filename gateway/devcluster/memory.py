"""Find out how memory limits can be enforced on this computer."""

from gateway.devcluster.config import Memory


def enforcement() -> Memory:
    """Say `cgroup` where slurmd can make memory cgroups, else `gather` (the sampler kills)."""
    return "gather"
