"""Commitments to customers: call-backs, follow-ups and service cases."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
INDEXES = (
    ("account_id", "opened_at", "case_id"),
    ("closed_at", "due_at"),
    ("owner", "opened_at", "case_id"),
    ("interaction_id",),
)


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("opened_by", TEXT, nullable=False),
        sa.Column("interaction_id", TEXT, nullable=True),
        sa.Column("problem", TEXT, nullable=True),
        sa.Column("solution", TEXT, nullable=True),
        sa.Column("step", TEXT, nullable=True),
        sa.Column("escalated_at", TIME, nullable=True),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("closed_by", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=op.f("fk_cases_account_id")),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name=op.f("fk_cases_interaction_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases")),
    )
    for columns in INDEXES:
        op.create_index(op.f(f"ix_cases_{'_'.join(columns)}"), "cases", list(columns), unique=False)


def downgrade() -> None:
    op.drop_table("cases")
