"""Split what a job waits for into what the gateway resolves and what Slurm knows best."""

from typing import Final

from gateway.directives import Directives
from gateway.jobs.described import invalid
from gateway.jobs.spec import Dependency

_UNSUPPORTED: Final = {"aftercorr", "afterburstbuffer"}


def gateway_needs(directives: Directives) -> tuple[Dependency, ...]:
    """Dependencies on jobs of the gateway; it resolves them, because Slurm's ids change with every retry."""
    if directives.dependencies is None:
        return ()
    needs = []
    for item in directives.dependencies.items:
        if item.job is None or item.in_slurm:
            continue
        if item.type in _UNSUPPORTED or item.task is not None or item.delay_minutes:
            raise invalid(
                "dependency",
                f"{item}: only whole jobs and no delay are supported",
                "use after, afterok, afternotok or afterany with a job id",
            )
        needs.append(Dependency(kind=item.type, job_id=item.job))
    return tuple(needs)


def slurm_needs(directives: Directives) -> str | None:
    """Dependencies that Slurm knows best: its own ids, and `singleton`."""
    if directives.dependencies is None:
        return None
    items = [item for item in directives.dependencies.items if item.job is None or item.in_slurm]
    if items and directives.dependencies.any and len(items) < len(directives.dependencies.items):
        raise invalid("dependency", "`?` cannot mix jobs of the gateway with slurm: ids", "use `,`")
    joined = ("?" if directives.dependencies.any else ",").join(str(item) for item in items)
    return joined.replace("slurm:", "") or None
