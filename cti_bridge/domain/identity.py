"""Who of those with a number is calling? Puts them in order, the likeliest first, and says why.

In: what the store knows of everybody who has the number (or whose company's block it lies in), and what an agent chose when
it called last. Out: every account once, each with one reason. Pure: the same facts in any order give the same answer.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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

_ORDER: Final = {reason: place for place, reason in enumerate(MatchReason)}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An account with the number: `point` is the contact point that matched, a phone or a range of them."""

    account_id: AccountId
    point: ContactPoint
    last_contact_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the agent `chosen_by` (an extension or a user's name) chose when the number called last."""

    account_id: AccountId
    chosen_by: str
    chosen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    account_id: AccountId
    reason: MatchReason
    detail: MatchDetail


def holder_of(
    account_id: AccountId, points: Iterable[ContactPoint], *, e164: str, last_contact_at: datetime | None = None
) -> Holder:
    """The account as a holder of `e164`, by the contact point that says most; the account has the number or its block.

    Raises ValueError where it has neither.
    """
    point = min((point for point in points if _matches(point, e164)), key=_says_less)
    return Holder(account_id=account_id, point=point, last_contact_at=last_contact_at)


def rank(holders: Sequence[Holder], choice: Choice | None) -> tuple[Ranked, ...]:
    """Every holder once (each account_id must come once), the likeliest first. A choice that names none of them counts for
    nothing: the account was erased or merged, or has the number no more.
    """
    exact = [holder for holder in holders if holder.point.kind is ContactKind.PHONE]
    told = choice if choice and any(holder.account_id == choice.account_id for holder in holders) else None
    if len(exact) == 1 and told and told.account_id == exact[0].account_id:
        told = None  # nothing to choose from: it is the only one with the number
    mobiles = [holder for holder in exact if _is_mobile(holder.point)]
    mobile = mobiles[0] if len(mobiles) == 1 < len(exact) else None
    latest = _latest([holder for holder in exact if holder is not mobile]) if len(exact) > 1 else None

    def reason_of(holder: Holder) -> MatchReason:
        if told and told.account_id == holder.account_id:
            return MatchReason.CHOSEN_BEFORE
        if holder.point.kind is ContactKind.PHONE_RANGE:
            return MatchReason.SWITCHBOARD_PREFIX
        if holder is mobile:
            return MatchReason.OWN_MOBILE
        if holder is latest:
            return MatchReason.RECENT_CONTACT
        if _is_switchboard(holder.point):
            return MatchReason.SWITCHBOARD
        return MatchReason.EXACT_NUMBER if len(exact) == 1 else MatchReason.SHARED_NUMBER

    ranked = [(reason_of(holder), holder) for holder in holders]
    ranked.sort(key=lambda pair: pair[1].account_id)
    ranked.sort(key=lambda pair: pair[1].last_contact_at or _NEVER, reverse=True)
    ranked.sort(key=lambda pair: _ORDER[pair[0]])
    return tuple(
        Ranked(
            account_id=holder.account_id,
            reason=reason,
            detail=_detail(holder, len(exact), told if reason is MatchReason.CHOSEN_BEFORE else None),
        )
        for reason, holder in ranked
    )


def _detail(holder: Holder, sharing: int, choice: Choice | None) -> MatchDetail:
    point = holder.point
    is_range = point.kind is ContactKind.PHONE_RANGE
    return MatchDetail(
        label=point.label,
        extension=point.extension,
        range=point.value if is_range else None,
        shared_by=0 if is_range else sharing,
        last_contact_at=holder.last_contact_at,
        chosen_by=choice.chosen_by if choice else None,
        chosen_at=choice.chosen_at if choice else None,
    )


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


def _is_mobile(point: ContactPoint) -> bool:
    return point.extension is None and _folded(point.label) in MOBILE


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
