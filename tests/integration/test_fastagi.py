"""The FastAGI server over real sockets: in time, or closed with no queue set."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network

import pytest

from cti_bridge.domain.decision import RoutingDecision
from routing.agi import AgiRequest
from routing.fastagi import AgiLimits, FastAgiServer
from tests.support.routing_samples import a_question

VIP = RoutingDecision(rule="best-customers", queue="vip", priority=10, reason="tier is gold", rules_version="0" * 12)
QUICK = AgiLimits(decide_seconds=0.05, total_seconds=0.3)


async def says_vip(_request: AgiRequest) -> RoutingDecision | None:
    return VIP


@asynccontextmanager
async def serving(decide=says_vip, **options):
    options = {"limits": QUICK, "withdraw": lambda _request: None} | options
    server = FastAgiServer(host="127.0.0.1", port=0, decide=decide, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def call(server: FastAgiServer, question: bytes, *, reply: bytes = b"200 result=1\n") -> dict[str, str]:
    """Plays the PBX: asks, does what it is told until the connection ends, and gives the channel's variables."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    variables: dict[str, str] = {}
    try:
        writer.write(question)
        while command := await reader.readline():
            words = command.decode().split()
            assert words[:2] == ["SET", "VARIABLE"]
            variables[words[2]] = words[3].strip('"')
            writer.write(reply)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return variables


async def test_decision_is_set_as_channel_variables():
    asked: list[AgiRequest] = []
    withdrawn: list[AgiRequest] = []

    async def decide(request: AgiRequest) -> RoutingDecision | None:
        asked.append(request)
        return VIP

    async with serving(decide, withdraw=withdrawn.append) as server:
        variables = await call(server, a_question())

    assert withdrawn == []
    assert variables == {"CTI_RULE": "best-customers", "CTI_PRIORITY": "10", "CTI_QUEUE": "vip"}
    assert asked == [AgiRequest(uniqueid="1795314829.43", did="8001", caller="02079460018")]
    assert server.counters == {"asked": 1, "answered": 1}


async def test_slow_decision_sets_nothing_and_closes_in_time():
    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        await asyncio.Event().wait()

    async with serving(decide) as server:
        started = time.monotonic()
        variables = await call(server, a_question())
        took = time.monotonic() - started

    assert variables == {}
    assert 0.05 <= took < 0.25
    assert server.counters["late"] == 1


async def test_no_opinion_sets_nothing():
    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        return None

    async with serving(decide) as server:
        assert await call(server, a_question()) == {}

    assert server.counters["undecided"] == 1


async def test_mistake_of_ours_costs_one_call_its_rule_and_no_other_anything():
    answers = iter([RuntimeError("a bug"), VIP])

    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with serving(decide) as server:
        assert await call(server, a_question()) == {}
        assert (await call(server, a_question()))["CTI_QUEUE"] == "vip"

    assert server.counters["failed"] == 1


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n", "forged", id="not AGI"),
        pytest.param(b"\xff\x00\xfe" * 100 + b"\n\n", "forged", id="garbage"),
        pytest.param(b"\n", "forged", id="an empty question"),
        pytest.param(a_question(callerid="1\nagi_dnid: 9\n"), "forged", id="a forged question"),
        pytest.param(a_question(calleridname="x" * 5_000), "oversized", id="a long line"),
        pytest.param(b"x" * 1_000_000, "oversized", id="a line without end"),
        pytest.param(b"agi_a: b\n" * 10_000, "oversized", id="lines without end"),
        pytest.param(a_question(network_script="other"), "unknown_script", id="another script"),
        pytest.param(a_question()[:200], "stalled", id="half a question, then silence"),
        pytest.param(b"", "stalled", id="silence"),
    ],
)
async def test_bad_question_sets_nothing_and_is_closed_in_time(question, kind):
    async with serving() as server:
        variables = await asyncio.wait_for(call(server, question), 2)

        assert variables == {}
        assert server.counters[kind] == 1
        assert (await call(server, a_question()))["CTI_QUEUE"] == "vip"


