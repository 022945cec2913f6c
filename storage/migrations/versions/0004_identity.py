"""Provisional accounts, extensions of numbers, and what agents chose for a number."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column(
            "provisional", sa.Boolean(), nullable=False, server_default=sa.false(), comment="made from a call, not named yet"
        ),
    )
    with op.batch_alter_table("contact_points") as points:
        points.add_column(
            sa.Column(
                "extension",
                TEXT,
                nullable=False,
                server_default="",
                comment="digits behind a switchboard's number; '' for none",
            )
        )
        points.drop_constraint(op.f("uq_contact_points_account_id_kind_value"), type_="unique")
        points.create_unique_constraint(
            op.f("uq_contact_points_account_id_kind_value_extension"), ["account_id", "kind", "value", "extension"]
        )
    op.create_table(
        "match_choices",
        sa.Column("call_id", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False, comment="E.164; the newest choice for a number is what was learnt"),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("chosen_by", TEXT, nullable=False, comment="an agent's extension, or a user's name"),
        sa.Column("chosen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_match_choices_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_match_choices")),
    )
    op.create_index(op.f("ix_match_choices_account_id"), "match_choices", ["account_id"], unique=False)
    op.create_index(op.f("ix_match_choices_number_chosen_at"), "match_choices", ["number", "chosen_at"], unique=False)


def downgrade() -> None:
    """What the older schema has no place for is given up: choices, extensions, blocks of numbers, who is provisional."""
    op.drop_table("match_choices")
    op.execute("DELETE FROM contact_points WHERE kind = 'phone_range'")
    op.execute(
        "DELETE FROM contact_points WHERE EXISTS (SELECT 1 FROM contact_points AS kept WHERE"
        " kept.account_id = contact_points.account_id AND kept.kind = contact_points.kind"
        " AND kept.value = contact_points.value AND kept.position < contact_points.position)"
    )
    with op.batch_alter_table("contact_points") as points:
        points.drop_constraint(op.f("uq_contact_points_account_id_kind_value_extension"), type_="unique")
        points.create_unique_constraint(op.f("uq_contact_points_account_id_kind_value"), ["account_id", "kind", "value"])
        points.drop_column("extension")
    op.drop_column("accounts", "provisional")  # in a batch, SQLite would drop the table, and every contact point with it
