"""The measures of a relation: satisfaction scores of contacts, churn signs of accounts, complaints that came back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SCORED_INDEX = "ix_interactions_scored"
CHURN_INDEX = "ix_accounts_churn_noticed_at_account_id"


def upgrade() -> None:
    op.add_column("interactions", sa.Column("score", sa.Integer(), nullable=True, comment="satisfaction, 1 to 5"))
    op.add_column("interactions", sa.Column("score_source", TEXT, nullable=True, comment="agent, survey or import"))
    op.add_column("interactions", sa.Column("scored_by", TEXT, nullable=True))
    op.add_column("interactions", sa.Column("scored_at", TIME, nullable=True))
    op.add_column("interactions", sa.Column("score_comment", TEXT, nullable=True))
    scored = sa.text("score IS NOT NULL")
    op.create_index(SCORED_INDEX, "interactions", ["account_id", "started_at"], sqlite_where=scored, postgresql_where=scored)
    op.add_column("cases", sa.Column("reopened_at", TIME, nullable=True))
    judged = "satisfaction and churn signs as last judged; null: nothing to tell"
    op.add_column("accounts", sa.Column("relation", DOCUMENT, nullable=True, comment=judged))
    noticed = "when the newest churn sign was first seen; null: there is none"
    op.add_column("accounts", sa.Column("churn_noticed_at", TIME, nullable=True, comment=noticed))
    op.create_index(op.f(CHURN_INDEX), "accounts", ["churn_noticed_at", "account_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f(CHURN_INDEX), table_name="accounts")
    for name in ("churn_noticed_at", "relation"):
        op.drop_column("accounts", name)
    op.drop_column("cases", "reopened_at")
    op.drop_index(SCORED_INDEX, table_name="interactions")
    for name in ("score_comment", "scored_at", "scored_by", "score_source", "score"):
        op.drop_column("interactions", name)
