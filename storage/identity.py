"""Who has a number, and what agents chose for it: the SQL behind the ranking of `cti_bridge.domain.identity`.

Choices are kept by the call they were made in: choosing again in a call replaces, undoing brings back what was learnt before.
An account that goes takes its choices with it. An account that does not have the number is proposed by the newest choice alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, case, delete, exists, func, insert, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.call import CallId
from cti_bridge.domain.identity import Choice, Holder, Ranked, matching_point, rank
from cti_bridge.domain.phone_number import LARGEST_RANGE, ranges_of
from storage.database import Database
from storage.schema import accounts, contact_points, interactions, match_choices

MAX_CANDIDATES = 20
"""More accounts than this on one number (a switchboard's) help no agent to choose."""
MAX_HOLDERS = 1000
"""Of more accounts than this on one number, only some are asked for when they were last in touch."""

_RANGES = tuple(f"range_{unknown}" for unknown in range(1, LARGEST_RANGE + 1))
_HAS_NUMBER = or_(
    (contact_points.c.kind == ContactKind.PHONE.value) & (contact_points.c.value == bindparam("e164")),
    (contact_points.c.kind == ContactKind.PHONE_RANGE.value) & contact_points.c.value.in_([bindparam(name) for name in _RANGES]),
)
_LAST_CONTACT = (
    select(func.max(interactions.c.started_at))
    .where(interactions.c.account_id == accounts.c.account_id)
    .correlate(accounts)
    .scalar_subquery()
)
_CHOICE = (
    select(match_choices.c.account_id, match_choices.c.chosen_by, match_choices.c.chosen_at, match_choices.c.attached)
    .where(match_choices.c.number == bindparam("e164"))
    .order_by(match_choices.c.chosen_at.desc(), match_choices.c.call_id.desc())
    .limit(1)
)
_WITH_NUMBER = select(contact_points.c.account_id).where(_HAS_NUMBER).limit(MAX_CANDIDATES + 1).subquery()
_NEWEST = _CHOICE.subquery()
HOLDERS = union_all(select(_WITH_NUMBER.c.account_id), select(_NEWEST.c.account_id).where(_NEWEST.c.attached))
"""The ids of accounts that a number proposes, for `keys_of` it; more than the candidates where there are too many."""
ENTERED = (
    select(contact_points.c.account_id)
    .where(contact_points.c.kind == ContactKind.CUSTOMER_NUMBER.value, contact_points.c.value == bindparam("entered"))
    .limit(MAX_CANDIDATES)
)
"""The ids of accounts whose customer number was typed."""
_LAST_CONTACTS = select(accounts.c.account_id, _LAST_CONTACT.label("last_contact_at")).where(
    accounts.c.account_id.in_(bindparam("ids", expanding=True))
)
_FOREMOST = (
    select(accounts.c.account_id)
    .where(
        or_(
            accounts.c.account_id.in_(select(contact_points.c.account_id).where(_HAS_NUMBER).limit(MAX_HOLDERS)),
            accounts.c.account_id.in_(select(_NEWEST.c.account_id).where(_NEWEST.c.attached)),
        )
    )
    .order_by(
        case((accounts.c.account_id == bindparam("chosen"), 0), else_=1),
        _LAST_CONTACT.desc().nulls_last(),
        accounts.c.account_id,
    )
    .limit(MAX_CANDIDATES)
)


def keys_of(e164: str) -> dict[str, str]:
    """The parameters of a statement that asks who has this number."""
    return {"e164": e164} | dict(zip(_RANGES, ranges_of(e164), strict=True))


def foremost(connection: Connection, e164: str) -> tuple[str, ...]:
    """The ids of the accounts to propose where more have the number than can be: chosen last, then latest in touch."""
    choice = _choice_for(connection, e164)
    chosen = choice.account_id if choice else None
    return tuple(connection.scalars(_FOREMOST, {**keys_of(e164), "chosen": chosen}))


def ranked(
    connection: Connection, e164: str | None, found: Sequence[Account], *, entered: str | None, today: date
) -> tuple[Ranked, ...]:
    """The accounts that the number, or the customer number that was typed, proposes, in order; only where there are several, or
    one that has neither, is more asked of the store.
    """
    holders = [_holder(account, e164, entered) for account in found]
    if len(holders) == 1 and (holders[0].point or holders[0].entered):
        return rank(holders, None, today=today)
    rows = connection.execute(_LAST_CONTACTS, {"ids": [account.account_id for account in found]})
    last = {row.account_id: row.last_contact_at for row in rows}
    holders = [replace(holder, last_contact_at=last.get(holder.account_id)) for holder in holders]
    return rank(holders, _choice_for(connection, e164) if e164 is not None else None, today=today)


def _holder(account: Account, e164: str | None, entered: str | None) -> Holder:
    is_entered = entered is not None and any(
        point.kind is ContactKind.CUSTOMER_NUMBER and point.value == entered for point in account.contact_points
    )
    return Holder(
        account_id=account.account_id,
        point=matching_point(account.contact_points, e164) if e164 is not None else None,
        last_order_on=account.profile.last_order_on,
        entered=entered if is_entered else None,
    )


def _choice_for(connection: Connection, e164: str) -> Choice | None:
    row = connection.execute(_CHOICE, {"e164": e164}).one_or_none()
    return row and Choice(
        account_id=AccountId(row.account_id), chosen_by=row.chosen_by, chosen_at=row.chosen_at, attached=row.attached
    )


class Choices:
    """What agents chose. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def learn(self, e164: str, account_id: AccountId, *, call_id: CallId, chosen_by: str, now: datetime) -> bool:
        """Keeps the choice made in this call, for the next one from this number; it replaces the one made before in it. From then
        on the account is proposed for the number whether or not it has it; one that has it, until it gives the number up.

        False, and nothing is kept, where there is no such account, or it was merged into another.
        """
        is_holder = exists(contact_points.c.account_id).where(contact_points.c.account_id == account_id, _HAS_NUMBER)
        values = {
            "call_id": literal(call_id, match_choices.c.call_id.type),
            "number": literal(e164, match_choices.c.number.type),
            "account_id": literal(account_id, match_choices.c.account_id.type),
            "chosen_by": literal(chosen_by, match_choices.c.chosen_by.type),
            "chosen_at": literal(now, match_choices.c.chosen_at.type),
            "attached": ~is_holder,
        }
        given = select(*values.values()).where(accounts.c.account_id == account_id, accounts.c.merged_into.is_(None))
        learn = insert(match_choices).from_select(list(values), given).returning(match_choices.c.call_id)
        async with self._database.write() as connection:
            await _forget(connection, call_id)
            return (await connection.execute(learn, keys_of(e164))).one_or_none() is not None

    async def forget(self, call_id: CallId) -> None:
        """Unlearns what was chosen in this call."""
        async with self._database.write() as connection:
            await _forget(connection, call_id)


async def _forget(connection: AsyncConnection, call_id: CallId) -> None:
    await connection.execute(delete(match_choices).where(match_choices.c.call_id == call_id))
