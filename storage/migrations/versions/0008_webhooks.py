"""Deliveries to webhooks: written with what they tell, and kept until they arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
INDEXES = (("webhook", "next_try_at"), ("created_at", "delivery_id"), ("account_id",))


def upgrade() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("webhook", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_try_at", TIME, nullable=True, comment="null: delivered or dead"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("dead_at", TIME, nullable=True),
        sa.Column("last_error", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_webhook_deliveries_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_webhook_deliveries")),
    )
    for columns in INDEXES:
        op.create_index(op.f(f"ix_webhook_deliveries_{'_'.join(columns)}"), "webhook_deliveries", list(columns), unique=False)


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
