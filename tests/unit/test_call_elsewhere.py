"""One call's story with another system beside the store: who is asked when, and what becomes of its word whatever comes first."""

import asyncio
from dataclasses import replace
from typing import Any

from config.external import ExternalSettings
from cti_bridge.call_task import Before, handle_call
from cti_bridge.domain.call import CallState, Direction, Extension, Offer
from cti_bridge.domain.call_events import CallChanged
from cti_bridge.domain.external import ExternalRecord
from cti_bridge.external.source import ExternalSource
from tests.support.stores import NOW, a_call, an_account
from tests.unit.test_call_task import ONE, Stage, answered, arrived, ended, offered


class Crm:
    """A system that answers when its gate is open."""

    def __init__(self, *, is_open: bool) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def by_number(self, e164: str) -> tuple[ExternalRecord, ...]:
        self.asked.append(e164)
        await self.gate.wait()
        return (ExternalRecord(external_id=e164[-4:], name="Fang"),)

    async def close(self) -> None:
        pass


def with_crm(stage: Stage, *, is_open: bool = False, before: Before | None = None) -> Crm:
    crm = Crm(is_open=is_open)
    settings = ExternalSettings(name="crm", kind="ours", deadline_seconds=5)
    stage.desk = replace(stage.desk, external=(ExternalSource(settings, crm),))
    stage.story.cancel()
    stage.story = asyncio.create_task(handle_call(stage.events, stage.desk, before))
    return crm


def states(event: dict[str, Any]) -> list[str]:
    return [one["state"] for one in event["external"]]


async def test_it_is_asked_when_the_phone_rings_and_not_before():
    stage = Stage(an_account())
    crm = with_crm(stage)

    stage.tell(arrived(), CallChanged(call=a_call(state=CallState.QUEUED), at=NOW))
    while not stage.events.empty() or not stage.customers.asked:  # noqa: ASYNC110 - what is waited for is that nothing comes
        await asyncio.sleep(0)
    before = list(crm.asked)
    stage.tell(offered())
    await stage.hears("pop", "call.changed")

    assert (before, crm.asked) == ([], ["+442079460018"])
    stage.tell(ended())
    await asyncio.wait_for(stage.story, 5)


async def test_a_slow_store_and_a_slow_system_each_add_their_own_to_the_card():
    zoe = an_account()
    stage = Stage(zoe)
    crm = with_crm(stage)
    stage.customers.gate.clear()

    stage.tell(arrived(), offered())
    (pop, _) = await stage.hears("pop", "call.changed")
    crm.gate.set()
    (first,) = await stage.hears("pop.update")
    stage.customers.gate.set()
    (second,) = await stage.hears("pop.update")

    assert [(one["lookup"], states(one)) for one in (pop, first, second)] == [
        ("pending", ["pending"]),
        ("pending", ["found"]),
        ("found", ["found"]),
    ]
    assert second["account"]["name"] == zoe.name
    stage.tell(ended())
    await stage.story


async def test_a_call_that_ends_first_waits_for_nobody_and_tells_nothing_more():
    stage = Stage(an_account())
    crm = with_crm(stage)

    stage.tell(arrived(), offered(), answered(), ended())
    await asyncio.wait_for(stage.story, 5)
    crm.gate.set()
    (source,) = stage.desk.external
    await source.by_number("+442079460018")

    assert [one["type"] for one in stage.heard()] == ["pop", "call.changed", "call.answered", "call.ended"]
    assert crm.asked == ["+442079460018"], "what it answered is kept for the next call"


async def test_every_agent_whose_phone_rings_is_told_by_one_question():
    stage = Stage(an_account())
    crm = with_crm(stage)
    two = Extension("1002")
    both = a_call(ringing=("1001", "1002"))

    stage.tell(arrived(), offered(), offered()._replace(call=both, agent=two))
    await stage.hears("pop", "call.changed", "call.changed")
    crm.gate.set()
    (update,) = await stage.hears("pop.update")

    assert states(update) == ["found"]
    assert [pop.external[0].state for agent in (ONE, two) for pop in stage.hub.standing_pops(agent)] == ["found", "found"]
    assert len(crm.asked) == 1
    stage.tell(ended())
    await stage.story


async def test_an_outbound_call_is_asked_for_once_its_number_is_known():
    stage = Stage()
    crm = with_crm(stage, is_open=True)
    outbound: dict[str, Any] = {"direction": Direction.OUTBOUND, "presented_number": None}
    ring = offered(customer_number=None, **outbound)
    known = ring.call._replace(customer_number="+442079460019")

    stage.tell(arrived(customer_number=None, **outbound), ring)
    (pop, _) = await stage.hears("pop", "call.changed")
    nobody = list(crm.asked)
    stage.tell(CallChanged(call=known, at=NOW))
    heard = await stage.hears("call.changed", "pop.update")

    assert (pop["external"], nobody, crm.asked) == ([], [], ["+442079460019"])
    assert states(heard[-1]) == ["found"]
    stage.tell(ended(customer_number="+442079460019", **outbound))
    await stage.story


async def test_a_forged_number_is_asked_for_nowhere():
    stage = Stage(an_account())
    crm = with_crm(stage, is_open=True)

    stage.tell(arrived(untrusted_caller=True), offered(untrusted_caller=True), ended(untrusted_caller=True))
    await stage.story

    assert crm.asked == []


async def test_after_a_restart_the_cards_that_stand_are_told_again():
    stage = Stage(an_account())
    before = Before(events=[arrived(), offered(offers=(Offer(agent=ONE, queue="support", rang_at=NOW),))])
    crm = with_crm(stage, before=before)
    await asyncio.wait_for(before.is_restored.wait(), 5)
    crm.gate.set()

    (update,) = await stage.hears("pop.update")

    assert (update["pop_id"], states(update)) == ("main:1.1/1001/1", ["found"])
    stage.tell(ended())
    await stage.story
