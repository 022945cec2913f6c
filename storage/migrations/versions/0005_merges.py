"""Merges of accounts, and how names sound."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.names import block_of, sound_of

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")

SOUND = "how the name sounds: storage.names"
BLOCK = "the beginning of its longest word"
MERGED_INTO = "the customer's one account; set on its double"
CHUNK = 1000


def upgrade() -> None:
    # Not in batch mode: on SQLite that makes the table anew, and dropping the old one would take its contact points along.
    op.add_column(
        "accounts", sa.Column("sound", TEXT, nullable=False, server_default="", comment="how the name sounds: storage.names")
    )
    op.add_column("accounts", sa.Column("sound_block", TEXT, nullable=False, server_default="", comment=BLOCK))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE accounts ADD COLUMN merged_into TEXT CONSTRAINT fk_accounts_merged_into REFERENCES accounts (account_id)"
        )
    else:
        op.add_column("accounts", sa.Column("merged_into", TEXT, nullable=True, comment=MERGED_INTO))
        op.create_foreign_key(op.f("fk_accounts_merged_into"), "accounts", "accounts", ["merged_into"], ["account_id"])
    _hear_names()
    op.create_index(op.f("ix_accounts_merged_into"), "accounts", ["merged_into"], unique=False)
    op.create_index(op.f("ix_accounts_sound_block_account_id"), "accounts", ["sound_block", "account_id"], unique=False)
    op.create_table(
        "merges",
        sa.Column("merge_id", TEXT, nullable=False),
        sa.Column("kept_id", TEXT, nullable=False),
        sa.Column("merged_id", TEXT, nullable=False),
        sa.Column("merged_by", TEXT, nullable=False),
        sa.Column("merged_at", TIME, nullable=False),
        sa.Column("undone_by", TEXT, nullable=True),
        sa.Column("undone_at", TIME, nullable=True),
        sa.Column("changes", DOCUMENT, nullable=False, comment="what the merge changed beside interactions, for undoing it"),
        sa.ForeignKeyConstraint(["kept_id"], ["accounts.account_id"], name=op.f("fk_merges_kept_id")),
        sa.ForeignKeyConstraint(["merged_id"], ["accounts.account_id"], name=op.f("fk_merges_merged_id")),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_merges")),
    )
    op.create_index(op.f("ix_merges_kept_id"), "merges", ["kept_id"], unique=False)
    op.create_index(op.f("ix_merges_merged_id"), "merges", ["merged_id"], unique=False)
    op.create_table(
        "merged_interactions",
        sa.Column("merge_id", TEXT, nullable=False),
        sa.Column("interaction_id", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["merge_id"], ["merges.merge_id"], name=op.f("fk_merged_interactions_merge_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name=op.f("fk_merged_interactions_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("merge_id", "interaction_id", name=op.f("pk_merged_interactions")),
    )
    op.create_index(op.f("ix_merged_interactions_interaction_id"), "merged_interactions", ["interaction_id"], unique=False)


def _hear_names() -> None:
    accounts = sa.table("accounts", *(sa.column(name, sa.Text) for name in ("account_id", "name", "sound", "sound_block")))
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(
        sa.select(accounts.c.account_id, accounts.c.name)
        .where(accounts.c.account_id > last)
        .order_by(accounts.c.account_id)
        .limit(CHUNK)
    ).all():
        heard = [{"id": row.account_id, "of": sound_of(row.name)} for row in rows]
        connection.execute(
            sa.update(accounts)
            .where(accounts.c.account_id == sa.bindparam("id"))
            .values(sound=sa.bindparam("of"), sound_block=sa.bindparam("block")),
            [{**one, "block": block_of(one["of"])} for one in heard],
        )
        last = rows[-1].account_id


def downgrade() -> None:
    op.drop_table("merged_interactions")
    op.drop_table("merges")
    op.drop_index(op.f("ix_accounts_sound_block_account_id"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_merged_into"), table_name="accounts")
    for name in ("merged_into", "sound_block", "sound"):
        op.drop_column("accounts", name)
