"""List the tables. Only `jobs/lifecycle.py` writes the columns called state, phase and reason."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from gateway.db.columns import METADATA, BigInt, Table, json, moment, table, when

__all__ = ["METADATA"]


class Tenant(Table, table=True):
    __tablename__ = "tenants"

    id: str = Field(primary_key=True, max_length=31)
    account: str = Field(max_length=64)
    """The Slurm account its jobs are charged to."""
    display_name: str | None = Field(default=None, max_length=200)
    created_at: datetime = moment()
    last_event: int = Field(default=0, sa_type=BigInt)
    """The number of the tenant's newest event: a counter row makes commit order and number order the same."""


class User(Table, table=True):
    __tablename__ = "users"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    tenant_id: str = Field(foreign_key="tenants.id", max_length=31)
    name: str = Field(max_length=31)
    unix_user: str = Field(max_length=32)
    """The Unix user this person's jobs run as, on every cluster."""
    created_at: datetime = moment()


class Token(Table, table=True):
    __tablename__ = "tokens"

    id: str = Field(primary_key=True, max_length=16)
    user_id: int = Field(foreign_key="users.id", index=True, sa_type=BigInt)
    digest: bytes
    """SHA-256 of the secret: 256 random bits need no slow hash."""
    role: str = Field(max_length=16)
    label: str | None = Field(default=None, max_length=200)
    created_at: datetime = moment()
    expires_at: datetime | None = when()
    revoked_at: datetime | None = when()


