"""Know the fields of sacct's format: their names, widths and values."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.cli.environment import Environment
from gateway.cli.rows import Row
from gateway.cli.times import record_duration, stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """One field; names and widths are those of src/sacct/sacct.c, a negative width stands to the left."""

    name: str
    width: int
    value: Callable[[Row, Environment], str]


def field_named(name: str) -> RecordField | None:
    """Find a field in any case, or by an unambiguous beginning as sacct does (the first in its table wins)."""
    wanted = name.lower()
    exact = next((field for field in FIELDS if field.name.lower() == wanted), None)
    return exact or next((field for field in FIELDS if wanted and field.name.lower().startswith(wanted)), None)


def _moment(moment: datetime | None, env: Environment) -> str:
    return stamp(moment, env.zone, env.variables.get("SLURM_TIME_FORMAT", "")) if moment else "Unknown"


def _nodes(row: Row) -> str:
    if row.node_list:
        return row.node_list
    return "None assigned"


def _limit(row: Row) -> str:
    limit = row.job.placement.time_limit_s
    return "UNLIMITED" if limit is None else record_duration(limit)


def _limit_minutes(row: Row) -> str:
    limit = row.job.placement.time_limit_s
    return "UNLIMITED" if limit is None else str(limit // 60)


def _tres(row: Row) -> str:
    resources = row.job.placement.resources
    parts = [f"cpu={resources.cpus}", f"mem={resources.memory_mb}M", f"node={row.nodes}"]
    return ",".join([*parts, *([f"gres/gpu={resources.gpus}"] if resources.gpus else [])])


def _started(row: Row, text: str, otherwise: str = "") -> str:
    return text if row.started_at else otherwise


def _waited(row: Row, env: Environment) -> str:
    until = row.started_at or row.ended_at or env.now()
    return record_duration(int((until - row.job.submitted_at).total_seconds()))


def _absent(name: str, width: int) -> RecordField:
    """A field of sacct's that the gateway does not know: it stays a column, empty as sacct leaves it without data."""
    return RecordField(name=name, width=width, value=lambda _row, _env: "")


_ABSENT: Final = {
    "AdminComment": 15, "AssocID": 7, "AveCPU": 10, "AveCPUFreq": 10, "AveDiskRead": 14, "AveDiskWrite": 14,
    "AvePages": 10, "AveRSS": 10, "AveVMSize": 10, "BlockID": 16, "Comment": 14, "Constraints": 19,
    "ConsumedEnergy": 14, "ConsumedEnergyRaw": 17, "Container": 19, "DBIndex": -21, "FailedNode": 8, "Flags": 19,
    "GID": 6, "Group": 9, "Layout": 9, "MaxDiskRead": 12, "MaxDiskReadNode": 15, "MaxDiskReadTask": 15,
    "MaxDiskWrite": 12, "MaxDiskWriteNode": 16, "MaxDiskWriteTask": 16, "MaxPages": 8, "MaxPagesNode": 12,
    "MaxPagesTask": 14, "MaxRSS": 10, "MaxRSSNode": 10, "MaxRSSTask": 10, "MaxVMSize": 10, "MaxVMSizeNode": 14,
    "MaxVMSizeTask": 14, "McsLabel": 12, "MinCPU": 10, "MinCPUNode": 10, "MinCPUTask": 10, "PlannedCPU": 10,
    "PlannedCPURAW": 13, "QOS": 10, "QOSRAW": 6, "ReqCPUFreq": 10, "ReqCPUFreqGov": 13, "ReqCPUFreqMax": 13,
    "ReqCPUFreqMin": 13, "Reservation": 20, "ReservationId": 8, "Reserved": 10, "ResvCPU": 10, "ResvCPURAW": 10,
    "SubmitLine": 20, "Suspended": 10, "SystemComment": 15, "SystemCPU": 10, "TotalCPU": 10, "TRESUsageInAve": 14,
    "TRESUsageInMax": 14, "TRESUsageInMaxNode": 18, "TRESUsageInMaxTask": 18, "TRESUsageInMin": 14,
    "TRESUsageInMinNode": 18, "TRESUsageInMinTask": 18, "TRESUsageInTot": 14, "TRESUsageOutAve": 15,
    "TRESUsageOutMax": 15, "TRESUsageOutMaxNode": 19, "TRESUsageOutMaxTask": 19, "TRESUsageOutMin": 15,
    "TRESUsageOutMinNode": 19, "TRESUsageOutMinTask": 19, "TRESUsageOutTot": 15, "UID": 6, "UserCPU": 10, "WCKey":
    10, "WCKeyID": 10,
}  # fmt: skip

