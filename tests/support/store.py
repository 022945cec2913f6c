"""Builders for what goes into the store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cti_bridge.domain.account import Account, ContactKind
from cti_bridge.domain.call import (
    Call,
    CallId,
    CallState,
    Direction,
    Extension,
    Offer,
    OfferResult,
    Outcome,
    Party,
    Talk,
)
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from storage.accounts import Accounts
from storage.schema import new_id

NOW = datetime(2026, 11, 22, 2, 33, 49, 120000, tzinfo=UTC)


def a_finished_call(number: int = 1, **changes: Any) -> Call:
    """An answered queue call: 1001 let it ring, 1002 took it; it started `number` minutes after `NOW`."""
    start = NOW + timedelta(minutes=number)
    call = Call(
        call_id=CallId(f"main:1795314829.{number}"),
        pbx="main",
        state=CallState.ENDED,
        direction=Direction.INBOUND,
        customer_number="+442079460018",
        presented_number="02079460018",
        customer_name="Zoë",
        did="8001",
        queues=("support",),
        offered_to=(Extension("1001"), Extension("1002")),
        rang_no_answer=(Extension("1001"),),
        answered_by=(Extension("1002"),),
        outcome=Outcome.ANSWERED,
        started_at=start,
        answered_at=start + timedelta(seconds=7.42),
        ended_at=start + timedelta(seconds=38.42),
        wait_s=7.42,
        talk_s=31.0,
        hold_s=0.0,
        transfers=(),
        hung_up_by=Party.CUSTOMER,
        held=False,
        parked=False,
        recorded=False,
        conference=False,
        estimated=False,
        offers=(
            Offer(
                agent=Extension("1001"),
                queue="support",
                rang_at=start + timedelta(seconds=1),
                ended_at=start + timedelta(seconds=4),
                result=OfferResult.NO_ANSWER,
            ),
            Offer(
                agent=Extension("1002"),
                queue="support",
                rang_at=start + timedelta(seconds=4),
                ended_at=start + timedelta(seconds=7.42),
                result=OfferResult.ANSWERED,
            ),
        ),
        talks=(Talk(party="1002", started_at=start + timedelta(seconds=7.42), ended_at=start + timedelta(seconds=38.42)),),
    )
    return call._replace(**changes)


async def an_account(accounts: Accounts, name: str = "Zoë Quinn", phone: str = "020 7946 0018", **changes: Any) -> Account:
    """A stored account with one phone, unless `changes` say otherwise."""
    fields: dict[str, Any] = {
        "name": name,
        "company": None,
        "tier": None,
        "language": None,
        "note": None,
        "contact_points": [(ContactKind.PHONE, phone, None)],
        "now": NOW,
    }
    return await accounts.create(**(fields | changes))


def an_email(minute: int = 0, **changes: Any) -> Interaction:
    fields: dict[str, Any] = {
        "interaction_id": InteractionId(new_id()),
        "account_id": None,
        "channel": Channel.EMAIL,
        "direction": Direction.INBOUND,
        "started_at": NOW + timedelta(minutes=minute),
        "ended_at": None,
        "agent": Extension("1002"),
        "queue": None,
        "outcome": None,
        "subject": "Invoice",
        "disposition": None,
        "note": None,
        "call_id": None,
        "call": None,
    }
    return Interaction(**(fields | changes))
