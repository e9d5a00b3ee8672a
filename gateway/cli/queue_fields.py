"""Know the fields of squeue's format: their letters, headers and values."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.cli.environment import Environment
from gateway.cli.rows import Row
from gateway.cli.states import COMPACT
from gateway.cli.times import queue_duration, stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueField:
    """One letter of the format; headers are those of src/squeue/print.c."""

    header: str
    value: Callable[[Row, Environment], str]
    cut: bool = True
    """Whether a value that is too wide is cut when it stands to the right."""


def _time(moment: datetime | None, env: Environment) -> str:
    return stamp(moment, env.zone, env.variables.get("SLURM_TIME_FORMAT", "")) if moment else "N/A"


def _limit(row: Row, used: int = 0) -> str:
    limit = row.job.placement.time_limit_s
    return "UNLIMITED" if limit is None else queue_duration(limit - used)


def _end(row: Row, env: Environment) -> str:
    limit = row.job.placement.time_limit_s
    if row.ended_at is None and row.started_at is not None and limit is not None:
        return _time(datetime.fromtimestamp(row.started_at.timestamp() + limit, row.started_at.tzinfo), env)
    return _time(row.ended_at, env)


def _place(row: Row) -> str:
    waits_or_failed = row.word in {"PENDING", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"}
    return f"({row.why})" if waits_or_failed else row.node_list


def _memory(row: Row) -> str:
    resources = row.job.placement.resources
    return f"{resources.memory_mb // max(1, resources.nodes)}M" if resources.memory_mb else "0"


def _absent(header: str) -> QueueField:
    """A field that squeue has and the gateway does not know: it stays a column, so that scripts keep their count."""
    return QueueField(header=header, value=lambda _row, _env: "N/A")


FIELDS: Final[dict[str, QueueField]] = {
    "a": QueueField(header="ACCOUNT", value=lambda r, _: r.job.account),
    "A": QueueField(header="JOBID", value=lambda r, _: r.job.id),
    "b": _absent("TRES_PER_NODE"),
    "B": _absent("EXEC_HOST"),
    "c": _absent("MIN_CPUS"),
    "C": QueueField(header="CPUS", value=lambda r, _: str(r.job.placement.resources.cpus)),
    "d": _absent("MIN_TMP_DISK"),
    "D": QueueField(header="NODES", value=lambda r, _: str(r.nodes)),
    "e": QueueField(header="END_TIME", value=_end),
    "E": _absent("DEPENDENCY"),
    "f": _absent("FEATURES"),
    "F": QueueField(header="ARRAY_JOB_ID", value=lambda r, _: r.job.id),
    "g": _absent("GROUP"),
    "G": _absent("GROUP"),
    "h": _absent("OVER_SUBSCRIBE"),
    "H": _absent("SOCKETS_PER_NODE"),
    "i": QueueField(header="JOBID", value=lambda r, _: r.address),
    "I": _absent("CORES_PER_SOCKET"),
    "j": QueueField(header="NAME", value=lambda r, _: r.job.name),
    "J": _absent("THREADS_PER_CORE"),
    "k": _absent("COMMENT"),
    "K": QueueField(header="ARRAY_TASK_ID", value=lambda r, _: r.task or "N/A"),
    "l": QueueField(header="TIME_LIMIT", value=lambda r, _: _limit(r), cut=False),
    "L": QueueField(header="TIME_LEFT", value=lambda r, _: _limit(r, r.elapsed_s), cut=False),
    "m": QueueField(header="MIN_MEMORY", value=lambda r, _: _memory(r)),
    "M": QueueField(header="TIME", value=lambda r, _: queue_duration(r.elapsed_s)),
    "n": _absent("REQ_NODES"),
    "N": QueueField(header="NODELIST", value=lambda r, _: r.node_list, cut=False),
    "o": _absent("COMMAND"),
    "O": _absent("CONTIGUOUS"),
    "p": QueueField(header="PRIORITY", value=lambda r, _: str(r.job.placement.priority)),
    "P": QueueField(header="PARTITION", value=lambda r, _: r.job.pool),
    "q": _absent("QOS"),
    "Q": QueueField(header="PRIORITY", value=lambda r, _: str(r.job.placement.priority)),
    "r": QueueField(header="REASON", value=lambda r, _: r.why),
    "R": QueueField(header="NODELIST(REASON)", value=lambda r, _: _place(r), cut=False),
    "S": QueueField(header="START_TIME", value=lambda r, env: _time(r.started_at, env)),
    "t": QueueField(header="ST", value=lambda r, _: COMPACT[r.word]),
    "T": QueueField(header="STATE", value=lambda r, _: r.word),
    "u": QueueField(header="USER", value=lambda r, _: r.job.user),
    "U": QueueField(header="UID", value=lambda r, _: r.job.unix_user),
    "v": _absent("RESERVATION"),
    "V": QueueField(header="SUBMIT_TIME", value=lambda r, env: _time(r.job.submitted_at, env)),
    "w": _absent("WCKEY"),
    "W": _absent("LICENSES"),
    "x": _absent("EXC_NODES"),
    "X": _absent("CORE_SPEC"),
    "y": QueueField(header="NICE", value=lambda r, _: str(-r.job.placement.priority)),
    "Y": _absent("SCHEDNODES"),
    "z": _absent("S:C:T"),
    "Z": QueueField(header="WORK_DIR", value=lambda r, _: r.job.workdir or ""),
}
