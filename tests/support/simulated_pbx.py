"""Driving the simulated PBX from tests: a raw AMI client, and events made comparable with a recorded trace."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Self

from cti_bridge.simulator.pbx import CallHandle, SimulatedPbx
from cti_bridge.simulator.phones import Phone
from cti_bridge.simulator.world import Agent, AgentNumber, Queue, QueueNumber, Strategy, World

TRACES = Path(__file__).parents[1] / "traces"
Headers = list[tuple[str, str]]

AGENTS = ("One", "Two", "Three", "Four", "Five", "Six")


def laboratory(ring_seconds: float = 60.0) -> World:
    """The PBX that the traces were recorded on, as far as they use it."""
    return World(
        agents=tuple(Agent(extension=str(1001 + place), name=f"Agent {name}") for place, name in enumerate(AGENTS)),
        queues=(
            Queue(name="mixq", members=("1002",), strategy=Strategy.RING_ALL),
            Queue(name="support", members=("1001", "1002", "1003"), ring_seconds=ring_seconds, retry_seconds=0.0),
            Queue(name="sales", members=("1006", "1005", "1004"), strategy=Strategy.RING_ALL),
        ),
        numbers=MappingProxyType(
            {
                "8001": QueueNumber(queue="support"),
                "8002": QueueNumber(queue="sales", steps=2),
                "8100": AgentNumber(extension="1001", ring_seconds=ring_seconds),
            }
        ),
        services=MappingProxyType({"6002": QueueNumber(queue="sales", steps=1)}),
        outbound_number="0201234567",
    )


def a_pbx(world: World | None = None, **options) -> SimulatedPbx:
    return SimulatedPbx(world=world or laboratory(), username="cti", secret="s3cret", random=Random(7), **options)


class RawClient:
    """A socket to the AMI port; messages as header lists, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.messages: list[Headers] = []

    @classmethod
    async def connect(cls, port: int) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = cls(reader, writer)
        assert await reader.readline() == b"Asterisk Call Manager/11.0.0\r\n"
        return client

    @classmethod
    async def log_in(cls, port: int, events: str = "on") -> Self:
        client = await cls.connect(port)
        client.send(Action="Login", Username="cti", Secret="s3cret", Events=events, ActionID="login")
        answer = await client.next()
        assert dict(answer)["Message"] == "Authentication accepted"
        return client

    def send(self, **headers: str) -> None:
        self.send_raw("".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode() + b"\r\n")

    def send_raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def next(self) -> Headers:
        message = parse((await self.reader.readuntil(b"\r\n\r\n"))[:-4])
        self.messages.append(message)
        return message

    async def until(self, **wanted: str) -> Headers:
        """Reads on until a message with these headers has come."""
        async with asyncio.timeout(5):
            while True:
                message = await self.next()
                if wanted.items() <= dict(message).items():
                    return message

    async def act(self, **headers: str) -> Headers:
        """Sends an action and gives its response; events before it are kept in `messages`."""
        self.send(ActionID="act", **headers)
        async with asyncio.timeout(5):
            while True:
                message = await self.next()
                if message[0][0] == "Response" and dict(message).get("ActionID") == "act":
                    return message

    async def listing(self, complete: str, **headers: str) -> list[dict[str, str]]:
        """Sends a list action and gives its items and its completing event."""
        response = await self.act(**headers)
        assert dict(response)["EventList"] == "start"
        start = len(self.messages)
        await self.until(Event=complete)
        return [dict(message) for message in self.messages[start:]]

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def connected(events: str = "on") -> AsyncIterator[tuple[SimulatedPbx, RawClient]]:
    async with a_pbx() as pbx:
        client = await RawClient.log_in(pbx.port, events)
        try:
            yield pbx, client
        finally:
            await client.close()


async def in_conversation(pbx: SimulatedPbx) -> tuple[CallHandle, Phone]:
    call = await pbx.call_in("8001", "02079460018", "Zoë")
    phone = pbx.phone(await call.ringing())
    phone.answer()
    await call.answered()
    return call, phone


def names(messages: list) -> list[str]:
    return [dict(message).get("Event", "") or "Response" for message in messages]


