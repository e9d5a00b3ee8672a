"""Keep what still waits of an array, and find jobs by when they ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("array_rest", sa.String(), nullable=True))
    op.create_index("ix_jobs_tenant_id_ended_at", "jobs", ["tenant_id", "ended_at"], unique=False)
