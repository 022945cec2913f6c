"""Who of those with a number is calling? Puts them in order, the likeliest first, and says why.

In: what the store knows of everybody who has the number (or whose company's block it lies in, or whose customer number was
typed), and what an agent chose when it called last. Out: every account once, each with one reason. Pure: the same facts in any
order give the same answer.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from cti_bridge.domain.account import AccountId, ContactKind, ContactPoint, MatchDetail, MatchReason

MOBILE: Final = frozenset(
    {"mobile", "mobile phone", "cell", "cell phone", "cellphone", "handy", "gsm", "手机", "移动电话", "手機"}
)
SWITCHBOARD: Final = frozenset(
    {
        "switchboard",
        "main",
        "main number",
        "main line",
        "head office",
        "reception",
        "zentrale",
        "总机",
        "總機",
        "前台",
        "公司总机",
    }
)
"""Labels of contact points that say whose a number is; compared folded."""

RECENT_ORDER_DAYS: Final = 30
"""Who ordered so lately may be asking about it."""
_AHEAD_DAYS: Final = 1
"""An order of today may be one of tomorrow by the clock of another time zone; a later one is a mistake."""

_ORDER: Final = {reason: place for place, reason in enumerate(MatchReason)}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NO_DAY: Final = date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An account that may be calling: `point` is the contact point that matched, a phone or a range of them; None where it does
    not have the number, and was chosen for it all the same, or `entered`: its customer number was typed.
    """

    account_id: AccountId
    point: ContactPoint | None
    last_contact_at: datetime | None = None
    last_order_on: date | None = None
    entered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the agent `chosen_by` (an extension or a user's name) chose when the number called last. `attached`: the account did
    not have the number, the choice alone proposes it.
    """

    account_id: AccountId
    chosen_by: str
    chosen_at: datetime
    attached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    account_id: AccountId
    reason: MatchReason
    detail: MatchDetail


def matching_point(points: Iterable[ContactPoint], e164: str) -> ContactPoint | None:
    """The contact point that says most of why the account has `e164`; None where it has neither the number nor its block."""
    return min((point for point in points if _matches(point, e164)), key=_says_less, default=None)


def rank(holders: Sequence[Holder], choice: Choice | None, *, today: date) -> tuple[Ranked, ...]:
    """Every holder once (each account_id must come once), the likeliest first. A choice that names none of them counts for
    nothing: the account was erased or merged, or has the number no more. One who is a holder for no reason is left out.
    """
    told = _told(holders, choice)
    holders = [one for one in holders if one.point is not None or one.entered or (told and told.account_id == one.account_id)]
    exact = _with_exactly_it(holders)
    mobiles = [holder for holder in exact if _is_mobile(holder.point)]
    mobile = mobiles[0] if len(mobiles) == 1 < len(exact) else None
    latest = _latest([holder for holder in exact if holder is not mobile]) if len(exact) > 1 else None

    def reason_of(holder: Holder) -> MatchReason:
        if holder.entered:
            return MatchReason.CUSTOMER_NUMBER_ENTERED
        if holder.point is None or (told and told.account_id == holder.account_id):
            return MatchReason.CHOSEN_BEFORE
        if holder.point.kind is ContactKind.PHONE_RANGE:
            return MatchReason.SWITCHBOARD_PREFIX
        if holder is mobile:
            return MatchReason.OWN_MOBILE
        if len(exact) > 1 and _ordered_lately(holder, today):
            return MatchReason.RECENT_ORDER
        if holder is latest:
            return MatchReason.RECENT_CONTACT
        if _is_switchboard(holder.point):
            return MatchReason.SWITCHBOARD
        return MatchReason.EXACT_NUMBER if len(exact) == 1 else MatchReason.SHARED_NUMBER

    ranked = [(reason_of(holder), holder) for holder in holders]
    ranked.sort(key=lambda pair: pair[1].account_id)
    ranked.sort(key=lambda pair: pair[1].last_contact_at or _NEVER, reverse=True)
    ranked.sort(key=lambda pair: (pair[0] is MatchReason.RECENT_ORDER and pair[1].last_order_on) or _NO_DAY, reverse=True)
    ranked.sort(key=lambda pair: _ORDER[pair[0]])
    return tuple(
        Ranked(account_id=holder.account_id, reason=reason, detail=_detail(holder, reason, len(exact), told))
        for reason, holder in ranked
    )


def _told(holders: Sequence[Holder], choice: Choice | None) -> Choice | None:
    """The choice, where it names a holder and says something: that the only one with the number was chosen is nothing new."""
    chosen = next((holder for holder in holders if choice and holder.account_id == choice.account_id), None)
    if choice is None or chosen is None or (chosen.point is None and not choice.attached):
        return None
    return None if _with_exactly_it(holders) == [chosen] else choice


def _with_exactly_it(holders: Iterable[Holder]) -> list[Holder]:
    return [holder for holder in holders if holder.point is not None and holder.point.kind is ContactKind.PHONE]


def _detail(holder: Holder, reason: MatchReason, sharing: int, choice: Choice | None) -> MatchDetail:
    point = holder.point
    is_chosen = choice is not None and reason is MatchReason.CHOSEN_BEFORE
    return MatchDetail(
        label=point.label if point else None,
        extension=point.extension if point else None,
        range=point.value if point and point.kind is ContactKind.PHONE_RANGE else None,
        shared_by=sharing if point and point.kind is ContactKind.PHONE else 0,
        last_contact_at=holder.last_contact_at,
        last_order_on=holder.last_order_on if reason is MatchReason.RECENT_ORDER else None,
        entered=holder.entered,
        chosen_by=choice.chosen_by if choice and is_chosen else None,
        chosen_at=choice.chosen_at if choice and is_chosen else None,
    )


def _ordered_lately(holder: Holder, today: date) -> bool:
    return holder.last_order_on is not None and -_AHEAD_DAYS <= (today - holder.last_order_on).days <= RECENT_ORDER_DAYS


def _matches(point: ContactPoint, e164: str) -> bool:
    match point.kind:
        case ContactKind.PHONE:
            return point.value == e164
        case ContactKind.PHONE_RANGE:
            known = point.value.rstrip("x")
            return len(point.value) == len(e164) and e164.startswith(known)
        case _:
            return False


def _says_less(point: ContactPoint) -> tuple[bool, bool, bool, int, str, str]:
    """Ascending: a number before a block, the own mobile before a line of the company, a small block before a large one."""
    is_range = point.kind is ContactKind.PHONE_RANGE
    return is_range, _is_switchboard(point), not _is_mobile(point), point.value.count("x"), point.extension or "", point.as_given


def _is_mobile(point: ContactPoint | None) -> bool:
    return point is not None and point.extension is None and _folded(point.label) in MOBILE


def _is_switchboard(point: ContactPoint) -> bool:
    return point.extension is not None or _folded(point.label) in SWITCHBOARD


def _folded(label: str | None) -> str:
    return " ".join(unicodedata.normalize("NFKC", label or "").casefold().split())


def _latest(holders: Sequence[Holder]) -> Holder | None:
    """The one in touch last; None where nobody was, or two at the same moment."""
    newest = sorted((holder.last_contact_at for holder in holders if holder.last_contact_at is not None), reverse=True)[:2]
    if not newest or (newest[0] == newest[-1] and len(newest) > 1):
        return None
    return next(holder for holder in holders if holder.last_contact_at == newest[0])
