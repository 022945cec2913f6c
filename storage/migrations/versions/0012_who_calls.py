"""Who calls and why: the last order, choices of accounts that do not have the number, and the call that kept a promise."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ORDERED = "ISO 8601 date"
ATTACHED = "the account does not have the number itself: the choice alone proposes it"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("last_order_on", TEXT, nullable=True, comment=ORDERED))
    op.add_column(
        "match_choices", sa.Column("attached", sa.Boolean(), nullable=False, server_default=sa.false(), comment=ATTACHED)
    )
    op.add_column("cases", sa.Column("closed_by_call", TEXT, nullable=True, comment="the call by which it was kept"))


def downgrade() -> None:
    op.drop_column("cases", "closed_by_call")
    op.drop_column("match_choices", "attached")
    op.drop_column("accounts", "last_order_on")
