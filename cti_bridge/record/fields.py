"""One stored call against one recorded call, field by field. Pure, and no code of the tracker's.

A field that the record does not tell (None) is not compared. Times that the store itself calls estimated are no finding while
they are near the truth, but are put right all the same. A record without CEL sees a part of a call only (what happened in a
queue, the first pair of channels): what it has seen counts, that it has seen no more does not.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, Final

from cti_bridge.domain.audit import StoredCall
from cti_bridge.domain.call import Direction, OfferResult, Outcome, Party, iso_utc
from cti_bridge.domain.phone_number import masked
from cti_bridge.domain.recorded_call import Finding, FindingKind, RecordedCall, RecordSource

TOLERANCE_SECONDS: Final = 1.0
ESTIMATED_TOLERANCE_SECONDS: Final = 10.0
"""For times that the store itself says are estimated; they are still put right where the record knows better."""
SAME_RING_SECONDS: Final = 1.0
"""Phones that began to ring so close together did so at once: their order says nothing."""
_LONG_NUMBER: Final = re.compile(r"\+?[0-9]{7,}")
_EXTENSION: Final = re.compile(r"[0-9]{1,6}")


def compare_fields(
    stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall
) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """The fields that differ, as findings, and all those to be put right: estimates as well."""
    findings: list[Finding] = []
    fields: set[str] = set()
    for name, field in FIELDS.items():
        meant = field(stored, document, recorded)
        if meant is not None:
            fields.add(name)
            if not meant.is_estimate:
                findings.append(
                    Finding(
                        kind=FindingKind.WRONG,
                        call_id=stored.call_id,
                        field=name,
                        stored=_shown(meant.stored, name),
                        recorded=_shown(meant.recorded, name),
                    )
                )
    return tuple(findings), frozenset(fields)


@dataclass(frozen=True, slots=True)
class _Differs:
    stored: Any
    recorded: Any
    is_estimate: bool = False


_Field = Callable[[StoredCall, Mapping[str, Any], RecordedCall], _Differs | None]


def _same(stored: Sequence[Any], recorded: Any) -> _Differs | None:
    """`stored`: what the places in the store say that hold this; all must agree with the record."""
    if recorded is None:
        return None
    return next((_Differs(one, recorded) for one in stored if one != recorded), None)


def _direction(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    return _same([stored.direction, document.get("direction")], recorded.direction and recorded.direction.value)


def _sees_a_part(recorded: RecordedCall) -> bool:
    return RecordSource.CEL not in recorded.sources


def _customer_number(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if stored.is_erased or (_sees_a_part(recorded) and stored.direction != Direction.INBOUND.value):
        return None
    return _same([document.get("customer_number")], recorded.customer_number)


def _did(_: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    return _same([document.get("did")], recorded.did)


def _queues(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if recorded.queues is None:
        return None
    first = recorded.queues[0] if recorded.queues else None
    for one in (stored.queue, document.get("queue")):
        if one != first:
            return _Differs([one] if one else [], list(recorded.queues))
    return _same([document.get("queues")], list(recorded.queues))


def _offered_to(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if recorded.offered_to is None:
        return None
    offered = list(document.get("offered_to") or ())
    rang = {leg.agent for leg in stored.offers}
    if Counter(offered) != Counter(recorded.offered_to):
        return _Differs(offered, list(recorded.offered_to))
    if rang != set(recorded.offered_to):
        return _Differs(sorted(rang), list(recorded.offered_to))
    return _Differs(offered, list(recorded.offered_to)) if _rang_in_another_order(offered, stored, recorded) else None


def _rang_in_another_order(offered: Sequence[str], stored: StoredCall, recorded: RecordedCall) -> bool:
    """Phones that rang at once may stand in any order."""
    assert recorded.offered_to is not None
    first_ring: dict[str, datetime] = {}
    for offer in stored.offers:
        first_ring[offer.agent] = min(offer.rang_at, first_ring.get(offer.agent, offer.rang_at))
    place: dict[str, int] = {agent: index for index, agent in enumerate(recorded.offered_to)}
    return any(
        place[one] > place[other] and abs((first_ring[one] - first_ring[other]).total_seconds()) > SAME_RING_SECONDS
        for one, other in combinations(offered, 2)
    )


def _rang_no_answer(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    """As a set: the order is that in which the rings ended, which for phones that rang at once is any."""
    missed = sorted(document.get("rang_no_answer") or ())
    if recorded.rang_no_answer is None or missed == sorted(recorded.rang_no_answer):
        return None
    return _Differs(missed, list(recorded.rang_no_answer))


def _answered_by(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if recorded.answered_by is None:
        return None
    answered = list(recorded.answered_by)
    if stored.agent != (answered[-1] if answered else None):
        return _Differs([stored.agent] if stored.agent else [], answered)
    talked = {talk.party for talk in stored.talks if not talk.party.startswith("external:")}
    if talked != set(answered):
        return _Differs(sorted(talked), answered)
    return _same([document.get("answered_by")], answered)


def _transfers(_: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if recorded.transfers is None:
        return None
    stored = [(one.get("from"), one.get("to")) for one in document.get("transfers") or ()]
    told = [(transfer.from_agent, transfer.to) for transfer in recorded.transfers]
    same = len(stored) == len(told) and all(
        one[0] == other[0] and other[1] in {None, one[1]} for one, other in zip(stored, told, strict=True)
    )
    return None if same else _Differs([f"{a} to {b}" for a, b in stored], [f"{a} to {b or '?'}" for a, b in told])


def _outcome(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    if _sees_a_part(recorded) and recorded.outcome is not Outcome.ANSWERED:
        return None
    return _same([stored.outcome, document.get("outcome")], recorded.outcome and recorded.outcome.value)


def _hung_up_by(_: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    return _same([document.get("hung_up_by")], recorded.hung_up_by and recorded.hung_up_by.value)


def _started_at(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    return _same_time([stored.started_at, read_time(document.get("started_at"))], recorded.started_at, document, recorded)


def _answered_at(_: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    answered = read_time(document.get("answered_at"))
    if recorded.answered_at is None:
        return _Differs(answered, None) if recorded.answered_by == () and answered is not None else None
    if _sees_a_part(recorded) and _is_before(answered, recorded.answered_at):
        return None
    return _same_time([answered], recorded.answered_at, document, recorded)


def _ended_at(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    ended = [stored.ended_at, read_time(document.get("ended_at"))]
    if recorded.ended_at is None or _left_unheard(stored, recorded):
        return None
    if _sees_a_part(recorded) and all(_is_before(recorded.ended_at, one) for one in ended):
        return None
    return _same_time(ended, recorded.ended_at, document, recorded)


def _left_unheard(stored: StoredCall, recorded: RecordedCall) -> bool:
    """The caller hung up while the agent who had answered still heard the queue's announcement.

    Asterisk 22 plays it to the end before it takes notice: the record's end is then seconds too late, and AMI alone tells the
    true one (tests/traces/q_agent_announcement_abandon).
    """
    gave_up = not recorded.answered_by and recorded.hung_up_by in {Party.CUSTOMER, None}
    was_answered = any(offer.result is OfferResult.ANSWERED for offer in stored.offers)
    return gave_up and was_answered and _is_before(stored.ended_at, recorded.ended_at)


def _is_before(at: datetime | None, other: datetime | None) -> bool:
    return at is not None and other is not None and at <= other


def _wait_s(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    """From the call's arrival to the first answer, or to the end."""
    over = recorded.answered_at or recorded.ended_at
    nobody_knows = _sees_a_part(recorded) or (recorded.answered_at is None and recorded.answered_by != ())
    if over is None or nobody_knows or _left_unheard(stored, recorded):
        return None
    return _same_duration(document.get("wait_s"), (over - recorded.started_at).total_seconds(), document, recorded)


