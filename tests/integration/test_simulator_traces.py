"""The simulated PBX tells a call as the real Asterisk 22.10.1 told it: same events, same order for each channel, bridge,
device and queue member, same headers in the same order, same values but for ids and clocks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cti_bridge.simulator.pbx import CallHandle, SimulatedPbx
from cti_bridge.simulator.phones import Phone
from cti_bridge.simulator.world import World
from tests.support.simulated_pbx import TRACES, RawClient, a_pbx, laboratory, recorded, story


def caller_of(trace: str) -> tuple[str, str | None]:
    """Number and name of the trace's caller, as the PBX had them."""
    call = json.loads((TRACES / f"{trace}.truth.json").read_text())["calls"][0]
    return call["pbx_number"], None if call["pbx_name"] == "<unknown>" else call["pbx_name"].replace("\\'", "'")


class Scene:
    """One scripted run beside one trace: the PBX, an AMI client that hears it, and the trace's caller."""

    def __init__(self, pbx: SimulatedPbx, client: RawClient, trace: str) -> None:
        self.pbx = pbx
        self.client = client
        self.trace = trace

    async def queued_call(self, *, turn_after: str | None = None) -> CallHandle:
        """The trace's caller in the queue support; `turn_after` is the member who was rung last before."""
        self.pbx.exchange.queues.named("support").last_rung = turn_after
        call = await self.call_in("8001")
        await call.ringing()
        return call

    async def call_in(self, did: str) -> CallHandle:
        return await self.pbx.call_in(did, *caller_of(self.trace))

    async def ring(self, extension: str) -> Phone:
        """That phone, once it rings and the ringing has been told."""
        phone = self.pbx.phone(extension)
        await phone.rings()
        await self.client.act(Action="Ping")
        return phone

    async def same_as_recorded(self, *, values: bool = True) -> None:
        await self.pbx.exchange.switch.until(lambda: not self.pbx.exchange.switch.channels)
        await asyncio.sleep(0)
        await self.client.act(Action="Ping")

        expected, actual = story(recorded(self.trace)), story(self.client.messages)
        assert sorted(expected) == sorted(actual)
        for subject, events in expected.items():
            assert [name for name, _ in events] == [name for name, _ in actual[subject]], subject
            for (name, headers), (_, ours) in zip(events, actual[subject], strict=True):
                assert [key for key, _ in headers] == [key for key, _ in ours], (subject, name)
                if not values:
                    continue
                assert [(name, *pair) for pair in headers] == [(name, *pair) for pair in ours], subject


@asynccontextmanager
async def scene(trace: str, world: World | None = None) -> AsyncIterator[Scene]:
    async with a_pbx(world) as pbx:
        client = await RawClient.log_in(pbx.port)
        try:
            yield Scene(pbx, client, trace)
        finally:
            await client.close()


async def test_an_answered_call_that_the_caller_ends():
    async with scene("q_first_agent") as on:
        call = await on.queued_call()
        (await on.ring("1001")).answer()
        await call.answered()
        call.hang_up()
        await on.same_as_recorded()


async def test_an_answered_call_that_the_agent_ends():
    async with scene("q_first_agent_hangs_up") as on:
        call = await on.queued_call(turn_after="1001")
        phone = await on.ring("1002")
        phone.answer()
        await call.answered()
        phone.hang_up()
        await on.same_as_recorded()


async def test_a_caller_who_gives_up_while_a_phone_rings():
    async with scene("q_abandon_during_ring") as on:
        call = await on.queued_call()
        await on.ring("1001")
        call.hang_up()
        await on.same_as_recorded()


async def test_a_ring_without_answer_goes_to_the_next_member():
    async with scene("q_rna_second", laboratory(ring_seconds=0.2)) as on:
        call = await on.queued_call(turn_after="1002")
        await on.ring("1003")
        (await on.ring("1001")).answer()
        await call.answered()
        call.hang_up()
        await on.same_as_recorded()


async def test_all_members_ring_and_one_answers():
    async with scene("q_ringall_three") as on:
        call = await on.call_in("8002")
        await on.ring("1004")
        (await on.ring("1005")).answer()
        await call.answered()
        call.hang_up()
        # in which order three phones begin to ring is a race between Asterisk's threads: names only
        await on.same_as_recorded(values=False)


async def test_members_who_refuse():
    async with scene("q_agent_rejects") as on:
        call = await on.queued_call(turn_after="1002")
        (await on.ring("1003")).reject(busy=True)
        (await on.ring("1001")).reject()
        (await on.ring("1002")).answer()
        await call.answered()
        call.hang_up()
        await on.same_as_recorded()


async def test_hold_and_take_back_twice():
    async with scene("hold_unhold") as on:
        call = await on.queued_call(turn_after="1001")
        phone = await on.ring("1002")
        phone.answer()
        await call.answered()
        for _ in range(2):
            phone.hold()
            await on.client.act(Action="Ping")
            phone.resume()
            await on.client.act(Action="Ping")
        call.hang_up()
        await on.same_as_recorded()


async def test_a_blind_transfer_to_a_colleague():
    async with scene("xfer_blind_refer_agent") as on:
        call = await on.queued_call(turn_after="1001")
        phone = await on.ring("1002")
        phone.answer()
        await call.answered()
        phone.transfer("1005")
        (await on.ring("1005")).answer()
        await on.pbx.phone("1005").talks()
        call.hang_up()
        await on.same_as_recorded()


async def test_an_attended_transfer_to_a_colleague():
    async with scene("xfer_attended_refer") as on:
        call = await on.queued_call()
        phone = await on.ring("1001")
        phone.answer()
        await call.answered()
        await on.client.act(Action="Ping")
        phone.consult("1005")
        (await on.ring("1005")).answer()
        await on.pbx.phone("1005").talks()
        await on.client.act(Action="Ping")
        phone.complete_transfer()
        await on.client.act(Action="Ping")
        call.hang_up()
        await on.same_as_recorded()


async def test_a_direct_call_to_an_agent():
    async with scene("did_direct") as on:
        call = await on.call_in("8100")
        (await on.ring("1001")).answer()
        await call.answered()
        call.hang_up()
        await on.same_as_recorded()


async def test_a_direct_caller_who_gives_up():
    async with scene("did_abandon") as on:
        call = await on.call_in("8100")
        await on.ring("1001")
        call.hang_up()
        await on.same_as_recorded()


async def test_an_agent_calls_a_colleague():
    async with scene("internal_answered") as on:
        on.pbx.phone("1002").dial("1005")
        phone = await on.ring("1005")
        phone.answer()
        await phone.talks()
        phone.hang_up()
        await on.same_as_recorded()


async def originate(on: Scene, customer: str, milliseconds: str) -> None:
    caller_id = f'"Call {customer}" <{customer}>'
    place = {"Context": "click2call", "Exten": customer, "Priority": "1"}
    answer = await on.client.act(
        Action="Originate", Channel="PJSIP/1001", **place, CallerID=caller_id, Timeout=milliseconds, Async="true"
    )
    assert dict(answer)["Message"] == "Originate successfully queued"


async def test_click_to_call():
    async with scene("c2c_answered") as on:
        await originate(on, "0698000001", "30000")
        (await on.ring("1001")).answer()
        customer = await on.pbx.customer_rings()
        await on.client.act(Action="Ping")
        customer.answer()
        await customer.answered()
        on.pbx.phone("1001").hang_up()
        await on.same_as_recorded()


async def test_click_to_call_that_the_agent_does_not_answer():
    async with scene("c2c_agent_no_answer") as on:
        await originate(on, "0698000003", "200")
        await on.ring("1001")
        await on.same_as_recorded()
