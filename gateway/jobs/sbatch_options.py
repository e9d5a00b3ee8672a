"""Write the options of one sbatch command line: everything explicit, nothing left to defaults that could change."""

from datetime import datetime
from pathlib import PurePosixPath

from gateway.directives import Directives
from gateway.jobs.needs import slurm_needs


def sbatch_options(
    directives: Directives,
    *,
    name: str,
    account: str,
    partition: str,
    workdir: str,
    time_limit_s: int | None,
    mem_per_cpu_mb: int,
    now: datetime,
) -> tuple[str, ...]:
    """Return the options as `--name=value`, without those that the transport sets (`--parsable`, `--chdir`).

    `partition` may be empty: the cluster's default. `time_limit_s` None is unlimited. `mem_per_cpu_mb` is for a job
    that names no memory. `now` is aware and in the cluster's time zone. Raises InvalidRequest for dependencies that
    cannot be expressed.
    """
    d = directives
    mapped: list[tuple[str, str | None]] = [
        ("job-name", name),
        ("account", account),
        ("partition", partition or None),
        ("qos", d.qos),
        ("input", None if d.input is None else str(PurePosixPath(workdir) / d.input)),
        ("array", None if d.array is None else str(d.array)),
        ("dependency", slurm_needs(d)),
        ("kill-on-invalid-dep", d.kill_on_invalid_dependency),
        ("begin", _local(d.begin.at(now)) if d.begin else None),
        ("deadline", _local(d.deadline.at(now)) if d.deadline else None),
    ]
    own = [f"--{option}={value}" for option, value in mapped if value is not None]
    given = {setting.name for setting in d.passthrough}
    if "time" not in given:
        own.append(f"--time={'UNLIMITED' if time_limit_s is None else -(-time_limit_s // 60)}")
    if not given & {"mem", "mem-per-cpu", "mem-per-gpu"}:
        own.append(f"--mem-per-cpu={mem_per_cpu_mb}M")
    if d.hold:
        own.append("--hold")
    return (*own, *d.sbatch_arguments)


def _local(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