def _talk_s(_: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> _Differs | None:
    return None if recorded.talk_s is None else _same_duration(document.get("talk_s"), recorded.talk_s, document, recorded)


FIELDS: Final[Mapping[str, _Field]] = {
    "direction": _direction,
    "customer_number": _customer_number,
    "did": _did,
    "queues": _queues,
    "offered_to": _offered_to,
    "rang_no_answer": _rang_no_answer,
    "answered_by": _answered_by,
    "transfers": _transfers,
    "outcome": _outcome,
    "hung_up_by": _hung_up_by,
    "started_at": _started_at,
    "answered_at": _answered_at,
    "ended_at": _ended_at,
    "wait_s": _wait_s,
    "talk_s": _talk_s,
}
"""What is compared, and how."""


def _same_time(
    stored: Sequence[datetime | None], recorded: datetime, document: Mapping[str, Any], call: RecordedCall
) -> _Differs | None:
    """A record in whole seconds (queue_log, CDR) was cut, not rounded: the truth is up to a second later."""
    cut = 0.5 if is_in_whole_seconds(call) else 0.0
    for one in stored:
        apart = None if one is None else abs((one - recorded).total_seconds() - cut)
        if apart is None or apart > TOLERANCE_SECONDS + cut:
            is_estimate = bool(document.get("estimated")) and apart is not None and apart <= ESTIMATED_TOLERANCE_SECONDS
            return _Differs(one, recorded, is_estimate)
    return None


def _same_duration(stored: Any, recorded: float, document: Mapping[str, Any], call: RecordedCall) -> _Differs | None:
    if not isinstance(stored, int | float):
        return _Differs(stored, recorded)
    apart = abs(stored - recorded)
    if apart <= TOLERANCE_SECONDS * (2 if is_in_whole_seconds(call) else 1):
        return None
    return _Differs(stored, recorded, bool(document.get("estimated")) and apart <= ESTIMATED_TOLERANCE_SECONDS)


def is_in_whole_seconds(recorded: RecordedCall) -> bool:
    return not any(at is not None and at.microsecond for at in (recorded.started_at, recorded.answered_at, recorded.ended_at))


def read_time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _shown(value: Any, field: str) -> str:
    match value:
        case None:
            return "none"
        case datetime():
            return shown_time(value) or "none"
        case float():
            return f"{value:.3f}"
        case list():
            return ", ".join(_LONG_NUMBER.sub(lambda found: masked(found[0]), str(one)) for one in value) or "none"
        case str() if field in {"customer_number", "did"}:
            return value if _EXTENSION.fullmatch(value) else masked(value)
        case _:
            return str(value)


def shown_time(at: datetime | None) -> str | None:
    return iso_utc(at.astimezone(UTC)) if at else None
