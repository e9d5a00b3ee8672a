"""Drop the counter of a watch's holders: nobody read it, a holder's name is never used twice."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("cluster_watches", "lease_token")