@pytest.mark.parametrize("reply", [b"HANGUP\n", b"511 Command Not Permitted on a dead channel\n", b"510 Invalid\n"])
async def test_channel_that_takes_no_command_gets_no_queue(reply):
    withdrawn: list[AgiRequest] = []
    async with serving(withdraw=withdrawn.append) as server:
        variables = await call(server, a_question(), reply=reply)

    assert "CTI_QUEUE" not in variables
    assert [request.uniqueid for request in withdrawn] == ["1795314829.43"]
    assert server.counters["not_done"] == 1


async def test_pbx_that_stalls_over_a_command_is_let_go():
    withdrawn: list[AgiRequest] = []
    async with serving(withdraw=withdrawn.append) as server:
        assert "CTI_QUEUE" not in await asyncio.wait_for(call(server, a_question(), reply=b""), 2)

    assert [request.uniqueid for request in withdrawn] == ["1795314829.43"]
    assert server.counters["stalled"] == 1


async def test_pbx_that_goes_away_is_counted():
    async with serving() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(a_question()[:100])
        writer.close()
        await writer.wait_closed()
        # A call after it proves that the first connection was accepted; leaving waits for both to end.
        await call(server, a_question())

    assert server.counters["cut_off"] == 1


async def test_two_hundred_calls_at_once():
    async with serving(limits=AgiLimits(total_seconds=10)) as server:
        answers = await asyncio.gather(*(call(server, a_question(uniqueid=f"1.{n}")) for n in range(200)))

    assert [answer.get("CTI_QUEUE") for answer in answers] == ["vip"] * 200


async def test_calls_past_the_limit_are_let_go_at_once():
    entered, release = asyncio.Semaphore(0), asyncio.Event()

    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        entered.release()
        await release.wait()
        return VIP

    async with serving(decide, limits=AgiLimits(decide_seconds=5, total_seconds=5, connections=2)) as server:
        held = [asyncio.create_task(call(server, a_question())) for _ in range(2)]
        for _ in held:
            await entered.acquire()
        refused = await asyncio.wait_for(call(server, a_question()), 1)
        release.set()
        answers = await asyncio.gather(*held)

    assert refused == {}
    assert server.counters["overloaded"] == 1
    assert [answer["CTI_QUEUE"] for answer in answers] == ["vip", "vip"]


async def test_peer_of_no_allowed_network_is_not_heard():
    async with serving(peers=(ip_network("192.0.2.0/24"),)) as server:
        assert await call(server, a_question()) == {}

    assert server.counters == {"peer_refused": 1}


async def test_peer_by_ipv6_is_known_by_its_ipv4_address():
    async def ask(host: str, peers: tuple[str, ...]) -> dict[str, int]:
        server = FastAgiServer(
            host="::",
            port=0,
            decide=says_vip,
            withdraw=lambda _request: None,
            peers=[ip_network(peer) for peer in peers],
            limits=QUICK,
        )
        await server.start()
        reader, writer = await asyncio.open_connection(host, server.port)
        writer.write(a_question())
        with suppress(ConnectionError):
            await reader.readline()
        writer.close()
        await server.close()
        return dict(server.counters)

    assert (await ask("::1", ("::1/128",)))["asked"] == 1
    assert await ask("::1", ("127.0.0.0/8",)) == {"peer_refused": 1}


async def test_close_lets_calls_under_way_end():
    entered, release = asyncio.Event(), asyncio.Event()

    async def decide(_request: AgiRequest) -> RoutingDecision | None:
        entered.set()
        await release.wait()
        return VIP

    async with serving(decide, limits=AgiLimits(decide_seconds=5, total_seconds=5)) as server:
        answer = asyncio.create_task(call(server, a_question()))
        await entered.wait()
        closing = asyncio.create_task(server.close())
        release.set()
        await closing

        assert (await answer)["CTI_QUEUE"] == "vip"
