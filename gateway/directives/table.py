"""Hold the ONE table of sbatch's options, 22.05 to 25.11, and what people write who mean one of them."""

from gateway.directives.options import OptionTable
from gateway.directives.rows import life, placement, resources, special

GROUPS = {
    "How much": resources.ROWS,
    "Where": placement.ROWS,
    "The job's life": life.ROWS,
    "Submitting": special.CLIENT_ROWS,
    "Set by the gateway (ignored with a warning)": special.GATEWAY_ROWS,
    "Not allowed": special.REFUSED_ROWS,
    "Options of plug-ins (if the site has them)": special.SPANK_ROWS,
}
"""The rows by topic, as help and documentation show them."""

TABLE = OptionTable(option for rows in GROUPS.values() for option in rows)

RENAMED = {"workdir": "chdir", "share": "oversubscribe", "gpu-per-node": "gpus-per-node", "cpus": "cpus-per-task"}
"""What older releases, or habit, call an option: real sbatch does not know these either."""

OF_SRUN = frozenset(
    {"accel-bind", "bcast", "cpu-bind", "cpu_bind", "epilog", "het-group", "jobid", "kill-on-bad-exit", "label", "mpi",
     "multi-prog", "overlap", "preserve-env", "prolog", "pty", "task-epilog", "task-prolog", "unbuffered", "x11"}
)  # fmt: skip
"""Options that only srun knows and scripts often give to sbatch."""
