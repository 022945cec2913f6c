"""From the PBX's own record to a call of the store: one that is missing, or one to be put right. Pure.

What the record does not tell stays as the service saw it, and what nobody saw is inferred; `estimated` says so wherever a time
of the call itself is concerned.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cti_bridge.domain.audit import StoredCall
from cti_bridge.domain.call import (
    Call,
    CallState,
    Direction,
    Extension,
    Offer,
    OfferResult,
    Outcome,
    Party,
    Talk,
    Transfer,
    TransferType,
)
from cti_bridge.domain.recorded_call import RecordedCall, RecordedTransfer, RecordSource
from cti_bridge.record.fields import is_in_whole_seconds, read_time


def source_of(recorded: RecordedCall) -> RecordSource:
    """The best of the sources that the call's facts come from."""
    return next((source for source in (RecordSource.CEL, RecordSource.QUEUE_LOG) if source in recorded.sources), RecordSource.CDR)


def added_call(recorded: RecordedCall) -> Call:
    """A call that the store does not have."""
    answered_by = recorded.answered_by or ()
    ended_at = recorded.ended_at or recorded.answered_at or recorded.started_at
    outcome = recorded.outcome or (Outcome.ANSWERED if answered_by else Outcome.LOST)
    offered = recorded.called or answered_by if recorded.offered_to is None else recorded.offered_to
    missed = recorded.rang_no_answer
    if missed is None:
        missed = tuple(agent for agent in offered if agent not in answered_by)
    talked = (ended_at - recorded.answered_at).total_seconds() if recorded.answered_at else 0.0
    call = Call(
        call_id=recorded.call_id,
        pbx=recorded.pbx,
        state=CallState.ENDED,
        direction=recorded.direction or Direction.INBOUND,
        customer_number=recorded.customer_number,
        presented_number=recorded.presented_number or recorded.customer_number,
        customer_name=recorded.customer_name,
        did=recorded.did,
        queues=recorded.queues or (),
        offered_to=offered,
        rang_no_answer=missed,
        answered_by=answered_by,
        outcome=outcome,
        started_at=recorded.started_at,
        answered_at=recorded.answered_at,
        ended_at=ended_at,
        wait_s=((recorded.answered_at or ended_at) - recorded.started_at).total_seconds(),
        talk_s=talked if recorded.talk_s is None else recorded.talk_s,
        hold_s=0.0,
        transfers=tuple(_transfer(transfer) for transfer in recorded.transfers or ()),
        hung_up_by=recorded.hung_up_by,
        held=False,
        parked=False,
        recorded=False,
        conference=False,
        estimated=_is_inexact(recorded),
    )
    return _with_legs(call, (), ())


def corrected_call(stored: StoredCall, recorded: RecordedCall, fields: frozenset[str]) -> Call:
    """The stored call with these fields as the record tells them, and whatever follows from them.

    The record does not tell of what kind a transfer was: where the store does not either, it counts as blind.
    """
    if stored.document is None:
        return added_call(recorded)._replace(call_id=stored.call_id)
    call = _as_stored(stored, stored.document, recorded)
    told = added_call(recorded)
    changes: dict[str, Any] = {name: getattr(told, name) for name in fields & set(_PLAIN) if _is_told(name, recorded)}
    if "transfers" in fields and recorded.transfers is not None:
        changes["transfers"] = tuple(
            _transfer(transfer, of=call.transfers[place] if place < len(call.transfers) else None)
            for place, transfer in enumerate(recorded.transfers)
        )
    if fields & _TIMES:
        changes["estimated"] = told.estimated
    call = call._replace(**changes)
    return _with_legs(call, stored.offers, stored.talks)


_PLAIN = (
    "direction", "customer_number", "did", "queues", "offered_to", "rang_no_answer", "answered_by", "outcome", "hung_up_by",
    "started_at", "answered_at", "ended_at", "wait_s", "talk_s",
)  # fmt: skip
_TIMES = frozenset({"started_at", "answered_at", "ended_at", "wait_s", "talk_s"})


def _is_told(name: str, recorded: RecordedCall) -> bool:
    """`answered_at` is None where nobody answered, and the wait follows from the other times."""
    return name in {"wait_s", "answered_at"} or getattr(recorded, name) is not None


def _is_inexact(recorded: RecordedCall) -> bool:
    return recorded.ended_at is None or recorded.talk_s is None or is_in_whole_seconds(recorded)


