"""From what was read off the PBX to the board and the call tasks: order, bounds, and one bad call that harms no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.connection import At
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import Disconnected, Received
from cti_bridge.call_task import Desk
from cti_bridge.domain.call import Call
from cti_bridge.domain.call_events import CallEvent
from cti_bridge.gaps import GapBook
from cti_bridge.live.board import Board
from cti_bridge.lookup import Lookup
from cti_bridge.pipeline import MAX_EVENTS_BEHIND, CallTasks, Pipeline
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from tests.support.gaps import GapAudit, GapStore
from tests.support.replayed import TRACES, a_tracker
from tests.support.store import NOW

T0 = 1_795_315_288.0


class Link:
    """What a client reads, as a test says it; like the real stream it gives without suspending while it has something."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Received | Disconnected] = asyncio.Queue()
        self.events = self

    def __aiter__(self) -> AsyncIterator[Received | Disconnected]:
        return self

    async def __anext__(self) -> Received | Disconnected:
        return self.items.get_nowait() if self.items.qsize() else await self.items.get()

    def told(self, data: bytes, *, at: float = T0) -> None:
        codec = AmiCodec(expects=lambda _: True)
        news = tuple(message for message in codec.receive(data) if isinstance(message, AmiEvent))
        self.items.put_nowait(Received(at=At(wall=at, mono=at), conn=1, data=data, news=news))

    def cut(self, *, at: float = T0) -> None:
        self.items.put_nowait(Disconnected(at=At(wall=at, mono=at), conn=1, reason="reset"))


class Nobody:
    async def of_caller(self, _e164: str | None, _entered: str | None) -> tuple[()]:
        return ()


