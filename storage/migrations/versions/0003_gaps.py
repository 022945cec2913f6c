"""Gaps: times in which a PBX was not seen."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "gaps",
        sa.Column("gap_id", TEXT, nullable=False),
        sa.Column("pbx", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("until", TIME, nullable=True, comment="null: the PBX is still away"),
        sa.Column("rebuilt", sa.Integer(), nullable=False),
        sa.Column("ended_unseen", sa.Integer(), nullable=False),
        sa.Column("appeared", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("corrected", sa.Integer(), nullable=False),
        sa.Column("queues", DOCUMENT, nullable=False),
        sa.Column("settled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("gap_id", name=op.f("pk_gaps")),
    )
    op.create_index(op.f("ix_gaps_since_gap_id"), "gaps", ["since", "gap_id"], unique=False)


def downgrade() -> None:
    op.drop_table("gaps")
