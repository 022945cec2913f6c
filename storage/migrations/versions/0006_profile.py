"""What is known of a customer: kind, stage, value, wishes, alerts; and how tiers came about."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")

TEXTS = ("tier_reason", "customer_kind", "chain_place", "stage")
FIGURES = ("revenue", "profit", "days_to_pay")
WORDS = ("preferred_agent", "preferences", "taboos")


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("accounts", sa.Column(name, TEXT, nullable=True))
    for name in FIGURES:
        op.add_column("accounts", sa.Column(name, sa.Float(), nullable=True))
    for name in WORDS:
        op.add_column("accounts", sa.Column(name, TEXT, nullable=True))
    details = sa.Column("details", DOCUMENT, nullable=True, comment="dates, alerts and the site's own fields")
    op.add_column("accounts", details)
    op.create_table(
        "tier_changes",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("tier_before", TEXT, nullable=True),
        sa.Column("tier_after", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("changed_by", TEXT, nullable=True, comment="the user; NULL: a rule"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_tier_changes_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "changed_at", name=op.f("pk_tier_changes")),
    )


def downgrade() -> None:
    op.drop_table("tier_changes")
    for name in ("details", *WORDS, *FIGURES, *TEXTS):
        op.drop_column("accounts", name)