class Records:
    """A store that records once its gate is open."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def put(self, call: Call, _account_id: str | None) -> None:
        self.calls.append(call)
        self.changed.set()
        await self.gate.wait()

    async def until(self, count: int) -> list[Call]:
        async with asyncio.timeout(5):
            while len(self.calls) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.calls


class BadHub(Hub):
    """Fails, or hangs, on what it is told of one call."""

    def __init__(self, *, fails_on: str = "", hangs_on: str = "") -> None:
        super().__init__(WebMetrics(CollectorRegistry()))
        self.fails_on, self.hangs_on = fails_on, hangs_on
        self.told: list[tuple[str, str]] = []

    async def tell_call(self, event: CallEvent) -> None:
        uniqueid = event.call.call_id.partition(":")[2]
        if uniqueid == self.fails_on and type(event).__name__ != "CallEnded":
            raise RuntimeError("a mistake in our own code")
        if uniqueid == self.hangs_on and type(event).__name__ != "CallEnded":
            await asyncio.Event().wait()
        self.told.append((uniqueid, type(event).__name__))


class Line:
    """A running pipeline and all that it feeds."""

    def __init__(self, tasks: asyncio.TaskGroup, hub: Hub) -> None:
        self.link, self.records = Link(), Records()
        self.board = Board(since=NOW, service_level_seconds=20, short_abandon_seconds=5, wrap_up_seconds=0)
        desk = Desk(hub=hub, lookup=Lookup(Nobody(), "GB"), recorder=self.records, decision_for=lambda _pbx, _uniqueid: None)
        self.calls = CallTasks(desk=desk, tasks=tasks)
        gaps = GapBook(GapStore(), self.board, auditor=GapAudit(), recorded=())
        self.pipeline = Pipeline(self.link, a_tracker(), self.board, self.calls, gaps, pbx="main")

    async def worked_off(self) -> None:
        """All that was told has been taken."""
        async with asyncio.timeout(5):
            while self.link.items.qsize():  # noqa: ASYNC110 - turns of the loop, no time
                await asyncio.sleep(0)


@asynccontextmanager
async def running(hub: Hub | None = None) -> AsyncIterator[Line]:
    async with asyncio.TaskGroup() as tasks:
        line = Line(tasks, hub or BadHub())
        task = tasks.create_task(line.pipeline.run())
        yield line
        task.cancel()
        await line.calls.drain(1)


def event(name: str, *headers: tuple[str, object]) -> bytes:
    """A live event with a Privilege, or, with an ActionID, an item of a listing."""
    live = headers[0][0] != "ActionID"
    lines = [f"Event: {name}", *(["Privilege: call,all"] if live else []), *(f"{key}: {value}" for key, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def channel(number: int, **changes: object) -> list[tuple[str, object]]:
    uid = f"{T0:.0f}.{number}"
    values: dict[str, object] = {
        "Channel": f"PJSIP/trunk-{number:08}",
        "ChannelState": 4,
        "ChannelStateDesc": "Ring",
        "CallerIDNum": "0612345678",
        "CallerIDName": "<unknown>",
        "ConnectedLineNum": "<unknown>",
        "ConnectedLineName": "<unknown>",
        "Language": "en",
        "AccountCode": "",
        "Context": "from-trunk",
        "Exten": "8001",
        "Priority": 1,
        "Uniqueid": uid,
        "Linkedid": uid,
    }
    return list((values | changes).items())


def begins(number: int) -> bytes:
    return event("Newchannel", *channel(number))


def hangs_up(number: int) -> bytes:
    return event("Hangup", *channel(number), ("Cause", 16), ("Cause-txt", "Normal Clearing"))


def joins(number: int) -> bytes:
    return event("QueueCallerJoin", *channel(number), ("Queue", "support"), ("Position", 1), ("Count", 1))


def leaves(number: int) -> bytes:
    return event("QueueCallerLeave", *channel(number), ("Queue", "support"), ("Position", 1), ("Count", 0))


def uid(number: int) -> str:
    return f"{T0:.0f}.{number}"


async def test_a_recorded_call_goes_through_to_its_record():
    async with running() as line:
        line.link.told((TRACES / "q_first_agent.ami").read_bytes())

        (call,) = await line.records.until(1)

        assert (call.outcome.value, call.answered_by) == ("answered", ("1001",))
        assert line.board.calls() == ()
        assert line.board.queues(NOW)[0].answered == 1


@pytest.mark.parametrize("at_once", [True, False], ids=["its end came already", "its end comes later"])
async def test_a_mistake_in_one_calls_story_harms_no_other_and_its_end_is_recorded(at_once: bool):
    hub = BadHub(fails_on=uid(1))
    with capture_logs() as logs:
        async with running(hub) as line:
            line.link.told(begins(1) + begins(2))
            while not at_once and not line.calls.counters["failed"]:  # noqa: ASYNC110 - turns of the loop, no time
                await asyncio.sleep(0)
            line.link.told(hangs_up(1) + hangs_up(2))

            recorded = await line.records.until(2)

    assert sorted(call.call_id for call in recorded) == [f"main:{uid(1)}", f"main:{uid(2)}"]
    assert line.calls.counters == {"failed": 1, "handled": 2}
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["call.failed"]


async def test_a_call_that_is_too_far_behind_is_given_up_alone_and_its_end_is_recorded():
    hub = BadHub(hangs_on=uid(1))
    async with running(hub) as line:
        line.link.told(begins(1) + begins(2))
        await line.worked_off()
        for _ in range(MAX_EVENTS_BEHIND):
            line.link.told(joins(1) + leaves(1))
        line.link.told(hangs_up(1) + hangs_up(2))

        recorded = await line.records.until(2)
        await line.worked_off()

    assert sorted(call.call_id for call in recorded) == [f"main:{uid(1)}", f"main:{uid(2)}"]
    assert line.calls.counters == {"given_up": 1, "handled": 2}


async def test_a_backlog_is_worked_off_in_turns():
    """Browsers are pinged and commands answered meanwhile; the stream itself never suspends while it has something."""
    async with running() as line:
        for number in range(200):
            line.link.told(begins(number))
        behind = []
        while line.link.items.qsize():
            behind.append(line.link.items.qsize())
            await asyncio.sleep(0)

        assert len(behind) >= 200


async def test_a_clock_that_is_set_back_gives_no_negative_times():
    async with running() as line:
        line.link.told(begins(1) + joins(1), at=T0)
        line.link.told(leaves(1) + hangs_up(1), at=T0 - 3600)

        (call,) = await line.records.until(1)

        assert call.ended_at == call.started_at
        assert call.wait_s == 0


async def test_a_drain_stores_what_has_ended_and_leaves_live_calls():
    with capture_logs() as logs:
        async with running() as line:
            line.records.gate.clear()
            line.link.told(begins(1) + begins(2) + hangs_up(1))
            await line.records.until(1)

            draining = asyncio.create_task(line.calls.drain(5))
            await asyncio.sleep(0)
            waits_for_the_store = not draining.done()
            line.records.gate.set()
            await draining

    assert waits_for_the_store
    assert [call.call_id for call in line.records.calls] == [f"main:{uid(1)}"]
    assert [entry for entry in logs if entry["event"] == "shutdown.straggler"] == []


async def test_a_drain_names_who_did_not_end_in_time():
    with capture_logs() as logs:
        async with running() as line:
            line.records.gate.clear()
            line.link.told(begins(1) + hangs_up(1))
            await line.records.until(1)

            await line.calls.drain(0.01)

    assert [entry["task"] for entry in logs if entry["event"] == "shutdown.straggler"] == [f"call main:{uid(1)}"]


# --- queue members


def a_member(agent: str) -> bytes:
    return event(
        "QueueMember",
        ("ActionID", "list"),
        ("Queue", "support"),
        ("Name", f"Agent {agent}"),
        ("Location", f"PJSIP/{agent}"),
        ("StateInterface", f"PJSIP/{agent}"),
        ("Membership", "static"),
        ("Penalty", 0),
        ("CallsTaken", 0),
        ("LastCall", 0),
        ("Status", 1),
        ("Paused", 0),
        ("PausedReason", ""),
    )


LISTING_BEGINS = event("QueueParams", ("ActionID", "list"), ("Queue", "support"), ("Max", 0))
LISTING_ENDS = event("QueueStatusComplete", ("ActionID", "list"), ("EventList", "Complete"))


def agents(line: Line) -> list[str]:
    return [state.agent for state in line.board.agents(NOW)]


async def test_a_listing_says_who_is_a_member_and_who_is_no_more():
    async with running() as line:
        line.link.told(LISTING_BEGINS + a_member("1001") + a_member("1002") + LISTING_ENDS)
        await line.worked_off()
        first = agents(line)
        line.link.told(LISTING_BEGINS + a_member("1002") + LISTING_ENDS)
        await line.worked_off()

        assert (first, agents(line)) == (["1001", "1002"], ["1002"])


async def test_a_listing_that_broke_off_does_not_count():
    async with running() as line:
        line.link.told(LISTING_BEGINS + a_member("1001"))
        line.link.cut()
        line.link.told(LISTING_BEGINS + a_member("1002") + LISTING_ENDS)
        await line.worked_off()

        assert agents(line) == ["1002"]


async def test_who_is_removed_during_a_listing_is_gone():
    recorded = (TRACES / "members_change.ami").read_bytes().split(b"\r\n\r\n")
    removed = next(block for block in recorded if block.startswith(b"Event: QueueMemberRemoved")) + b"\r\n\r\n"
    removed = removed.replace(b"PJSIP/1006", b"PJSIP/1001")
    async with running() as line:
        line.link.told(LISTING_BEGINS + a_member("1001") + removed + a_member("1002") + LISTING_ENDS)
        await line.worked_off()

        assert agents(line) == ["1002"]


# --- anomalies


@pytest.mark.parametrize(("seconds_between", "lines"), [(1.0, 1), (61.0, 3)])
async def test_anomalies_are_all_counted_and_logged_once_a_minute(seconds_between: float, lines: int):
    forged: list[dict[str, Any]] = []
    with capture_logs() as logs:
        async with running() as line:
            for number in range(3):
                told = begins(number).replace(b"CallerIDNum: 0612345678", b"CallerIDNum: 06\r\nEvent: Hangup")
                line.link.told(told, at=T0 + number * seconds_between)
            await line.worked_off()
            forged = [entry for entry in logs if entry["event"] == "ami.forged"]

            assert line.pipeline.anomalies == {"forged_event": 3}
    assert len(forged) == lines
