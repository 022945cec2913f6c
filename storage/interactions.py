"""Interactions: every contact of every channel, read as a customer's timeline or as a log, and what agents add to them.

Calls get here through `storage.recorder`; this file reads them, and writes what people write.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, tuple_, update

from cti_bridge.domain.account import HISTORY_SHOWN, AccountId
from cti_bridge.domain.call import CallId, Direction, Extension
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from cti_bridge.domain.listing import InteractionFilter, Page
from storage.database import Database, is_integrity_error
from storage.paging import page_of, time_key_of
from storage.prepared import Prepared
from storage.schema import accounts, interaction_legs, interactions
from storage.score_columns import satisfaction_of, score_columns, sparing_customers_word

INTERACTION_COLUMNS = [
    column for column in interactions.c if column.name not in {"account_set_by_agent", "idempotency_key", "erased_at"}
]
NEWEST = Prepared(
    select(*INTERACTION_COLUMNS)
    .where(interactions.c.account_id == bindparam("account_id"))
    .order_by(interactions.c.started_at.desc(), interactions.c.interaction_id.desc())
    .limit(HISTORY_SHOWN)
)
WRITABLE = frozenset({"disposition", "note", "account_id"})
"""And `satisfaction`, a Satisfaction or None."""
MAX_TEXT = 20_000


class Interactions:
    """The interactions in the store. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_id(self, interaction_id: InteractionId) -> Interaction | None:
        return await self._one(interactions.c.interaction_id == interaction_id)

    async def by_call(self, call_id: CallId) -> Interaction | None:
        return await self._one(interactions.c.call_id == call_id)

    async def timeline(self, account_id: AccountId, *, cursor: str | None, limit: int) -> Page[Interaction]:
        """Newest first, flat in cost however long it is. ValueError for a cursor not ours."""
        return await self._page(select(*INTERACTION_COLUMNS).where(interactions.c.account_id == account_id), cursor, limit)

    async def list(self, wanted: InteractionFilter, *, cursor: str | None, limit: int) -> Page[Interaction]:
        """Newest first; `agent` is whoever talked in it. ValueError for a cursor not ours."""
        return await self._page(_filtered(wanted), cursor, limit)

    async def add(self, interaction: Interaction, *, idempotency_key: str | None) -> Interaction:
        """Adds a contact of another channel; the same key gives the first answer again. ValueError: no such account."""
        values = {
            "interaction_id": interaction.interaction_id,
            "account_id": living(interaction.account_id),
            "account_set_by_agent": True,
            "channel": interaction.channel.value,
            "direction": interaction.direction.value,
            "started_at": interaction.started_at,
            "ended_at": interaction.ended_at,
            "agent": interaction.agent,
            "queue": interaction.queue,
            "outcome": interaction.outcome,
            "subject": interaction.subject,
            "disposition": interaction.disposition,
            "note": interaction.note,
            "call_id": interaction.call_id,
            "call": interaction.call,
            "idempotency_key": idempotency_key,
            **score_columns(interaction.satisfaction),
        }
        insert = self._database.insert(interactions).values(values).on_conflict_do_nothing(index_elements=["idempotency_key"])
        stored = select(*INTERACTION_COLUMNS).where(
            interactions.c.idempotency_key == idempotency_key
            if idempotency_key is not None
            else interactions.c.interaction_id == interaction.interaction_id
        )
        try:
            async with self._database.write() as connection:
                await connection.execute(insert)
                return interaction_of_row((await connection.execute(stored)).one())
        except StorageError as error:
            if is_integrity_error(error):
                raise ValueError(f"there is no account {interaction.account_id}, or the interaction is there already") from error
            raise

    async def change(self, interaction_id: InteractionId, *, changes: dict[str, Any]) -> Interaction | None:
        """Sets disposition, note or account_id (only the keys given); committed when it returns. None: no such interaction.

        Raises ValueError: another key, a text too long, no such account.
        """
        values = agents_values(changes)
        if not values:
            return await self.by_id(interaction_id)
        statement = (
            update(interactions).where(interactions.c.interaction_id == interaction_id).values(sparing_customers_word(values))
        )
        try:
            async with self._database.write() as connection:
                row = (await connection.execute(statement.returning(*INTERACTION_COLUMNS))).one_or_none()
        except StorageError as error:
            if is_integrity_error(error):
                raise ValueError(f"there is no account {changes.get('account_id')}") from error
            raise
        return interaction_of_row(row) if row else None

    async def _one(self, condition: Any) -> Interaction | None:
        rows = await self._database.fetch(select(*INTERACTION_COLUMNS).where(condition))
        return interaction_of_row(rows[0]) if rows else None

    async def _page(self, wanted: Select[Any], cursor: str | None, limit: int) -> Page[Interaction]:
        key = tuple_(interactions.c.started_at, interactions.c.interaction_id)
        if cursor is not None:
            wanted = wanted.where(key < tuple_(*time_key_of(cursor)))
        rows = await self._database.fetch(
            wanted.order_by(interactions.c.started_at.desc(), interactions.c.interaction_id.desc()).limit(limit + 1)
        )
        return page_of([interaction_of_row(row) for row in rows], limit, lambda one: (one.started_at, one.interaction_id))


