"""Define what travels between clients and the gateway: requests, views and problems, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.states import Phase, Reason, State

Runtime = Literal["script", "srun", "mpi"]
Stream = Literal["stdout", "stderr", "both"]
Role = Literal["member", "admin", "operator"]

MAX_SCRIPT_BYTES = 4 * 1024 * 1024
"""As slurmctld's own default (`max_script_size`, 4 MB)."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Bytes = Annotated[int, Field(ge=0, le=2**62)]
Seconds = Annotated[int, Field(ge=1, le=10 * 366 * 24 * 3600)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class InputRequest(_Request):
    """A file to bring to the job before it starts."""

    source: Annotated[str, Field(alias="from", max_length=4096)]
    to: Annotated[str, Field(max_length=1024)]


class JobRequest(_Request):
    """A job to run: either a batch `script` with its `options`, or a described run (`runtime`, `command`, …)."""

    tenant_id: Annotated[str | None, Field(alias="tenantId", max_length=64)] = None
    """Must be the tenant of the credential; left out, it is."""

    script: str | None = None
    """A batch script, as one would hand to `sbatch`, with its `#SBATCH` lines."""
    script_base64: str | None = None
    """The same in base64, for scripts that are not UTF-8."""
    script_name: Annotated[str | None, Field(max_length=255)] = None
    """The script's file name: the job's name when nothing else names it, as with `sbatch`."""
    options: Annotated[tuple[str, ...], Field(max_length=200)] = ()
    """sbatch options as on a command line (`["--nodes=4", "-t", "10:00"]`); they beat the script's own lines."""
    args: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Arguments for the script, or for a command given as a list."""

    runtime: Runtime | None = None
    command: Annotated[str | tuple[str, ...] | None, Field()] = None
    """A program and its arguments as a list; or one line for a shell, run once per task with srun and mpi."""
    name: Name | None = None
    nodes: Count | None = None
    tasks: Count | None = None
    tasks_per_node: Count | None = None
    cpus_per_task: Count | None = None
    memory: Annotated[str | int | None, Field()] = None
    """Memory per node: MB as a number, or text such as `4G`."""
    gpus: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    """GPUs per node."""
    time_limit: Annotated[str | int | None, Field()] = None
    """Minutes as a number, or Slurm's forms: `30`, `1:30:00`, `2-12`."""
    array: Annotated[str | None, Field(max_length=1024)] = None
    pool: Annotated[str | None, Field(max_length=64)] = None
    env: dict[str, str] = {}
    workdir: Annotated[str | None, Field(max_length=4096)] = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Orders a tenant's own jobs while they wait in the gateway; larger first."""
    inputs: Annotated[tuple[InputRequest, ...], Field(max_length=10_000)] = ()
    estimated_cores: Count | None = None
    expected_runtime: Seconds | None = None
    storage_bytes: Bytes | None = None
    output_bytes: Bytes | None = None
    cost_estimate: Annotated[str | None, Field(max_length=32)] = None
    """The caller's own estimate, as decimal text; recorded beside ours."""


class SignalRequest(_Request):
    """A signal for a job that runs."""

    signal: Annotated[str, Field(max_length=16)]
    """A name, with or without SIG, or a number."""
    target: Literal["batch", "full"] | None = None
    """As `scancel`: null the job's steps, `batch` the batch script alone, `full` both."""


class Resources(_View):
    """What the job asks of Slurm, at most."""

    nodes: int
    tasks: int
    cpus: int
    memory_mb: int
    """Of the whole job; 0 where every node is asked for with all its memory."""
    gpus: int
    array_tasks: int | None = None
    array_throttle: int | None = None


class Placement(_View):
    """Where and how the job is meant to run."""

    cluster: str
    pool: str
    partition: str
    resources: Resources
    time_limit_s: int | None
    """None is unlimited."""
    expected_runtime_s: int | None
    priority: int


class JobCheck(_View):
    """What would become of a job that was only checked: nothing was submitted."""

    name: str
    placement: Placement
    workdir: str
    warnings: tuple[str, ...] = ()


class ArrayCounts(_View):
    """What has become of an array's tasks."""

    expression: str
    """The array as it was asked for: `1-10%2`."""
    rest: str | None = None
    """The tasks that have not started, written the same way: they wait, or in an array that is over never ran."""
    rest_reason: str | None = None
    """Slurm's word for why the rest waits."""
    total: int
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int


class JobView(_View):
    """A job as its people see it."""

    id: str
    name: str
    tenant: str
    user: str
    unix_user: str
    account: str
    state: State
    phase: Phase
    reason: Reason
    message: str | None
    """Why it is in this state, for people: Slurm's reason while it waits, sbatch's words when it was refused."""
    pool: str
    cluster: str
    runtime: Runtime
    placement: Placement
    cost_estimate: str | None = None
    """Decimal text in the operator's currency; null until prices exist."""
    slurm_job_id: str | None
    node_list: str | None
    nodes_allocated: int | None
    attempt: int
    array: ArrayCounts | None = None
    workdir: str | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_s: int | None
    exit_code: int | None
    signal: int | None
    cancel_requested: bool
    warnings: tuple[str, ...] = ()


class JobPage(_View):
    items: tuple[JobView, ...]
    next_cursor: str | None = None


class TaskView(_View):
    """One task of a job array."""

    task: int
    address: str
    """`JOB_TASK`, as Slurm writes it."""
    state: State
    reason: Reason | None
    slurm_job_id: str
    node_list: str | None
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    signal: int | None


class TaskPage(_View):
    items: tuple[TaskView, ...]
    next_cursor: str | None = None


class EventView(_View):
    """One entry of a job's story."""

    seq: int
    job_id: str
    step: str | None
    attempt: int | None
    at: datetime
    kind: str
    from_phase: Phase | None
    to_phase: Phase | None
    reason: Reason | None
    actor: str
    message: str | None


class EventPage(_View):
    items: tuple[EventView, ...]
    next_cursor: str | None = None


class NodeStateView(_View):
    """The nodes of a pool that are in one state."""

    state: str
    """Slurm's word with its marks, as `sinfo -o %T` prints it: `mixed`, `idle~` (powered down), `down*`."""
    nodes: int
    node_list: str
    """As Slurm writes it: `c[1-4]`."""
    cpus: int
    cpus_allocated: int
    cpus_idle: int


class NodePool(_View):
    """A cluster's partition, offered to tenants."""

    name: str
    cluster: str
    partition: str
    default: bool
    available: bool
    """False while the partition is down or its cluster does not answer."""
    nodes: int
    nodes_idle: int
    nodes_allocated: int
    nodes_down: int
    nodes_powered_down: int
    """Nodes that power saving switched off and Slurm starts on demand."""
    states: tuple[NodeStateView, ...] = ()
    cpus: int
    cpus_allocated: int
    cpus_idle: int
    cpus_per_node: int
    memory_mb_per_node: int
    gpus: int
    max_time_s: int | None
    jobs_queued: int
    jobs_running: int
    observed_at: datetime | None
    price: str | None = None
    eta_s: int | None = None
    """Null until prices and history exist."""


class NodePoolList(_View):
    items: tuple[NodePool, ...]


class WhoAmI(_View):
    tenant: str
    user: str
    role: Role
    token_id: str
    expires_at: datetime | None


class TenantRequest(_Request):
    id: Annotated[str, Field(max_length=31)]
    account: Annotated[str | None, Field(max_length=64)] = None
    """The tenant's Slurm account; the tenant's id when left out."""
    display_name: Annotated[str | None, Field(max_length=200)] = None


class TenantView(_View):
    id: str
    account: str
    display_name: str | None
    created_at: datetime


class UserRequest(_Request):
    name: Annotated[str, Field(max_length=31)]
    unix_user: Annotated[str, Field(max_length=32)]


class UserView(_View):
    tenant: str
    name: str
    unix_user: str
    created_at: datetime


class TokenRequest(_Request):
    user: Annotated[str, Field(max_length=31)]
    role: Role = "member"
    label: Annotated[str | None, Field(max_length=200)] = None
    expires_in_s: Seconds | None = None


class TokenView(_View):
    id: str
    tenant: str
    user: str
    role: Role
    label: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    token: str | None = None
    """The secret itself, shown exactly once: in the answer that made it."""


class ProblemDetail(_View):
    where: str
    message: str
    hint: str | None = None


class Problem(BaseModel):
    """RFC 9457. `type` is stable: clients may switch on its last part."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    hint: str | None = None
    retryable: bool = False
    errors: tuple[ProblemDetail, ...] = ()

    @property
    def name(self) -> str:
        """The stable last part of `type`, such as `not-found`."""
        return self.type.rsplit("/", 1)[-1]


class LogChunk(_View):
    """The data of one `chunk` event of a followed log."""

    stream: Literal["stdout", "stderr"]
    offset: int
    time: float
    text: str | None = None
    base64: str | None = None


class LogEnd(_View):
    """The data of the `end` event: nothing will follow."""

    state: State
    exit_code: int | None = None
    signal: int | None = None


Json = dict[str, Any]