FIELDS: Final[tuple[RecordField, ...]] = (
    RecordField(name="Account", width=10, value=lambda r, _: r.job.account),
    RecordField(name="AllocCPUS", width=10, value=lambda r, _: str(r.job.placement.resources.cpus)),
    RecordField(name="AllocNodes", width=10, value=lambda r, _: _started(r, str(r.nodes), otherwise="0")),
    RecordField(name="AllocTRES", width=10, value=lambda r, _: _started(r, _tres(r))),
    RecordField(name="Cluster", width=10, value=lambda r, _: r.job.cluster),
    RecordField(
        name="CPUTime", width=10, value=lambda r, _: record_duration(r.elapsed_s * r.job.placement.resources.cpus)
    ),
    RecordField(name="CPUTimeRAW", width=10, value=lambda r, _: str(r.elapsed_s * r.job.placement.resources.cpus)),
    RecordField(name="Elapsed", width=10, value=lambda r, _: record_duration(r.elapsed_s)),
    RecordField(name="ElapsedRaw", width=10, value=lambda r, _: str(r.elapsed_s)),
    RecordField(name="Eligible", width=19, value=lambda r, env: _moment(r.job.submitted_at, env)),
    RecordField(name="End", width=19, value=lambda r, env: _moment(r.ended_at, env)),
    RecordField(name="ExitCode", width=8, value=lambda r, _: f"{r.exit_code or 0}:{r.signal or 0}"),
    RecordField(name="DerivedExitCode", width=15, value=lambda r, _: f"{r.exit_code or 0}:0"),
    RecordField(name="JobID", width=-12, value=lambda r, _: r.address),
    RecordField(name="JobIDRaw", width=-12, value=lambda r, _: r.address),
    RecordField(name="JobName", width=10, value=lambda r, _: r.job.name),
    RecordField(name="NCPUS", width=10, value=lambda r, _: str(r.job.placement.resources.cpus)),
    RecordField(name="NNodes", width=8, value=lambda r, _: str(r.nodes)),
    RecordField(name="NodeList", width=15, value=lambda r, _: _nodes(r)),
    RecordField(name="NTasks", width=8, value=lambda r, _: str(r.job.placement.resources.tasks)),
    RecordField(name="Partition", width=10, value=lambda r, _: r.job.pool),
    RecordField(name="Planned", width=10, value=_waited),
    RecordField(name="Priority", width=10, value=lambda r, _: str(r.job.placement.priority)),
    RecordField(name="Reason", width=22, value=lambda r, _: r.why),
    RecordField(name="ReqCPUS", width=8, value=lambda r, _: str(r.job.placement.resources.cpus)),
    RecordField(name="ReqMem", width=10, value=lambda r, _: f"{r.job.placement.resources.memory_mb}M"),
    RecordField(name="ReqNodes", width=8, value=lambda r, _: str(r.job.placement.resources.nodes)),
    RecordField(name="ReqTRES", width=10, value=lambda r, _: _tres(r)),
    RecordField(name="Restarts", width=8, value=lambda r, _: str(max(0, r.job.attempt - 1))),
    RecordField(name="SlurmJobID", width=-12, value=lambda r, _: r.slurm_job_id),
    RecordField(name="Start", width=19, value=lambda r, env: _moment(r.started_at, env)),
    RecordField(name="State", width=10, value=lambda r, _: r.word),
    RecordField(name="Submit", width=19, value=lambda r, env: _moment(r.job.submitted_at, env)),
    RecordField(name="Timelimit", width=10, value=lambda r, _: _limit(r)),
    RecordField(name="TimelimitRaw", width=10, value=lambda r, _: _limit_minutes(r)),
    RecordField(name="User", width=9, value=lambda r, _: r.job.user),
    RecordField(name="WorkDir", width=20, value=lambda r, _: r.job.workdir or ""),
    *(_absent(name, width) for name, width in _ABSENT.items()),
)
