"""The load trace: 300 calls and more at 30 calls/s through queues of a real Asterisk 22, as bytes and as single calls.

In: `data/load.ami.xz`, recorded with all event classes on, without times; it begins and ends in the middle of the load.
"""

import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TRACE: Final = Path(__file__).parent / "data" / "load.ami.xz"
INTERNAL: Final = re.compile("^[1-9][0-9]{2,4}$")
"""The endpoint names of agents' phones in this trace; the others are trunks."""

_LINKEDID: Final = re.compile(rb"\r\n(?:Dest)?Linkedid: ([0-9.]+)")
_BRIDGE: Final = re.compile(rb"\r\nBridgeUniqueid: (\S+)")
_PHONE: Final = re.compile(rb"\r\n(?:Interface|Device|Endpoint): (?:PJSIP/)?([1-9][0-9]{2,4})\r\n")
_RINGS: Final = re.compile(rb"Event: Newstate\r\n.*\r\nChannel: PJSIP/([1-9][0-9]{2,4})-[^\r]*\r\nChannelState: 5\r\n", re.DOTALL)
_ARRIVES: Final = re.compile(rb"Event: Newchannel\r\n.*\r\nChannel: PJSIP/trunk-", re.DOTALL)
_NUMBER: Final = re.compile(rb"\r\nCallerIDNum: (\S+)\r\n")


def load_bytes() -> bytes:
    """The whole trace, 12.5 MB."""
    return lzma.decompress(TRACE.read_bytes())


def events(data: bytes) -> list[bytes]:
    """The events of a trace without the blank lines that end them."""
    return [block for block in data.split(b"\r\n\r\n") if block.startswith(b"Event: ")]


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One answered queue call: its own events in order. `rings`: index of the event from which on it is known that this call
    rings at the agent's phone: mostly the phone's new state, now and then the dialling that is told after it."""

    linkedid: bytes
    number: bytes
    agent: bytes
    events: tuple[bytes, ...]
    rings: int


def recorded_calls(data: bytes) -> list[RecordedCall]:
    """The calls that the trace holds from their arrival to their end, offered to one agent and answered."""
    return [call for linkedid, blocks in _by_call(data).items() if (call := _call(linkedid, blocks)) is not None]


def _by_call(data: bytes) -> dict[bytes, list[bytes]]:
    """Events by call. What names no channel (a bridge, a device, a queue member) goes to the call it last belonged to."""
    calls: dict[bytes, list[bytes]] = {}
    at_phone: dict[bytes, bytes] = {}
    at_bridge: dict[bytes, bytes] = {}
    for block in events(data):
        linkedid = _LINKEDID.search(block)
        bridge = _BRIDGE.search(block)
        phone = _PHONE.search(block + b"\r\n")
        if linkedid is not None:
            of_call = linkedid[1]
            if ringing := _RINGS.match(block):
                at_phone[ringing[1]] = of_call
            if bridge is not None:
                at_bridge[bridge[1]] = of_call
        elif bridge is not None:
            of_call = at_bridge.get(bridge[1], b"")
        elif phone is not None:
            of_call = at_phone.get(phone[1], b"")
        else:
            of_call = b""
        if of_call:
            calls.setdefault(of_call, []).append(block)
    return calls


def _call(linkedid: bytes, blocks: list[bytes]) -> RecordedCall | None:
    rings = [(index, found[1]) for index, block in enumerate(blocks) if (found := _RINGS.match(block))]
    number = _NUMBER.search(blocks[0])
    whole = _ARRIVES.match(blocks[0]) and sum(block.startswith(b"Event: Hangup\r\n") for block in blocks) == 2
    answered = any(block.startswith(b"Event: AgentConnect\r\n") for block in blocks)
    if not whole or not answered or number is None or len(rings) != 1:
        return None
    dialled = next(index for index, block in enumerate(blocks) if block.startswith(b"Event: AgentCalled\r\n"))
    return RecordedCall(
        linkedid=linkedid, number=number[1], agent=rings[0][1], events=tuple(blocks), rings=max(rings[0][0], dialled)
    )


def arrivals(data: bytes) -> Iterator[bytes]:
    """The Uniqueid of every channel that came in over the trunk: what a replay must find, read off without the tracker."""
    for block in events(data):
        if _ARRIVES.match(block):
            found = re.search(rb"\r\nUniqueid: (\S+)\r\n", block)
            assert found is not None
            yield found[1]