class Job(Table, table=True):
    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
        sa.Index("ix_jobs_tenant_id_phase_id", "tenant_id", "phase", "id"),
        sa.Index("ix_jobs_tenant_id_ended_at", "tenant_id", "ended_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    tenant_id: str = Field(foreign_key="tenants.id", max_length=31)
    user_id: int = Field(foreign_key="users.id", sa_type=BigInt)
    user_name: str = Field(max_length=31)
    name: str = Field(max_length=200)
    cluster: str = Field(max_length=64)
    pool: str = Field(max_length=64)
    unix_user: str = Field(max_length=32)
    uid: int
    account: str = Field(max_length=64)
    """cluster, unix_user, uid and account are resolved at submission and never change."""
    priority: int = 0
    state: str = Field(max_length=16)
    phase: str = Field(max_length=16)
    reason: str = Field(max_length=32)
    message: str | None = None
    version: int = 0
    spec: dict[str, Any] = json()
    """The validated JobSpec without the script, which has a table of its own so that lists stay quick."""
    warnings: list[str] = json()
    array_tasks: int | None = None
    """How many tasks an array has; null for a job that is not one."""
    created_at: datetime = moment()
    started_at: datetime | None = when()
    ended_at: datetime | None = when()
    exit_code: int | None = None
    exit_signal: int | None = None
    cancel_requested_at: datetime | None = when()
    cancel_requested_by: str | None = Field(default=None, max_length=64)


class JobScript(Table, table=True):
    __tablename__ = "job_scripts"

    job_id: int = Field(primary_key=True, foreign_key="jobs.id", sa_type=BigInt)
    script: bytes


class JobDependency(Table, table=True):
    """One condition on another job of the gateway, resolved here because Slurm's ids change with every retry."""

    __tablename__ = "job_dependencies"

    job_id: int = Field(primary_key=True, foreign_key="jobs.id", sa_type=BigInt)
    needs_job_id: int = Field(primary_key=True, foreign_key="jobs.id", sa_type=BigInt, index=True)
    kind: str = Field(primary_key=True, max_length=16)


class Step(Table, table=True):
    __tablename__ = "steps"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "name"),
        # What the controllers ask for all the time; final steps are not in it, so it does not grow with history.
        sa.Index(
            "ix_steps_active",
            "cluster",
            "phase",
            "rank",
            "id",
            sqlite_where=sa.text("phase NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')"),
            postgresql_where=sa.text("phase NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    job_id: int = Field(foreign_key="jobs.id", index=True, sa_type=BigInt)
    name: str = Field(max_length=24)
    cluster: str = Field(max_length=64)
    rank: int = 0
    """The job's priority, negated: the queue is read in this order, and an index sorts upwards."""
    phase: str = Field(max_length=16)
    reason: str = Field(max_length=32)
    version: int = 0
    since: datetime = moment()
    """When it entered its phase."""
    due_at: datetime = moment()
    """Not to be acted on before: back-off, and the pause between two looks."""
    tries: int = 0
    """Attempts made that count against the budget of attempts."""
    attempt_id: str | None = Field(default=None, max_length=64)
    """The newest attempt."""
    lease_holder: str | None = Field(default=None, max_length=64)
    lease_token: int = Field(default=0, sa_type=BigInt)
    """Counts every change of holder: the fencing token."""
    lease_expires_at: datetime | None = when()


class Attempt(Table, table=True):
    __tablename__ = "attempts"
    __table_args__ = (sa.Index("ix_attempts_cluster_slurm_job_id", "cluster", "slurm_job_id"),)

    id: str = Field(primary_key=True, max_length=64)
    job_id: int = Field(foreign_key="jobs.id", index=True, sa_type=BigInt)
    step_id: int = Field(foreign_key="steps.id", index=True, sa_type=BigInt)
    number: int
    cluster: str = Field(max_length=64)
    unix_user: str = Field(max_length=32)
    uid: int
    phase: str = Field(max_length=16)
    reason: str = Field(max_length=32)
    created_at: datetime = moment()
    """When the intent was recorded, before sbatch."""
    sbatch_deadline: datetime = moment()
    """No sbatch of this attempt starts after this."""
    slurm_job_id: str | None = Field(default=None, max_length=20)
    slurm_submitted: int | None = Field(default=None, sa_type=BigInt)
    """Slurm's own submit time (epoch seconds): with cluster, id and uid it names one Slurm job for ever."""
    bound_at: datetime | None = when()
    missing_looks: int = 0
    """Complete looks at the cluster, one after the other, that did not show the job."""
    slurm_state: str | None = Field(default=None, max_length=32)
    slurm_reason: str | None = Field(default=None, max_length=200)
    """Of an array the reason of its rest, as long as it has one."""
    array_rest: str | None = None
    """The tasks of an array that share one record of Slurm's, in its own words (`3-4,7%2`): they have not started."""
    started_at: datetime | None = when()
    ended_at: datetime | None = when()
    exit_code: int | None = None
    exit_signal: int | None = None
    node_list: str | None = None
    nodes: int | None = None
    cpus: int | None = None
    elapsed_s: int | None = None
    max_rss_kb: int | None = Field(default=None, sa_type=BigInt)
    tres: str | None = None
    outcome_source: str | None = Field(default=None, max_length=16)
    """Who said how it ended: accounting, controller, record."""


class Task(Table, table=True):
    """One task of an array attempt. Tasks that are still pending have no row: only what happened is stored."""

    __tablename__ = "tasks"

    attempt_id: str = Field(primary_key=True, foreign_key="attempts.id", max_length=64)
    task: int = Field(primary_key=True)
    slurm_job_id: str = Field(max_length=20)
    phase: str = Field(max_length=16)
    reason: str | None = Field(default=None, max_length=32)
    slurm_state: str = Field(max_length=32)
    started_at: datetime | None = when()
    ended_at: datetime | None = when()
    exit_code: int | None = None
    exit_signal: int | None = None
    node_list: str | None = None


class TaskCancel(Table, table=True):
    """The wish to cancel one task of an array: a fact, deleted by nobody, done when the task has ended."""

    __tablename__ = "task_cancels"

    job_id: int = Field(primary_key=True, foreign_key="jobs.id", sa_type=BigInt)
    task: int = Field(primary_key=True)
    requested_at: datetime = moment()
    requested_by: str = Field(max_length=64)
    sent_at: datetime | None = when()


class Event(Table, table=True):
    __tablename__ = "events"
    __table_args__ = (sa.Index("ix_events_job_id_seq", "job_id", "seq"),)

    tenant_id: str = Field(primary_key=True, foreign_key="tenants.id", max_length=31)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    job_id: int | None = Field(default=None, sa_type=BigInt)
    step: str | None = Field(default=None, max_length=24)
    attempt: int | None = None
    at: datetime = moment()
    kind: str = Field(max_length=32)
    from_phase: str | None = Field(default=None, max_length=16)
    to_phase: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=32)
    actor: str = Field(max_length=64)
    message: str | None = None


class Idempotency(Table, table=True):
    __tablename__ = "idempotency"

    user_id: int = Field(primary_key=True, foreign_key="users.id", sa_type=BigInt)
    key: str = Field(primary_key=True, max_length=255)
    digest: bytes
    """SHA-256 of the request: the same key must mean the same request."""
    job_id: int = Field(foreign_key="jobs.id", sa_type=BigInt)
    created_at: datetime = moment()


class ClusterWatch(Table, table=True):
    """What the one collector of a cluster knows, and the lease that makes it the one."""

    __tablename__ = "cluster_watches"

    cluster: str = Field(primary_key=True, max_length=64)
    lease_holder: str | None = Field(default=None, max_length=64)
    lease_expires_at: datetime | None = when()
    boot_time: int | None = Field(default=None, sa_type=BigInt)
    version: str | None = Field(default=None, max_length=32)
    seen_at: datetime | None = when()
    """The last complete look."""
    error: str | None = None
    """Why the last look failed; null while all is well."""
    tick_cost_s: float = 0.0


class PoolState(Table, table=True):
    __tablename__ = "pool_states"

    cluster: str = Field(primary_key=True, max_length=64)
    partition: str = Field(primary_key=True, max_length=64)
    capacity: dict[str, Any] = json()
    observed_at: datetime = moment()


tenants = table(Tenant)
users = table(User)
tokens = table(Token)
jobs = table(Job)
job_scripts = table(JobScript)
job_dependencies = table(JobDependency)
steps = table(Step)
attempts = table(Attempt)
tasks = table(Task)
task_cancels = table(TaskCancel)
events = table(Event)
idempotency = table(Idempotency)
cluster_watches = table(ClusterWatch)
pool_states = table(PoolState)
