"""Indexes for lists that read the whole table, and one that made them: nearly every account is merged into none."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

HUSKS = sa.text("merged_into IS NOT NULL")


def upgrade() -> None:
    op.drop_index(op.f("ix_accounts_merged_into"), "accounts")
    op.create_index(
        op.f("ix_accounts_merged_into"), "accounts", ["merged_into"], unique=False, sqlite_where=HUSKS, postgresql_where=HUSKS
    )
    for column in ("channel", "outcome"):
        columns = [column, "started_at", "interaction_id"]
        op.create_index(op.f(f"ix_interactions_{column}_started_at_interaction_id"), "interactions", columns, unique=False)
    op.create_index(op.f("ix_cases_opened_at_case_id"), "cases", ["opened_at", "case_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_cases_opened_at_case_id"), "cases")
    for column in ("channel", "outcome"):
        op.drop_index(op.f(f"ix_interactions_{column}_started_at_interaction_id"), "interactions")
    op.drop_index(op.f("ix_accounts_merged_into"), "accounts")
    op.create_index(op.f("ix_accounts_merged_into"), "accounts", ["merged_into"], unique=False)
