"""Accounts, interactions with their legs, users and sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("company", TEXT, nullable=True),
        sa.Column("tier", TEXT, nullable=True),
        sa.Column("language", TEXT, nullable=True),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("search_name", TEXT, nullable=False, comment="name and company folded: what a search for part of a name reads"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
    )
    op.create_index(op.f("ix_accounts_search_name_account_id"), "accounts", ["search_name", "account_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("extension", TEXT, nullable=True),
        sa.Column("language", TEXT, nullable=True),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "contact_points",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("as_given", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_contact_points_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "position", name=op.f("pk_contact_points")),
        sa.UniqueConstraint("account_id", "kind", "value", name=op.f("uq_contact_points_account_id_kind_value")),
    )
    op.create_index(
        op.f("ix_contact_points_kind_value_account_id"), "contact_points", ["kind", "value", "account_id"], unique=False
    )
    op.create_table(
        "interactions",
        sa.Column("interaction_id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=True),
        sa.Column("account_set_by_agent", sa.Boolean(), nullable=False, comment="the call's own record leaves the account alone"),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("agent", TEXT, nullable=True),
        sa.Column("queue", TEXT, nullable=True),
        sa.Column("outcome", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=True),
        sa.Column("disposition", TEXT, nullable=True),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("call_id", TEXT, nullable=True),
        sa.Column("idempotency_key", TEXT, nullable=True),
        sa.Column("call", DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=op.f("fk_interactions_account_id")),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_interactions")),
        sa.UniqueConstraint("call_id", name=op.f("uq_interactions_call_id")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_interactions_idempotency_key")),
    )
    op.create_index(
        op.f("ix_interactions_account_id_started_at_interaction_id"),
        "interactions",
        ["account_id", "started_at", "interaction_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_interactions_agent_started_at_interaction_id"),
        "interactions",
        ["agent", "started_at", "interaction_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_interactions_queue_started_at_interaction_id"),
        "interactions",
        ["queue", "started_at", "interaction_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_interactions_started_at_interaction_id"), "interactions", ["started_at", "interaction_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "interaction_legs",
        sa.Column("interaction_id", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False, comment="offer: a phone rang; talk: the party had the customer"),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("queue", TEXT, nullable=True),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("result", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name=op.f("fk_interaction_legs_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interaction_id", "position", name=op.f("pk_interaction_legs")),
    )
    op.create_index(
        op.f("ix_interaction_legs_party_started_at_interaction_id"),
        "interaction_legs",
        ["party", "started_at", "interaction_id"],
        unique=False,
    )
