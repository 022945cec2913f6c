"""The demo left to itself: an hour of callers and agents, watched for what Asterisk would never tell."""

import asyncio
from collections import Counter
from random import Random

import pytest

from cti_bridge.simulator.callers import Caller, People, call_in
from cti_bridge.simulator.demo_callers import demo_callers
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.scenarios import Habits
from cti_bridge.simulator.world import WRAP_UP_SECONDS, demo_world
from tests.support.virtual_time import run_in_virtual_time

START = 1_795_300_000.0


class Watch:
    """Hears every event and holds the PBX to what AMI promises."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.transcript: list[tuple[str, tuple]] = []
        self.alive: set[str] = set()
        self.bridges: dict[str, set[str]] = {}
        self.waiting: dict[str, list[str]] = {}

    def emit(self, name: str, event_class: str, headers) -> None:
        assert event_class in {"call", "agent"}
        told = dict(headers)
        assert len(told) == len(headers), f"{name} repeats a header"
        self.counts[name] += 1
        self.transcript.append((name, tuple(headers)))
        if name == "Newchannel":
            assert told["Uniqueid"] not in self.alive
            self.alive.add(told["Uniqueid"])
        for key in ("Uniqueid", "DestUniqueid", "TransfererUniqueid", "TransfereeUniqueid", "OrigTransfererUniqueid"):
            assert told.get(key) is None or told[key] in self.alive, f"{name} of a channel that is not up"
        match name:
            case "Hangup":
                self.alive.remove(told["Uniqueid"])
                assert all(told["Uniqueid"] not in inside for inside in self.bridges.values())
            case "BridgeCreate":
                self.bridges[told["BridgeUniqueid"]] = set()
            case "BridgeEnter" | "BridgeLeave":
                inside = self.bridges[told["BridgeUniqueid"]]
                inside ^= {told["Uniqueid"]}
                assert told["BridgeNumChannels"] == str(len(inside))
                assert len(inside) <= 2
            case "BridgeDestroy":
                assert self.bridges.pop(told["BridgeUniqueid"]) == set()
            case "QueueCallerJoin":
                queue = self.waiting.setdefault(told["Queue"], [])
                queue.append(told["Uniqueid"])
                assert (told["Position"], told["Count"]) == (str(len(queue)), str(len(queue)))
            case "QueueCallerLeave":
                queue = self.waiting[told["Queue"]]
                assert told["Position"] == str(queue.index(told["Uniqueid"]) + 1)
                queue.remove(told["Uniqueid"])
                assert told["Count"] == str(len(queue))


class Hour:
    """A demo world on a virtual clock."""

    def __init__(self, seed: int, habits: Habits | None = None, callers: tuple[Caller, ...] | None = None) -> None:
        self.watch = Watch()
        self.failures: list[BaseException] = []
        self.tasks: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        random = Random(seed)
        self.exchange = Exchange(
            world=demo_world(), random=random, emit=self.watch.emit, spawn=self.spawn, now=lambda: START + loop.time()
        )
        self.people = People(exchange=self.exchange, random=random, callers=callers or demo_callers(), habits=habits or Habits())
        self.exchange.switch.on_ringing = self.people.rang

    def spawn(self, coroutine, name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.reap)

    def reap(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failures.append(task.exception())

    async def run(self, rate: float, seconds: float) -> None:
        """Callers come for that long; then all calls end by themselves."""
        arrivals = asyncio.create_task(self.people.run(rate))
        await asyncio.sleep(seconds)
        arrivals.cancel()
        await asyncio.sleep(3600)
        assert self.failures == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_hour_of_calls_ends_with_everybody_gone(seed):
    async def hour() -> None:
        demo = Hour(seed)
        await demo.run(rate=3.0, seconds=3600)

        assert demo.watch.alive == set()
        assert demo.watch.bridges == {}
        assert not any(demo.watch.waiting.values())
        assert demo.tasks == set()
        assert demo.exchange.switch.channels == {}
        counts = demo.watch.counts
        assert counts["AgentConnect"] == counts["AgentComplete"] > 90
        for rare in ("QueueCallerAbandon", "AgentRingNoAnswer", "Hold", "BlindTransfer", "AttendedTransfer"):
            assert counts[rare] > 0, rare
        assert {demo.exchange.switch.device_state(f"PJSIP/{phone}") for phone in demo.exchange.phones} == {"NOT_INUSE"}

    run_in_virtual_time(hour())


def test_a_crowd_is_bounded_and_nobody_is_lost():
    async def crowd() -> None:
        demo = Hour(4)
        await demo.run(rate=120.0, seconds=150)

        assert demo.people.turned_away > 0
        assert demo.watch.alive == set()
        assert demo.tasks == set()

    run_in_virtual_time(crowd())


def test_the_same_seed_gives_the_same_hour():
    transcripts = []

    async def minutes() -> None:
        demo = Hour(5)
        await demo.run(rate=4.0, seconds=600)
        transcripts.append(demo.watch.transcript)

    run_in_virtual_time(minutes())
    run_in_virtual_time(minutes())

    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) > 500


@pytest.mark.parametrize(("left", "rings"), [(False, 12.0), (True, 15.0)], ids=["by itself", "left to the person"])
def test_a_persons_phone_rings_before_it_is_answered_by_itself(left, rings):
    async def ring() -> None:
        demo = Hour(6)
        for queue in demo.exchange.queues:
            for member in queue.members.values():
                member.paused = member.agent.extension != "1002"
        demo.people.leave_to_person("1002", on=left)
        loop = asyncio.get_running_loop()
        call_in(demo.exchange, "8001", "02079460018", None)
        leg = await demo.exchange.phones["1002"].rings()
        began = loop.time()

        await demo.exchange.switch.until(lambda: leg.gone or leg.bridge is not None)

        assert (leg.gone, loop.time() - began) == (left, pytest.approx(rings, abs=0.01))
        for task in list(demo.tasks):
            task.cancel()

    run_in_virtual_time(ring())


def test_a_member_is_left_alone_while_wrapping_up():
    async def wrap_up() -> None:
        demo = Hour(7)
        for queue in demo.exchange.queues:
            for member in queue.members.values():
                member.paused = member.agent.extension != "1006"
        demo.exchange.switch.on_ringing = lambda _leg: None
        loop, phone = asyncio.get_running_loop(), demo.exchange.phones["1006"]
        for number in ("02079460018", "02079460121"):
            call_in(demo.exchange, "8001", number, None)
        await phone.rings()
        phone.answer()
        await phone.talks()
        phone.hang_up()
        await phone.idle()
        hung_up_at = loop.time()

        await phone.rings()

        assert loop.time() - hung_up_at == pytest.approx(WRAP_UP_SECONDS, abs=0.01)
        for task in list(demo.tasks):
            task.cancel()

    run_in_virtual_time(wrap_up())
