"""Define the seam to a cluster: a handful of verbs that every way of reaching Slurm offers.

Implementations live in `transports/`; `gateway.testing.FakeSlurm` is the shipped fake. All of them pass
`tests/contract/test_transport.py`.

Every verb raises `ClusterUnreachable` when it got no trustworthy answer. That never says anything about a job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.ids import AttemptId, ClusterName, SlurmJobId, UnixUser
from gateway.slurm.runner import Answer, Claim, CommandResult, FileSlice, ReadRequest, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder:
    """Everything one `sbatch` needs. The same order twice runs `sbatch` once."""

    attempt: AttemptId
    user: UnixUser
    uid: int
    options: tuple[str, ...]
    """sbatch options as `--name=value`, without the ones the transport itself sets (`--parsable`, `--chdir`)."""
    merged: bool = False
    """stderr goes into the same file as stdout."""
    array: bool = False
    """Each task writes files of its own: `stdout.<task>`."""
    batch: bytes
    """The batch script: what sbatch gets on stdin."""
    files: Mapping[str, bytes]
    """Further files of the attempt directory, by simple name (`script`, `attempt.json`, `wrapper.py`)."""
    deadline: float
    """Epoch seconds after which the sbatch must not be started any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmJob:
    """One record of Slurm's queue: a job, an array task, or the pending rest of an array."""

    job_id: SlurmJobId
    """Slurm's raw id of this record."""
    array_job_id: SlurmJobId | None
    array_tasks: str | None
    """The task (`3`), or for a pending rest the expression (`3-4%2`)."""
    state: str
    """Slurm's word in capitals, as it came: a reader must survive words it does not know."""
    reason: str
    uid: int
    name: str
    account: str
    partition: str
    submitted: int | None
    """Epoch seconds, as are all times here; None where Slurm says N/A, Unknown or nothing."""
    started: int | None
    ended: int | None
    time_limit_s: int | None
    """None is unlimited."""
    cpus: int
    nodes: int
    node_list: str
    workdir: str
    exit_code: int | None
    signal: int | None
    """None, like the exit code, while the job has not ended."""
    tres: str = ""
    """Trackable resources as Slurm writes them, allocated or while pending requested: `cpu=4,mem=4000M,node=1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One complete look at everything Slurm has in memory, running and lately ended."""

    cluster: ClusterName
    boot_time: int
    """When slurmctld started (epoch seconds): a change means its memory may have gone back in time."""
    jobs: tuple[SlurmJob, ...]
    unread: int = 0
    """Lines that could not be understood. More than none: absence in this look proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one job or array task ended, by accounting (sacct) or by the controller's own memory."""

    job_id: SlurmJobId
    array_job_id: SlurmJobId | None
    array_task: int | None
    uid: int | None
    state: str
    """Slurm's word without its tail: `CANCELLED`, never `CANCELLED by 1000`."""
    exit_code: int
    """By accounting without its 128: `exit 130` is 2 (Slurm 22.05.8). The controller and the exit record are exact."""
    signal: int | None
    submitted: int | None
    started: int | None
    ended: int | None
    elapsed_s: int | None
    cpus: int | None
    nodes: int | None
    node_list: str
    failed_node: str | None
    max_rss_kb: int | None
    workdir: str
    tres: str
    """Allocated trackable resources as Slurm writes them: `cpu=4,mem=4000M,node=1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """The nodes of a partition that are in one state."""

    state: str
    """Slurm's long word with its marks: `mixed`, `idle~`, `down*`."""
    nodes: int
    node_list: str
    cpus: int
    cpus_allocated: int
    cpus_idle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCapacity:
    """One partition, as `sinfo` counts it."""

    partition: str
    rank: int = 0
    """Its place among the partitions, in the order of slurm.conf."""
    default: bool
    available: bool
    nodes: int
    nodes_idle: int
    nodes_allocated: int
    """Allocated or mixed."""
    nodes_down: int
    """Down, drained, failing or not responding."""
    nodes_powered_down: int
    states: tuple[NodeState, ...] = ()
    """In sinfo's order."""
    cpus: int
    cpus_allocated: int
    cpus_idle: int
    cpus_per_node: int
    """Of the largest node."""
    memory_mb_per_node: int
    gpus: int
    gpus_per_node: int | None = None
    """Of the node with most; None before the cluster was looked at by a gateway that counts them."""
    max_time_s: int | None
    default_time_s: int | None


class Transport(Protocol):
    """One cluster, reached."""

    @property
    def cluster(self) -> ClusterName:
        """The cluster's name in the settings."""

    def submit(self, order: SubmitOrder, *, wait_s: float) -> Answer | None:
        """Run sbatch as the tenant and return its answer; None when it has not answered within `wait_s`.

        Idempotent: an attempt whose sbatch was launched before is only asked for its answer again. Raises
        ClusterRefused, before anything was started, when the user's uid is not the order's any more.
        """

    def answer(self, user: UnixUser, attempt: AttemptId) -> Answer | None:
        """Return what the attempt's sbatch answered, or None while there is nothing."""

    def sbatch_is_dead(self, user: UnixUser, attempt: AttemptId) -> bool:
        """Say whether the attempt's sbatch is known not to run (any more). False also when unknown."""

    def claim(self, user: UnixUser, attempt: AttemptId, *, void: bool) -> Claim:
        """Read who may run the attempt; with `void` first try to make it that nobody may."""

    def observe(self) -> Observation:
        """Look at all jobs at once (one query)."""

    def outcomes(self, job_ids: Sequence[SlurmJobId], *, since: int) -> list[Outcome]:
        """Ask accounting for jobs, array tasks one by one (one query), oldest first. Empty without accounting.

        An id can come several times: after a requeue, and when Slurm used it again. User, submit time and working
        directory tell whose it is. Tasks cancelled before they started are one outcome without a task number, or none
        at all when they were cancelled one by one (seen on 22.05.8). `since` (epoch seconds) is not later than the
        oldest of the submissions.
        """

    def controller_outcomes(self, job_ids: Sequence[SlurmJobId]) -> list[Outcome]:
        """Ask the controller's own memory (one query); what it has forgotten is missing from the answer."""

    def accounting_settled(self) -> bool:
        """Say whether accounting knows all that the controller knows (its queue to slurmdbd is empty).

        Only then can it count that `outcomes` has nothing, and only some seconds after the job's last change: the
        queue was seen empty while accounting knew nothing yet (0.5 s) or not whose job it was (5 s, on 22.05.8).
        Without accounting nothing more will come: true.
        """

    def cancel(
        self, user: UnixUser, job_ids: Sequence[str], *, signal: str | None = None, target: Target = "default"
    ) -> CommandResult:
        """Run scancel as the tenant; ids may be task addresses (`36_1`). Success says nothing about a job's end.

        With a `signal` nothing but that is sent, and only what runs can get it.
        """

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        """Read byte ranges of files in the user's attempt directories, in one call."""

    def capacity(self) -> list[PoolCapacity]:
        """Count the nodes and CPUs of every partition."""

    def check_visibility(self) -> None:
        """Raise `GatewayFault` if this identity is not shown other people's jobs: nothing it sees then means anything.

        Under `PrivateData=jobs` an ordinary user gets an empty list and exit code 0 (seen on 22.05.8).
        """

    def ping(self) -> str:
        """Return Slurm's version, or raise `ClusterUnreachable`."""
