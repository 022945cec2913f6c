"""Where a call's facts came from, which calls have no call of the PBX behind them, and what the audits said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    # Defaults that are constants: neither database rewrites the rows that are there.
    op.add_column(
        "interactions",
        sa.Column(
            "source",
            TEXT,
            nullable=False,
            server_default="ami",
            comment="where the call's facts came from: ami, cel, queue_log, cdr",
        ),
    )
    op.add_column(
        "interactions",
        sa.Column(
            "is_ghost",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="no call of the PBX stands behind it; kept because an agent wrote on it",
        ),
    )
    op.create_table(
        "audit_runs",
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("pbx", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("result", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_audit_runs")),
    )
    op.create_index(op.f("ix_audit_runs_pbx_reason_at_run_id"), "audit_runs", ["pbx", "reason", "at", "run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("audit_runs")
    op.drop_column("interactions", "is_ghost")
    op.drop_column("interactions", "source")
