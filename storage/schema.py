"""The tables, as SQLAlchemy Core sees them; SQLite and PostgreSQL hold the same.

Ids are UUIDv7 as text, times are aware UTC. Text comes from callers and other people's files, so what no database
takes (NUL, lone surrogates) is replaced on the way in, in one place: a hostile name never loses the call it came with.
Changed only together with a migration; a test compares the two.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy import Text as PlainText
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON, TypeDecorator

UNSTORABLE: dict[int, str] = {0: "\ufffd"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""NUL (PostgreSQL refuses it) and surrogates (no UTF-8 for them) become U+FFFD."""


def new_id() -> str:
    """A UUIDv7 as text: sorts by the time it was made."""
    return str(uuid_utils.uuid7())


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps no time zone, so it is put back on the way out. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store takes aware times only")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """SQLite's text is read in one step: a look-up reads a dozen times while a phone rings."""
        return _utc_of_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _utc_of_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class Text(TypeDecorator[str]):
    """Text of any origin. PostgreSQL compares it by code point as SQLite does, so pages sort alike on both."""

    impl = PlainText().with_variant(PlainText(collation="C"), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value.translate(UNSTORABLE)


class Document(TypeDecorator[dict[str, Any]]):
    """A JSON document whose strings may be of any origin."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> Any:
        return storable(value)


def storable(value: Any) -> Any:
    """The value as the store gives it back."""
    match value:
        case str():
            return value.translate(UNSTORABLE)
        case dict():
            return {storable(key): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return value


def _id(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_IS_DOUBLE = text("merged_into IS NOT NULL")

accounts = Table(
    "accounts",
    metadata,
    _id("account_id"),
    Column("name", Text, nullable=False),
    Column("company", Text),
    Column("tier", Text),
    Column("language", Text),
    Column("note", Text),
    Column("search_name", Text, nullable=False, comment="name and company folded: what a search for part of a name reads"),
    Column("sound", Text, nullable=False, server_default="", comment="how the name sounds: storage.names"),
    Column("sound_block", Text, nullable=False, server_default="", comment="the beginning of its longest word"),
    Column("tier_reason", Text),
    Column("customer_kind", Text),
    Column("chain_place", Text),
    Column("stage", Text),
    Column("revenue", Float),
    Column("profit", Float),
    Column("days_to_pay", Float),
    Column("last_order_on", Text, comment="ISO 8601 date"),
    Column("preferred_agent", Text),
    Column("preferences", Text),
    Column("taboos", Text),
    Column("details", Document, comment="dates, alerts and the site's own fields"),
    Column("relation", Document, comment="satisfaction and churn signs as last judged; null: nothing to tell"),
    Column("churn_noticed_at", UtcTime, comment="when the newest churn sign was first seen; null: there is none"),
    Column("merged_into", ForeignKey("accounts.account_id"), comment="the customer's one account; set on its double"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("provisional", Boolean, nullable=False, server_default=false(), comment="made from a call, not named yet"),
    Index(None, "search_name", "account_id"),
    Index(None, "sound_block", "account_id"),
    Index(None, "churn_noticed_at", "account_id"),
    # Of doubles only: a list of those that are none would take it for a way to nearly every account, and sort them all.
    Index(None, "merged_into", sqlite_where=_IS_DOUBLE, postgresql_where=_IS_DOUBLE),
)

tier_changes = Table(
    "tier_changes",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True),
    Column("changed_at", UtcTime, primary_key=True),
    Column("tier_before", Text),
    Column("tier_after", Text),
    Column("reason", Text, nullable=False),
    Column("changed_by", Text, comment="the user; NULL: a rule"),
)

merges = Table(
    "merges",
    metadata,
    _id("merge_id"),
    Column("kept_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("merged_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("merged_by", Text, nullable=False),
    Column("merged_at", UtcTime, nullable=False),
    Column("undone_by", Text),
    Column("undone_at", UtcTime),
    Column("changes", Document, nullable=False, comment="what the merge changed beside interactions, for undoing it"),
)

merged_interactions = Table(
    "merged_interactions",
    metadata,
    Column("merge_id", ForeignKey("merges.merge_id", ondelete="CASCADE"), primary_key=True),
    Column("interaction_id", ForeignKey("interactions.interaction_id", ondelete="CASCADE"), primary_key=True),
    Index(None, "interaction_id"),
)

contact_points = Table(
    "contact_points",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("as_given", Text, nullable=False),
    Column("label", Text),
    Column("extension", Text, nullable=False, server_default="", comment="digits behind a switchboard's number; '' for none"),
    UniqueConstraint("account_id", "kind", "value", "extension"),
    Index(None, "kind", "value", "account_id"),
)

match_choices = Table(
    "match_choices",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("number", Text, nullable=False, comment="E.164; the newest choice for a number is what was learnt"),
    Column("account_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("chosen_by", Text, nullable=False, comment="an agent's extension, or a user's name"),
    Column("chosen_at", UtcTime, nullable=False),
    Column(
        "attached",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the account does not have the number itself: the choice alone proposes it",
    ),
    Index(None, "number", "chosen_at"),
)

_SCORED = text("score IS NOT NULL")

interactions = Table(
    "interactions",
    metadata,
    _id("interaction_id"),
    Column("account_id", ForeignKey("accounts.account_id")),
    Column("account_set_by_agent", Boolean, nullable=False, comment="the call's own record leaves the account alone"),
    Column("channel", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("agent", Text),
    Column("queue", Text),
    Column("outcome", Text),
    Column("subject", Text),
    Column("disposition", Text),
    Column("note", Text),
    Column("call_id", Text, unique=True),
    Column("idempotency_key", Text, unique=True),
    Column("call", Document),
    Column(
        "source", Text, nullable=False, server_default="ami", comment="where the call's facts came from: ami, cel, queue_log, cdr"
    ),
    Column(
        "is_ghost",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="no call of the PBX stands behind it; kept because an agent wrote on it",
    ),
    Column("erased_at", UtcTime, comment="when its caller was taken out; the call's document stays as that left it"),
    Column("score", Integer, comment="satisfaction, 1 to 5"),
    Column("score_source", Text, comment="agent, survey or import"),
    Column("scored_by", Text),
    Column("scored_at", UtcTime),
    Column("score_comment", Text),
    Index(None, "account_id", "started_at", "interaction_id"),
    Index("ix_interactions_scored", "account_id", "started_at", sqlite_where=_SCORED, postgresql_where=_SCORED),
    Index(None, "started_at", "interaction_id"),
    Index(None, "agent", "started_at", "interaction_id"),
    Index(None, "queue", "started_at", "interaction_id"),
    Index(None, "channel", "started_at", "interaction_id"),
    Index(None, "outcome", "started_at", "interaction_id"),
)

interaction_legs = Table(
    "interaction_legs",
    metadata,
    Column("interaction_id", ForeignKey("interactions.interaction_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="offer: a phone rang; talk: the party had the customer"),
    Column("party", Text, nullable=False),
    Column("queue", Text),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("result", Text),
    Index(None, "party", "started_at", "interaction_id"),
)

audit_runs = Table(
    "audit_runs",
    metadata,
    _id("run_id"),
    Column("pbx", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("result", Document, nullable=False),
    Index(None, "pbx", "reason", "at", "run_id"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text),
    Column("detail", Document, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    _id("case_id"),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("owner", Text),
    Column("due_at", UtcTime),
    Column("opened_at", UtcTime, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("interaction_id", ForeignKey("interactions.interaction_id", ondelete="SET NULL")),
    Column("problem", Text),
    Column("solution", Text),
    Column("step", Text),
    Column("escalated_at", UtcTime),
    Column("reopened_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("closed_by_call", Text, comment="the call by which it was kept"),
    Index(None, "account_id", "opened_at", "case_id"),
    Index(None, "opened_at", "case_id"),
    Index(None, "closed_at", "due_at"),
    Index(None, "owner", "opened_at", "case_id"),
    Index(None, "interaction_id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _id("delivery_id"),
    Column("webhook", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("account_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), index=True),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("next_try_at", UtcTime, comment="null: delivered or dead"),
    Column("tries", Integer, nullable=False),
    Column("delivered_at", UtcTime),
    Column("dead_at", UtcTime),
    Column("last_error", Text),
    Index(None, "webhook", "next_try_at"),
    Index(None, "created_at", "delivery_id"),
)

users = Table(
    "users",
    metadata,
    _id("user_id"),
    Column("username", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("extension", Text),
    Column("language", Text),
    Column("password_hash", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_id", ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("last_seen_at", UtcTime, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    _id("gap_id"),
    Column("pbx", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, comment="null: the PBX is still away"),
    Column("rebuilt", Integer, nullable=False),
    Column("ended_unseen", Integer, nullable=False),
    Column("appeared", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("corrected", Integer, nullable=False),
    Column("queues", Document, nullable=False),
    Column("settled_at", UtcTime),
    Index(None, "since", "gap_id"),
)
