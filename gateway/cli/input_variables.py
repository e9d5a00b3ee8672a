"""Read sbatch's input environment variables as the options they stand for."""

from collections.abc import Mapping
from typing import Final

OPTION_OF: Final = {
    "SBATCH_ACCOUNT": "account",
    "SBATCH_ACCTG_FREQ": "acctg-freq",
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_BATCH": "batch",
    "SBATCH_CLUSTERS": "clusters",
    "SBATCH_CONSTRAINT": "constraint",
    "SBATCH_CORE_SPEC": "core-spec",
    "SBATCH_CPUS_PER_GPU": "cpus-per-gpu",
    "SBATCH_CPU_FREQ_REQ": "cpu-freq",
    "SBATCH_DELAY_BOOT": "delay-boot",
    "SBATCH_DISTRIBUTION": "distribution",
    "SBATCH_ERROR": "error",
    "SBATCH_EXPORT": "export",
    "SBATCH_GPUS": "gpus",
    "SBATCH_GPUS_PER_NODE": "gpus-per-node",
    "SBATCH_GPUS_PER_SOCKET": "gpus-per-socket",
    "SBATCH_GPUS_PER_TASK": "gpus-per-task",
    "SBATCH_GPU_BIND": "gpu-bind",
    "SBATCH_GPU_FREQ": "gpu-freq",
    "SBATCH_GRES": "gres",
    "SBATCH_GRES_FLAGS": "gres-flags",
    "SBATCH_HINT": "hint",
    "SLURM_HINT": "hint",
    "SBATCH_INPUT": "input",
    "SBATCH_JOB_NAME": "job-name",
    "SBATCH_MEM_BIND": "mem-bind",
    "SBATCH_MEM_PER_CPU": "mem-per-cpu",
    "SBATCH_MEM_PER_GPU": "mem-per-gpu",
    "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_NETWORK": "network",
    "SBATCH_OPEN_MODE": "open-mode",
    "SBATCH_OUTPUT": "output",
    "SBATCH_PARTITION": "partition",
    "SBATCH_PROFILE": "profile",
    "SBATCH_QOS": "qos",
    "SBATCH_REQ_SWITCH": "switches",
    "SBATCH_RESERVATION": "reservation",
    "SBATCH_SIGNAL": "signal",
    "SBATCH_THREADS_PER_CORE": "threads-per-core",
    "SBATCH_THREAD_SPEC": "thread-spec",
    "SBATCH_TIMELIMIT": "time",
    "SBATCH_WAIT_ALL_NODES": "wait-all-nodes",
    "SBATCH_WCKEY": "wckey",
}
"""Variables with a value (src/sbatch/opt.c, env_vars[], 22.05). SBATCH_GET_USER_ENV is left out: tenants may not."""

FLAG_OF: Final = {
    "SBATCH_EXCLUSIVE": "exclusive",
    "SBATCH_IGNORE_PBS": "ignore-pbs",
    "SBATCH_NO_KILL": "no-kill",
    "SBATCH_NO_REQUEUE": "no-requeue",
    "SBATCH_OVERCOMMIT": "overcommit",
    "SBATCH_REQUEUE": "requeue",
    "SBATCH_SPREAD_JOB": "spread-job",
    "SBATCH_USE_MIN_NODES": "use-min-nodes",
    "SBATCH_WAIT": "wait",
}
"""Variables that count by being set, whatever their value."""


def options_from(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an option, as on a command line, for each variable that is set.

    They belong before the options of the command line, which win over them as they win over the script's lines.
    """
    valued = {var: f"--{name}={variables[var]}" for var, name in OPTION_OF.items() if variables.get(var)}
    flags = {var: f"--{name}" for var, name in FLAG_OF.items() if var in variables}
    if variables.get("SBATCH_EXCLUSIVE") in {"user", "mcs"}:  # the one flag that may have a value
        flags["SBATCH_EXCLUSIVE"] = f"--exclusive={variables['SBATCH_EXCLUSIVE']}"
    return valued | flags
