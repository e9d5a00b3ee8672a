"""Make the first tables: tenants, their users and tokens, jobs with steps and attempts, events, watches."""

import sqlalchemy as sa
from alembic import op

from gateway.db.columns import BigInt, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cluster_watches",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("lease_holder", sa.String(length=64), nullable=True),
        sa.Column("lease_token", BigInt, nullable=False),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("boot_time", BigInt, nullable=True),
        sa.Column("version", sa.String(length=32), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("tick_cost_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", name="pk_cluster_watches"),
    )
    op.create_table(
        "pool_states",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("capacity", Json, nullable=False),
        sa.Column("observed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "partition", name="pk_pool_states"),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=31), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_event", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("job_id", BigInt, nullable=True),
        sa.Column("step", sa.String(length=24), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("from_phase", sa.String(length=16), nullable=True),
        sa.Column("to_phase", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("message", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_events_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name="pk_events"),
    )
    op.create_index("ix_events_job_id_seq", "events", ["job_id", "seq"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("name", sa.String(length=31), nullable=False),
        sa.Column("unix_user", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_users_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_users_tenant_id_name"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("tenant_id", sa.String(length=31), nullable=False),
        sa.Column("user_id", BigInt, nullable=False),
        sa.Column("user_name", sa.String(length=31), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("pool", sa.String(length=64), nullable=False),
        sa.Column("unix_user", sa.String(length=32), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", Json, nullable=False),
        sa.Column("warnings", Json, nullable=False),
        sa.Column("array_tasks", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("cancel_requested_at", UtcDateTime(), nullable=True),
        sa.Column("cancel_requested_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_jobs_tenant_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_jobs_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_tenant_id_id", "jobs", ["tenant_id", "id"], unique=False)
    op.create_index("ix_jobs_tenant_id_phase_id", "jobs", ["tenant_id", "phase", "id"], unique=False)

    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("user_id", BigInt, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_tokens_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("user_id", BigInt, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_idempotency_job_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_idempotency_user_id"),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotency"),
    )
    op.create_table(
        "job_dependencies",
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("needs_job_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_dependencies_job_id"),
        sa.ForeignKeyConstraint(["needs_job_id"], ["jobs.id"], name="fk_job_dependencies_needs_job_id"),
        sa.PrimaryKeyConstraint("job_id", "needs_job_id", "kind", name="pk_job_dependencies"),
    )
    op.create_index("ix_job_dependencies_needs_job_id", "job_dependencies", ["needs_job_id"], unique=False)

    op.create_table(
        "job_scripts",
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("script", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_scripts_job_id"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_scripts"),
    )
    op.create_table(
        "steps",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.String(length=64), nullable=True),
        sa.Column("lease_holder", sa.String(length=64), nullable=True),
        sa.Column("lease_token", BigInt, nullable=False),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_steps_job_id"),
        sa.PrimaryKeyConstraint("id", name="pk_steps"),
        sa.UniqueConstraint("job_id", "name", name="uq_steps_job_id_name"),
    )
    op.create_index(
        "ix_steps_active",
        "steps",
        ["cluster", "phase", "rank", "id"],
        unique=False,
        sqlite_where=sa.text("phase NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')"),
        postgresql_where=sa.text("phase NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')"),
    )
    op.create_index("ix_steps_job_id", "steps", ["job_id"], unique=False)

    op.create_table(
        "task_cancels",
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_task_cancels_job_id"),
        sa.PrimaryKeyConstraint("job_id", "task", name="pk_task_cancels"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("job_id", BigInt, nullable=False),
        sa.Column("step_id", BigInt, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("unix_user", sa.String(length=32), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sbatch_deadline", UtcDateTime(), nullable=False),
        sa.Column("slurm_job_id", sa.String(length=20), nullable=True),
        sa.Column("slurm_submitted", BigInt, nullable=True),
        sa.Column("bound_at", UtcDateTime(), nullable=True),
        sa.Column("missing_looks", sa.Integer(), nullable=False),
        sa.Column("slurm_state", sa.String(length=32), nullable=True),
        sa.Column("slurm_reason", sa.String(length=200), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("node_list", sa.String(), nullable=True),
        sa.Column("nodes", sa.Integer(), nullable=True),
        sa.Column("cpus", sa.Integer(), nullable=True),
        sa.Column("elapsed_s", sa.Integer(), nullable=True),
        sa.Column("max_rss_kb", BigInt, nullable=True),
        sa.Column("tres", sa.String(), nullable=True),
        sa.Column("outcome_source", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_attempts_job_id"),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="fk_attempts_step_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_cluster_slurm_job_id", "attempts", ["cluster", "slurm_job_id"], unique=False)
    op.create_index("ix_attempts_job_id", "attempts", ["job_id"], unique=False)
    op.create_index("ix_attempts_step_id", "attempts", ["step_id"], unique=False)

    op.create_table(
        "tasks",
        sa.Column("attempt_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("slurm_job_id", sa.String(length=20), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("slurm_state", sa.String(length=32), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("node_list", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_tasks_attempt_id"),
        sa.PrimaryKeyConstraint("attempt_id", "task", name="pk_tasks"),
    )
