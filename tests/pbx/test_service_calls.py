"""Calls of real SIP phones, from the ring to the customer's account: what the service shows and keeps of them."""

import asyncio

import pytest

from tests.support.pbx_lab import Lab, first_ring
from tests.support.service import USER_OF, Service
from tests.support.sipp import agent_by_sipp, call_by_sipp

pytestmark = pytest.mark.pbx

NUMBER, E164 = "02079460018", "+442079460018"


@pytest.mark.usefixtures("sipp")
async def test_answered_queue_call_stands_on_the_customers_account(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Zoë 张伟", NUMBER)
    await lab.only("support", "1001")
    alice, supervisor = await service.agent("1001"), await service.person("sam")

    async with agent_by_sipp(lab.network, "1001", ring_seconds=0.5):
        await call_by_sipp(lab.network, did="8001", number=NUMBER, name="Zoë 张伟", stay_seconds=2)
        ended = await alice.event("call.ended")
    call = await supervisor.stored(ended["call"]["call_id"])

    pop = await alice.event("pop")
    assert (pop["lookup"], pop["account"]["name"], pop["agent"]) == ("found", "Zoë 张伟", "1001")
    (contact,) = (await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]
    assert contact["call"] == call
    assert (contact["channel"], contact["agent"], contact["queue"]) == ("phone", "1001", "support")
    seconds = {key: call.pop(key) for key in ("wait_s", "talk_s", "hold_s")}
    times = [call.pop(key) for key in ("started_at", "answered_at", "ended_at")]
    assert times == sorted(times)
    assert seconds["hold_s"] == 0
    assert 0.4 < seconds["wait_s"] < 2
    assert 0.5 < seconds["talk_s"] < 2.5
    assert call == {
        "call_id": pop["call"]["call_id"],
        "pbx": "main",
        "direction": "inbound",
        "customer_number": E164,
        "presented_number": NUMBER,
        "customer_name": "Zoë 张伟",
        "did": "8001",
        "queue": "support",
        "queues": ["support"],
        "offered_to": ["1001"],
        "rang_no_answer": [],
        "answered_by": ["1001"],
        "outcome": "answered",
        "transfers": [],
        "hung_up_by": "customer",
        "held": False,
        "parked": False,
        "recorded": False,
        "conference": False,
        "estimated": False,
        "state": "ended",
        "ringing": [],
        "talking": [],
        "untrusted_caller": False,
    }
