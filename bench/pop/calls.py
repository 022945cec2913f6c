"""Real calls made into any number of new ones: other customer, other agent, ids of their own; pure.

A call is written in four parts: its arrival, its ring (from the queue to the agent's ringing phone), its answer, its end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.load_trace import RecordedCall

ID_STEP: Final = 100_000
_UNIQUEID: Final = re.compile(rb"\b(1795314\d{3})\.(\d+)\b")
_CHANNEL: Final = re.compile(rb"(PJSIP/[a-z0-9]+)-([0-9a-f]{8})\b")
_BRIDGE: Final = re.compile(rb"\b[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCall:
    """`arrival`, `ring`, `answer` and `end` are bytes for the wire; `key` is the Uniqueid that the pop's call_id ends with."""

    key: str
    arrival: bytes
    ring: bytes
    answer: bytes
    end: bytes


def make(recorded: RecordedCall, *, serial: int, number: str, agent: str) -> MadeCall:
    """The recorded call as number `serial` (from 1) of this run."""
    joins, ends = (
        next(index for index, event in enumerate(recorded.events) if event.startswith(b"Event: %s\r\n" % name))
        for name in (b"QueueCallerJoin", b"HangupRequest")
    )
    arrival, ring, answer, end = (
        _changed(part, recorded, serial=serial, number=number.encode(), agent=agent.encode())
        for part in (
            recorded.events[:joins],
            recorded.events[joins : recorded.rings + 1],
            recorded.events[recorded.rings + 1 : ends],
            recorded.events[ends:],
        )
    )
    return MadeCall(key=_renumbered(recorded.linkedid, serial).decode(), arrival=arrival, ring=ring, answer=answer, end=end)


def _changed(events: Sequence[bytes], recorded: RecordedCall, *, serial: int, number: bytes, agent: bytes) -> bytes:
    text = b"".join(event + b"\r\n\r\n" for event in events)
    text = re.sub(rb"(?<![0-9.])%s(?![0-9])" % re.escape(recorded.agent), agent, text)
    text = text.replace(recorded.number, number)
    text = _renumbered(text, serial)
    text = _CHANNEL.sub(lambda m: b"%s-%08x" % (m[1], (int(m[2], 16) + serial * 0x10000) & 0xFFFFFFFF), text)
    return _BRIDGE.sub(lambda m: b"%08x%s" % (serial, m[1]), text)


def _renumbered(text: bytes, serial: int) -> bytes:
    return _UNIQUEID.sub(lambda m: b"%s.%d" % (m[1], int(m[2]) + serial * ID_STEP), text)