def _transfer(transfer: RecordedTransfer, *, of: Transfer | None = None) -> Transfer:
    return Transfer(
        type=of.type if of else TransferType.BLIND,
        from_agent=transfer.from_agent,
        to=transfer.to or (of.to if of else "unknown"),
        at=transfer.at,
    )


def _as_stored(stored: StoredCall, document: Mapping[str, Any], recorded: RecordedCall) -> Call:
    """The call as the store has it; where its document is not whole, as the record tells it."""
    told = added_call(recorded)
    started_at = read_time(document.get("started_at")) or stored.started_at
    return Call(
        call_id=stored.call_id,
        pbx=recorded.pbx,
        state=CallState.ENDED,
        direction=_known(Direction, document.get("direction")) or told.direction,
        customer_number=document.get("customer_number"),
        presented_number=document.get("presented_number"),
        customer_name=document.get("customer_name"),
        did=document.get("did"),
        queues=tuple(document.get("queues") or ()),
        offered_to=tuple(Extension(agent) for agent in document.get("offered_to") or ()),
        rang_no_answer=tuple(Extension(agent) for agent in document.get("rang_no_answer") or ()),
        answered_by=tuple(Extension(agent) for agent in document.get("answered_by") or ()),
        outcome=_known(Outcome, document.get("outcome")) or told.outcome,
        started_at=started_at,
        answered_at=read_time(document.get("answered_at")),
        ended_at=read_time(document.get("ended_at")),
        wait_s=float(document.get("wait_s") or 0.0),
        talk_s=float(document.get("talk_s") or 0.0),
        hold_s=float(document.get("hold_s") or 0.0),
        transfers=tuple(
            Transfer(
                type=_known(TransferType, transfer.get("type")) or TransferType.BLIND,
                from_agent=str(transfer.get("from")),
                to=str(transfer.get("to")),
                at=started_at,
            )
            for transfer in document.get("transfers") or ()
        ),
        hung_up_by=_known(Party, document.get("hung_up_by")),
        held=bool(document.get("held")),
        parked=bool(document.get("parked")),
        recorded=bool(document.get("recorded")),
        conference=bool(document.get("conference")),
        estimated=bool(document.get("estimated")),
        untrusted_caller=bool(document.get("untrusted_caller")),
    )


def _known(kind: Any, text: Any) -> Any:
    return kind(text) if text in set(kind) else None


def _with_legs(call: Call, offers: tuple[Offer, ...], talks: tuple[Talk, ...]) -> Call:
    """The legs of exactly the agents that the call names: those seen stay, others are laid between answer and end."""
    ended_at = call.ended_at or call.started_at
    answered_at = call.answered_at or ended_at
    rang = {offer.agent for offer in offers}
    talked = {talk.party for talk in talks}
    kept_offers = [_closed_offer(offer, call, ended_at) for offer in offers if offer.agent in call.offered_to]
    new_offers = [
        Offer(
            agent=agent,
            queue=call.queue,
            rang_at=call.started_at,
            ended_at=answered_at if agent in call.answered_by else ended_at,
            result=OfferResult.ANSWERED if agent in call.answered_by else OfferResult.NO_ANSWER,
        )
        for agent in call.offered_to
        if agent not in rang
    ]
    kept_talks = [
        _closed_talk(talk, call.started_at, ended_at)
        for talk in talks
        if talk.party in call.answered_by or talk.party.startswith("external:")
    ]
    new_talks = [
        Talk(party=agent, started_at=answered_at, ended_at=ended_at) for agent in call.answered_by if agent not in talked
    ]
    return call._replace(
        rang_no_answer=tuple(agent for agent in call.rang_no_answer if agent in call.offered_to),
        offers=(*kept_offers, *new_offers),
        talks=(*kept_talks, *new_talks),
    )


def _closed_offer(offer: Offer, call: Call, until: datetime) -> Offer:
    since = call.started_at
    unanswered = {None} if offer.agent in call.answered_by else {None, OfferResult.ANSWERED}
    return offer._replace(
        rang_at=_between(offer.rang_at, since, until),
        ended_at=_between(offer.ended_at or until, since, until),
        result=OfferResult.NO_ANSWER if offer.result in unanswered else offer.result,
    )


def _closed_talk(talk: Talk, since: datetime, until: datetime) -> Talk:
    return talk._replace(
        started_at=_between(talk.started_at, since, until), ended_at=_between(talk.ended_at or until, since, until)
    )


def _between(at: datetime, since: datetime, until: datetime) -> datetime:
    return max(since, min(at, max(since, until)))
