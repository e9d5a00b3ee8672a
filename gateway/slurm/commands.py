"""Build the command lines by which Slurm is asked and told; pure, every one an argv list.

Tenants choose job names, and may change a job's working directory, to anything: newlines and separators included
(seen on 22.05.8). So the two free texts are fenced by a `mark`, a text that the caller makes anew for every query and
that nobody can put into a name beforehand. All other fields are written by Slurm itself.
"""

import time
from collections.abc import Sequence
from typing import Final

from gateway.slurm.transport import SubmitOrder

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "SLURM_TIME_FORMAT": "%s",
    # Otherwise squeue cuts the task list of a pending array after 64 characters.
    "SLURM_BITSTR_LEN": "0",
}
"""What every query runs with, and nothing else but SLURM_CONF: SQUEUE_*, SACCT_* and SLURM_* change the output."""

SEPARATOR: Final = "\x1f"
QUEUE_FIELDS: Final = (
    "JobID",
    "ArrayJobID",
    "ArrayTaskID",
    "State",
    "Reason",
    "UserID",
    "SubmitTime",
    "StartTime",
    "EndTime",
    "TimeLimit",
    "NumCPUs",
    "NumNodes",
    "NodeList",
    "exit_code",
    "Account",
    "Partition",
    "tres-alloc",
)
"""What Slurm itself writes; `Name` and `WorkDir` follow."""

ACCOUNTING_FIELDS: Final = (
    "WorkDir",
    "JobIDRaw",
    "JobID",
    "UID",
    "State",
    "ExitCode",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "AllocCPUS",
    "AllocNodes",
    "NodeList",
    "MaxRSS",
    "AllocTRES",
)
"""`WorkDir` first: what it contains can then not be taken for the end of a record."""

POOL_FIELDS: Final = ("%P", "%a", "%l", "%L", "%D", "%T", "%C", "%c", "%m", "%G", "%N")


def sbatch(order: SubmitOrder, directory: str) -> list[str]:
    """Hand over the order's script, which comes on stdin; `directory` is the attempt's own and our marker in Slurm.

    The environment is made by the privileged helper, so it is exported whole: `--export=NONE` makes srun fail inside
    the script. Retries are the gateway's, hence `--no-requeue`. Ours come last: of two the last one counts.
    """
    if strangers := [option for option in order.options if not option.startswith("--") or option == "--"]:
        raise ValueError(f"not sbatch options: {strangers}")  # sbatch would take them for the script and its arguments
    task = ".%a" if order.array else ""
    outputs = [f"--output={_literal(directory)}/stdout{task}"]
    if not order.merged:
        outputs.append(f"--error={_literal(directory)}/stderr{task}")
    fixed = ["--parsable", "--export=ALL", "--no-requeue", f"--chdir={directory}", *outputs]
    return ["sbatch", *order.options, *fixed]


def squeue(mark: str, job_ids: Sequence[str] = ()) -> list[str]:
    """List all jobs that the controller remembers, lately ended ones included, or just these (jobs and arrays)."""
    # Without a size a field is neither padded nor cut; what stands after the colon is printed behind the value.
    plain = [f"{field}:{SEPARATOR}" for field in QUEUE_FIELDS]
    layout = ",".join([*plain, f"Name:{mark}", f"WorkDir:{mark}"])
    chosen = [f"--jobs={','.join(job_ids)}"] if job_ids else []
    return ["squeue", "--noheader", "--all", "--local", "--noconvert", "--states=all", *chosen, f"--Format={layout}"]


def sacct(mark: str, job_ids: Sequence[str], *, since: int) -> list[str]:
    """Ask accounting for jobs with their steps, all records of an id, not older than `since` (epoch seconds).

    Without a start sacct reads its tables from 1970 on. Steps come along because only they know the memory used;
    `--duplicates` because the newest record of an id may be another job's, after ids were used again.
    """
    return [
        "sacct",
        "--noheader",
        "--allusers",
        "--duplicates",
        "--noconvert",
        "--parsable",
        f"--delimiter={mark}",
        f"--starttime={time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(since))}",
        f"--jobs={','.join(job_ids)}",
        f"--format={','.join(ACCOUNTING_FIELDS)}",
    ]


def sinfo() -> list[str]:
    """List the nodes of every partition by what they are and do."""
    return ["sinfo", "--noheader", "--all", "--local", "--exact", f"--format={SEPARATOR.join(POOL_FIELDS)}"]


def show_config() -> list[str]:
    """Ask the controller for its version, its boot time and who may see what."""
    return ["scontrol", "show", "config"]


def sdiag() -> list[str]:
    """Ask the controller how much it has still to tell accounting."""
    return ["sdiag"]


def admin_level(user: str) -> list[str]:
    """Ask accounting what a user may see."""
    return ["sacctmgr", "--noheader", "--parsable2", "show", "user", user, "format=User,AdminLevel"]


def _literal(path: str) -> str:
    """sbatch replaces `%x` and the like in file names."""
    return path.replace("%", "%%")
