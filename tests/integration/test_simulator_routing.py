"""The simulated PBX asks the real FastAGI server for a queue, and takes its own where there is no answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cti_bridge.domain.decision import RoutingDecision
from cti_bridge.simulator.pbx import CallHandle, SimulatedPbx
from routing.agi import AgiRequest
from routing.fastagi import FastAgiServer
from tests.support.simulated_pbx import a_pbx


def to(queue: str, priority: int = 0) -> RoutingDecision:
    return RoutingDecision(rule="rule", queue=queue, priority=priority, reason="", rules_version="0" * 12)


@asynccontextmanager
async def routed(decide: Callable[[AgiRequest], Awaitable[RoutingDecision | None]]) -> AsyncIterator[SimulatedPbx]:
    server = FastAgiServer(host="127.0.0.1", port=0, decide=decide, withdraw=lambda _request: None)
    await server.start()
    async with a_pbx() as pbx:
        pbx.ask_routes_of("127.0.0.1", server.port)
        yield pbx
    await server.close()


@asynccontextmanager
async def badly_routed(converse: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]):
    async with await asyncio.start_server(converse, "127.0.0.1", 0) as server, a_pbx() as pbx:
        pbx.ask_routes_of("127.0.0.1", server.sockets[0].getsockname()[1])
        yield pbx


async def queue_of(pbx: SimulatedPbx, call: CallHandle) -> str | None:
    def entered() -> str | None:
        return next(
            (queue.spec.name for queue in pbx.exchange.queues for one in queue.waiting if one.channel is call.channel), None
        )

    async with asyncio.timeout(5):
        await pbx.exchange.switch.until(lambda: entered() is not None or call.channel.gone)
    return entered()


async def test_the_question_is_what_the_service_understands_and_its_queue_is_taken():
    asked = []

    async def decide(request: AgiRequest) -> RoutingDecision:
        asked.append(request)
        return to("sales")

    async with routed(decide) as pbx:
        call = await pbx.call_in("8001", "02079460018", "Zoë")

        assert await queue_of(pbx, call) == "sales"
        assert asked == [AgiRequest(uniqueid=call.uniqueid, did="8001", caller="02079460018")]


async def test_what_the_caller_typed_goes_along():
    asked = []

    async def decide(request: AgiRequest) -> None:
        asked.append(request.customer)

    async with routed(decide) as pbx:
        await queue_of(pbx, await pbx.call_in("8001", "02079460018", typed="4711"))
        await queue_of(pbx, await pbx.call_in("8001", "02079460018"))

    assert asked == ["4711", None]


async def test_a_withheld_number_is_asked_about_as_such():
    asked = []

    async def decide(request: AgiRequest) -> None:
        asked.append(request.caller)

    async with routed(decide) as pbx:
        await queue_of(pbx, await pbx.call_in("8001", None))

    assert asked == [None]


async def test_a_higher_priority_waits_ahead_of_the_others():
    async def decide(request: AgiRequest) -> RoutingDecision:
        return to("support", 5 if request.caller == "02079460018" else 0)

    async with routed(decide) as pbx:
        for agent in ("1001", "1002", "1003"):
            pbx.exchange.queues.pause(f"PJSIP/{agent}", paused=True, reason="", queue_name=None)
        for number in ("02079460500", "02079460018", "02079460501", "02079460018"):
            await queue_of(pbx, await pbx.call_in("8001", number))

        waiting = [entry.channel.number for entry in pbx.exchange.queues.named("support").waiting]
        assert waiting == ["02079460018", "02079460018", "02079460500", "02079460501"]


@pytest.mark.parametrize("decision", [None, to("nowhere")], ids=["no opinion", "a queue that this PBX has not"])
async def test_without_a_usable_answer_the_numbers_own_queue_takes_the_call(decision):
    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        return decision

    async with routed(decide) as pbx:
        assert await queue_of(pbx, await pbx.call_in("8001", "02079460018")) == "support"


async def closes(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def babbles(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n" * 40)
    writer.close()


async def streams(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x" * 200_000)
    writer.close()


@pytest.mark.parametrize("converse", [closes, hangs, babbles, streams])
async def test_a_bad_service_costs_half_a_second_at_most(converse):
    async with badly_routed(converse) as pbx:
        call = await pbx.call_in("8001", "02079460018")

        assert await queue_of(pbx, call) == "support"


async def test_a_service_that_is_down_costs_nothing():
    async with await asyncio.start_server(closes, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    async with a_pbx() as pbx:
        pbx.ask_routes_of("127.0.0.1", port)

        assert await queue_of(pbx, await pbx.call_in("8001", "02079460018")) == "support"


async def test_who_hangs_up_meanwhile_joins_no_queue():
    async with badly_routed(hangs) as pbx:
        call = await pbx.call_in("8001", "02079460018")
        await pbx.exchange.switch.until(lambda: call.channel.application == "Answer")
        call.hang_up()

        assert await queue_of(pbx, call) is None