def parse(block: bytes) -> Headers:
    pairs = (line.partition(": ") for line in block.decode("utf-8", "surrogateescape").split("\r\n"))
    return [(key.rstrip(":"), value) for key, _, value in pairs]


def recorded(name: str) -> list[Headers]:
    """The messages of a trace."""
    blocks = (TRACES / f"{name}.ami").read_bytes().split(b"\r\n\r\n")
    return [parse(block) for block in blocks if block.startswith(b"Event: ")]


COMPARED = frozenset(
    {"Newchannel", "Newstate", "NewCallerid", "NewConnectedLine", "Hangup", "HangupRequest", "SoftHangupRequest"}
    | {"DialBegin", "DialState", "DialEnd", "BridgeCreate", "BridgeEnter", "BridgeLeave", "BridgeDestroy"}
    | {"Hold", "Unhold", "MusicOnHoldStart", "MusicOnHoldStop", "BlindTransfer", "AttendedTransfer", "OriginateResponse"}
    | {"QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentCalled", "AgentConnect", "AgentComplete"}
    | {"AgentRingNoAnswer", "QueueMemberStatus", "DeviceStateChange"}
)
"""Every event of the classes call and agent that these scenarios have. Left out, because the service does not ask for their
classes: VarSet, Newexten (dialplan), TestEvent, RTCPSent, RTCPReceived (reporting), SuccessfulAuth and kin (security)."""

VARYING = frozenset(
    {"Timestamp", "ActionID", "HoldTime", "TalkTime", "RingTime", "InCall", "CallsTaken", "LastCall", "LastPause", "LoginTime"}
)
"""Headers whose values depend on the clock or on earlier calls; their names are compared, their values are not."""

RACING = dict.fromkeys(
    ("AgentCalled", "DialBegin", "DialState"),
    frozenset({"DestChannelState", "DestChannelStateDesc", "DestExten", "DestConnectedLineNum", "DestConnectedLineName"}),
)
"""Whether the phone was seen before or after it rang is a race between two of Asterisk's threads here; the traces have both."""


def story(messages: Iterable[Headers]) -> dict[str, list[tuple[str, Headers]]]:
    """What happened to each channel, bridge, device and queue member, in order; ids are replaced by order of appearance.

    Order is kept for each of them alone: between channels Asterisk promises none, and the traces vary.
    """
    names: dict[str, str] = {}
    told: defaultdict[str, list[tuple[str, Headers]]] = defaultdict(list)
    for message in messages:
        headers = dict(message)
        event = headers.get("Event", "")
        if event not in COMPARED or _not_simulated(headers):
            continue
        if event == "Newchannel":
            nick = f"channel {sum(nick.startswith('channel') for nick in names.values())}"
            names[headers["Uniqueid"]] = nick
            names[headers["Channel"]] = f"{headers['Channel'].rpartition('-')[0]} of {nick}"
        if event == "BridgeCreate":
            names[headers["BridgeUniqueid"]] = f"bridge {sum(nick.startswith('bridge') for nick in names.values())}"
        varying = VARYING | RACING.get(event, frozenset())
        plain = [(key, "*" if key in varying else names.get(value, value)) for key, value in message]
        told[_subject(dict(plain))].append((event, plain))
    return dict(told)


def _not_simulated(headers: dict[str, str]) -> bool:
    """Members that are Local channels, and the devices of other queues and of free members: told on change only, and the
    recorded PBX had run before."""
    device = headers.get("Device", "")
    elsewhere = device.startswith("Queue:") and device != "Queue:support"
    return elsewhere or headers.get("Interface", "").startswith("Local/")


def _subject(headers: dict[str, str]) -> str:
    match headers["Event"]:
        case "QueueMemberStatus":
            return f"member {headers['Interface']} of {headers['Queue']}"
        case "DeviceStateChange":
            return f"device {headers['Device']}"
        case "OriginateResponse":
            return "originate"
        case "BlindTransfer":
            return headers["TransfererUniqueid"]
        case "AttendedTransfer":
            return headers["OrigTransfererUniqueid"]
    return headers.get("Uniqueid") or headers.get("DestUniqueid") or headers["BridgeUniqueid"]
