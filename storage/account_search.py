"""What people type to find an account, as conditions on the store's tables; `region` (ISO 3166) reads national numbers. Pure."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, false, or_, select, true, union_all

from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.phone_number import ranges_of, read_phone
from storage.contact_points import fold
from storage.schema import accounts, contact_points

FEWEST_DIGITS = 3
"""Fewer are part of nearly every number."""


def matching(q: str, region: str, *, by_part: bool) -> Any:
    """A whole telephone number: who has it, by index. Else every word is in the name or company, in any order; or all of it is
    part of a contact point, however digits are spaced.

    Not `by_part`: it is a contact point's whole value, and the names of provisional accounts, which are numbers, do not count.
    """
    if read_phone(q, region) is not None:
        return accounts.c.account_id.in_(with_phone(q, region))
    text = fold(q)
    named = and_(true(), *(accounts.c.search_name.contains(word, autoescape=True) for word in text.split()))
    value = contact_points.c.value
    reached = value.contains(text, autoescape=True) if by_part else value == text
    conditions = [
        named if by_part else named & ~accounts.c.provisional,
        accounts.c.account_id.in_(select(contact_points.c.account_id).where(reached)),
    ]
    if by_part and not any(map(str.isalpha, text)):
        conditions.append(accounts.c.account_id.in_(with_phone(q, region)))
    return or_(*conditions)


def exactly(q: str, region: str) -> Select[Any]:
    """The ids of accounts of which `q` is a whole number or address; asked by index."""
    number = read_phone(q, region)
    values = [fold(q), number.e164] if number is not None else [fold(q)]
    return (
        select(contact_points.c.account_id)
        .distinct()
        .where(contact_points.c.kind.in_([kind.value for kind in ContactKind]), contact_points.c.value.in_(values))
        .order_by(contact_points.c.account_id)
    )


def with_phone(phone: str, region: str, *, by_part: bool = True) -> Any:
    """The ids of accounts with the number, or the block that it lies in; `by_part`: with part of one where it is not whole."""
    number = read_phone(phone, region)
    if number is not None:
        block = select(contact_points.c.account_id).where(
            contact_points.c.kind == ContactKind.PHONE_RANGE.value, contact_points.c.value.in_(ranges_of(number.e164))
        )
        return union_all(with_value([ContactKind.PHONE, ContactKind.FAX], number.e164), block)
    digits = "".join(character for character in fold(phone) if character.isdigit()).lstrip("0")
    is_part = by_part and len(digits) >= FEWEST_DIGITS
    part = contact_points.c.value.contains(digits, autoescape=True) if is_part else false()
    return select(contact_points.c.account_id).where(contact_points.c.kind == ContactKind.PHONE.value, part)


def with_value(kinds: Sequence[ContactKind], value: str) -> Any:
    """The ids of accounts with this number or address, of one of these kinds."""
    return select(contact_points.c.account_id).where(
        contact_points.c.kind.in_([kind.value for kind in kinds]), contact_points.c.value == value
    )