def newest_of(connection: Connection, account_id: str) -> tuple[Interaction, ...]:
    """The beginning of the account's timeline, as a pop shows it."""
    return tuple(interaction_of_row(row) for row in NEWEST.rows(connection, {"account_id": account_id}))


def agents_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns for what an agent changed; an account set by the agent is from then on left alone by the call's own record.

    Raises ValueError: a key that is not the agent's to set, a text too long.
    """
    texts = {key: value for key, value in changes.items() if key != "satisfaction"}
    for key, value in texts.items():
        if key not in WRITABLE or not isinstance(value, str | None):
            raise ValueError(f"{key} of an interaction cannot be set to a {type(value).__name__}")
        if value is not None and len(value) > MAX_TEXT:
            raise ValueError(f"{key} is longer than {MAX_TEXT} characters")
    scored = score_columns(changes["satisfaction"]) if "satisfaction" in changes else {}
    if "account_id" not in changes:
        return texts | scored
    return {**texts, **scored, "account_id": living(changes["account_id"]), "account_set_by_agent": True}


def living(account_id: str | None) -> Any:
    """The account that the customer has now: this one, or the one it was merged into. An id of no account stays as it is, so that
    the store refuses it.
    """
    if account_id is None:
        return None
    survivor = select(func.coalesce(accounts.c.merged_into, accounts.c.account_id)).where(accounts.c.account_id == account_id)
    return func.coalesce(survivor.scalar_subquery(), account_id)


def interaction_of_row(row: Row[Any]) -> Interaction:
    return Interaction(
        interaction_id=InteractionId(row.interaction_id),
        account_id=AccountId(row.account_id) if row.account_id is not None else None,
        channel=Channel(row.channel),
        direction=Direction(row.direction),
        started_at=row.started_at,
        ended_at=row.ended_at,
        agent=Extension(row.agent) if row.agent is not None else None,
        queue=row.queue,
        outcome=row.outcome,
        subject=row.subject,
        disposition=row.disposition,
        note=row.note,
        call_id=CallId(row.call_id) if row.call_id is not None else None,
        call=row.call,
        satisfaction=satisfaction_of(row),
    )


def _filtered(wanted: InteractionFilter) -> Select[Any]:
    """Only the condition that leaves the fewest rows is one that an index knows (`||` hides the others): SQLite, which counts
    nothing, would as soon walk through every call as through those of one account.
    """
    statement = select(*INTERACTION_COLUMNS)
    column = interactions.c
    if wanted.since is not None:
        statement = statement.where(column.started_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(column.started_at < wanted.until)
    if wanted.agent is not None:
        talked = select(interaction_legs.c.interaction_id).where(
            interaction_legs.c.party == wanted.agent, interaction_legs.c.kind == "talk"
        )
        statement = statement.where(or_(column.agent == wanted.agent, column.interaction_id.in_(talked)))
    exact = [
        (column.account_id, wanted.account),
        (column.queue, wanted.queue),
        (column.channel, wanted.channel),
        (column.outcome, wanted.outcome),
    ]
    if wanted.channel == Channel.PHONE.value:
        exact[2:] = reversed(exact[2:])  # nearly every contact is a call
    given = [(field, value) for field, value in exact if value is not None]
    leading = 0 if wanted.agent is not None and wanted.account is None else 1
    return statement.where(
        *(field == value for field, value in given[:leading]),
        *(field.concat("") == value for field, value in given[leading:]),
    )
