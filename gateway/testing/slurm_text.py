"""Write what squeue, sacct, sinfo, scontrol and sdiag print about a fake cluster, so that the real parser reads it.

The fields and their order are those of `gateway.slurm.commands`; the values look as 22.05.8 prints them.
"""

from collections.abc import Iterable, Sequence

from gateway.slurm.commands import ACCOUNTING_FIELDS, POOL_FIELDS, QUEUE_FIELDS, SEPARATOR
from gateway.testing.fake_controller import FakeController, FakeJob

NODES = 4
CPUS_A_NODE = 4


def squeue(jobs: Iterable[FakeJob], mark: str) -> str:
    """Print the queue: tasks of an array that have not started share one record."""
    return "".join(_queue_line(job, tasks or "N/A", mark) for job, tasks in _records(jobs))


def sacct(jobs: Iterable[FakeJob], mark: str) -> str:
    """Print accounting's records, each with its batch step if it ran."""
    lines = []
    for job, tasks in _records(jobs):
        record = _accounting_record(job, tasks)
        lines.append(record)
        if job.started is not None and job.state != "CANCELLED":
            step = {"WorkDir": "", "UID": "", "JobIDRaw": f"{job.job_id}.batch", "MaxRSS": str(4 << 20)}
            lines.append(record | step)
    return "".join("".join(line[name] + mark for name in ACCOUNTING_FIELDS) + "\n" for line in lines)


def sinfo(jobs: Iterable[FakeJob]) -> str:
    """Print one partition of four nodes."""
    total = NODES * CPUS_A_NODE
    used = min(total, sum(job.cpus for job in jobs if job.state == "RUNNING"))
    state = "mixed" if used else "idle"
    cells = ("cpu*", "up", "1-00:00:00", "1:00:00", str(NODES), state, f"{used}/{total - used}/0/{total}", "4")
    return SEPARATOR.join((*cells, "4000", "(null)", f"c[1-{NODES}]")[: len(POOL_FIELDS)]) + "\n"


def config(controller: FakeController) -> str:
    """Print what the gateway reads of `scontrol show config`."""
    return (
        f"Configuration data as of {controller.now}\n"
        "AccountingStorageType   = accounting_storage/slurmdbd\n"
        f"BOOT_TIME               = {controller.boot_time}\n"
        "PrivateData             = none\n"
        "SlurmUser               = slurm(64030)\n"
        "SLURM_VERSION           = 22.05.8\n"
    )


def sdiag(controller: FakeController) -> str:
    """Print what the gateway reads of sdiag."""
    return (
        f"Server thread count:  3\nAgent queue size:     0\nDBD Agent queue size: {controller.accounting_backlog()}\n"
    )


def _records(jobs: Iterable[FakeJob]) -> list[tuple[FakeJob, str]]:
    """Pair every record with its task (`3`), a pending rest's tasks (`4,5%2`), or nothing."""
    records: list[tuple[FakeJob, str]] = []
    rests: dict[tuple[int | None, str], list[FakeJob]] = {}
    for job in jobs:
        if job.split:
            records.append((job, "" if job.task is None else str(job.task)))
        else:
            rests.setdefault((job.array_job_id, job.state), []).append(job)
    return records + [(rest[0], ",".join(str(job.task) for job in rest) + rest[0].throttle) for rest in rests.values()]


def _queue_line(job: FakeJob, tasks: str, mark: str) -> str:
    fields = {
        "JobID": str(job.job_id),
        "ArrayJobID": str(job.array_job_id or job.job_id),
        "ArrayTaskID": tasks,
        "State": job.state,
        "Reason": job.reason,
        "UserID": str(job.uid),
        "SubmitTime": str(job.submitted),
        "StartTime": _time(job.started, "N/A"),
        "EndTime": _time(job.ended, "N/A"),
        "TimeLimit": _duration(job.time_limit_s),
        "NumCPUs": str(job.cpus),
        "NumNodes": str(job.nodes),
        "NodeList": _node_list(job),
        "exit_code": str(job.exit_code << 8 | (job.signal or 0)),
        "Account": job.account,
        "Partition": job.partition,
        "tres-alloc": _tres(job),
    }
    values: Sequence[str] = [fields[name] + SEPARATOR for name in QUEUE_FIELDS]
    return "".join(values) + job.name + mark + job.workdir + mark + "\n"


def _accounting_record(job: FakeJob, tasks: str) -> dict[str, str]:
    elapsed = (job.ended or job.started or 0) - (job.started or 0)
    # sacct prints codes of 128 and more without their 128.
    code = job.exit_code - 128 if job.exit_code >= 128 else job.exit_code
    in_array = tasks if tasks.isdecimal() else f"[{tasks}]"
    return {
        "WorkDir": job.workdir,
        "JobIDRaw": str(job.job_id),
        "JobID": f"{job.array_job_id}_{in_array}" if tasks else str(job.job_id),
        "UID": str(job.uid),
        "State": f"CANCELLED by {job.uid}" if job.state == "CANCELLED" else job.state,
        "ExitCode": f"{code}:{job.signal or 0}",
        "Submit": str(job.submitted),
        "Start": _time(job.started, "Unknown"),
        "End": _time(job.ended, "Unknown"),
        "ElapsedRaw": str(elapsed),
        "AllocCPUS": str(job.cpus),
        "AllocNodes": str(job.nodes),
        "NodeList": _node_list(job) or "None assigned",
        "MaxRSS": "",
        "AllocTRES": _tres(job) if job.started else "",
    }


def _time(moment: int | None, none: str) -> str:
    return none if moment is None else str(moment)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "UNLIMITED"
    days, rest = divmod(seconds, 86_400)
    return f"{days}-{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def _node_list(job: FakeJob) -> str:
    if job.started is None:
        return ""
    return "c1" if job.nodes == 1 else f"c[1-{job.nodes}]"


def _tres(job: FakeJob) -> str:
    return f"cpu={job.cpus},mem={job.cpus * 1000}M,node={job.nodes},billing={job.cpus}"
