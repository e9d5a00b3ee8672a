"""Hold the ONE table of sbatch's options, 22.05 to 25.11, and what people write who mean one of them."""

from gateway.directives.options import OptionTable
from gateway.directives.rows import life, placement, resources, special

TABLE = OptionTable(
    (
        *resources.ROWS,
        *placement.ROWS,
        *life.ROWS,
        *special.CLIENT_ROWS,
        *special.GATEWAY_ROWS,
        *special.REFUSED_ROWS,
        *special.SPANK_ROWS,
    )
)

RENAMED = {"workdir": "chdir", "share": "oversubscribe", "gpu-per-node": "gpus-per-node", "cpus": "cpus-per-task"}
"""What older releases, or habit, call an option: real sbatch does not know these either."""

OF_SRUN = frozenset(
    {"accel-bind", "bcast", "cpu-bind", "cpu_bind", "epilog", "het-group", "jobid", "kill-on-bad-exit", "label", "mpi",
     "multi-prog", "overlap", "preserve-env", "prolog", "pty", "task-epilog", "task-prolog", "unbuffered", "x11"}
)  # fmt: skip
"""Options that only srun knows and scripts often give to sbatch."""
