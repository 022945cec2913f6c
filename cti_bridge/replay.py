"""`cti-bridge replay` and `record`: traces through the same codec and tracker as live, and live bytes into a trace.

A trace with its `.ts` gives the times of receipt; without it the times are what the stream itself tells (`Timestamp` headers,
which Asterisk writes with `timestampevents = yes`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.connection import system_clock
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import EVENT_CLASSES, Opened, Received
from cti_bridge.ami.trace import Chunk, TraceWriter, read_trace
from cti_bridge.domain.agent import QueueMember
from cti_bridge.domain.call import CallId, call_document, iso_utc
from cti_bridge.domain.call_events import (
    Anomaly,
    CallArrived,
    CallEnded,
    MemberChanged,
    MemberRemoved,
    TrackerEvent,
)
from cti_bridge.tracking.tracker import CallTracker


def replay_events(
    trace: Path, times: Path | None, *, pbx: str, region: str | None, internal: re.Pattern[str]
) -> Iterator[TrackerEvent]:
    """Every event of the trace in order; calls still open at its end are closed as not seen to end. Raises OSError."""
    tracker = CallTracker(pbx, region=region, internal=internal)
    # The ids of a recording's listings cannot be known: all are taken.
    codec = AmiCodec(expects=_anything)
    at = 0.0
    connected = False
    for item in read_trace(trace, times):
        if item.wall is not None:
            at = max(at, item.wall)
        if isinstance(item, Chunk):
            for message in codec.receive(item.data):
                if isinstance(message, AmiEvent):
                    at = at if item.wall is not None else max(at, _timestamp(message))
                    yield from tracker.feed(message, at)
        elif item.kind in {"open", "closed"}:
            if connected:
                yield from tracker.disconnected(at)
            connected = item.kind == "open"
            codec = AmiCodec(expects=_anything)
    yield from tracker.finish(at)


def replay_calls(
    trace: Path, times: Path | None, *, pbx: str, region: str | None, internal: re.Pattern[str]
) -> Iterator[dict[str, Any]]:
    """One document per call, in order of arrival."""
    waiting: dict[CallId, dict[str, Any] | None] = {}
    for event in replay_events(trace, times, pbx=pbx, region=region, internal=internal):
        match event:
            case CallArrived(call=call):
                waiting.setdefault(call.call_id, None)
            case CallEnded(call=call):
                waiting[call.call_id] = call_document(call)
                while waiting and (first := next(iter(waiting))) and (document := waiting[first]) is not None:
                    del waiting[first]
                    yield document
            case _:
                pass


def event_document(event: TrackerEvent) -> dict[str, Any]:
    """An event as `replay --events` prints it."""
    body: dict[str, Any] = {"event": type(event).__name__, "at": iso_utc(event.at)}
    match event:
        case Anomaly(kind=kind, detail=detail):
            return body | {"kind": kind.value, "detail": detail}
        case MemberChanged(member=member):
            return body | _member(member)
        case MemberRemoved(queue=queue, agent=agent):
            return body | {"queue": queue, "agent": agent}
        case _:
            for name in ("agent", "nth", "queue", "answered", "abandoned", "why"):
                if hasattr(event, name):
                    body[name] = getattr(event, name)
            return body | {"call": call_document(event.call)}


def _member(member: QueueMember) -> dict[str, Any]:
    return {
        "queue": member.queue,
        "agent": member.agent,
        "paused": member.paused,
        "pause_reason": member.pause_reason,
        "phone": member.phone.value,
    }


def _anything(_action_id: str) -> bool:
    return True


def _timestamp(event: AmiEvent) -> float:
    try:
        return float(event.get("Timestamp") or 0)
    except ValueError:
        return 0.0


async def record(client: AmiClient, trace: Path, times: Path) -> None:
    """Writes what the PBX sends until cancelled. Raises FileExistsError: a trace is never written over."""
    with TraceWriter(trace, times) as writer:
        conn = 0
        try:
            async for item in client.events:
                if isinstance(item, Opened | Received):
                    conn = item.conn
                writer.write(item)
        finally:
            writer.end(system_clock(), conn=conn)


RECORD_CLASSES = f"{EVENT_CLASSES},dialplan"
"""What is recorded is what the service reads."""
