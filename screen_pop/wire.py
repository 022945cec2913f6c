"""The websocket's messages (`cti.v1`, docs/protocol.md), declared in tables: what a client may say, what it may be told.

In: bytes of one text frame, or documents; out: checked messages, or bytes. Pure. Stop 6 of the walk to the browser.
Everything a browser sends is hostile: size, shape and role are checked here before anything is done.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.call_events import (
    CallAnswered,
    CallArrived,
    CallChanged,
    CallEnded,
    CallEvent,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallResumed,
    CallTransferred,
    OfferEnded,
)
from cti_bridge.domain.errors import WireError
from screen_pop.ports import Role

SUBPROTOCOL = "cti.v1"
MAX_MESSAGE_BYTES = 64 * 1024

CLOSE_GOING_AWAY = 1001
CLOSE_INTERNAL = 1011
CLOSE_NOT_THE_PROTOCOL = 4400
CLOSE_NOT_SIGNED_IN = 4401
CLOSE_NOT_ALLOWED = 4403
CLOSE_SILENT = 4408
CLOSE_TOO_LARGE = 4409
CLOSE_TOO_SLOW = 4429

ALL_ROLES = frozenset(Role)
MAX_ID = 2**53 - 1
"""The largest whole number that a browser's JSON can carry exactly."""


class _ClientMessage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Hello(_ClientMessage):
    """Opens the link; `last_event_id` is the newest event the client saw, 0 for none."""

    type: Literal["hello"]
    last_event_id: Annotated[int, Field(ge=0, le=MAX_ID)] = 0


class Ack(_ClientMessage):
    """Everything up to `id` arrived."""

    type: Literal["ack"]
    id: Annotated[int, Field(ge=0, le=MAX_ID)]


class Shown(_ClientMessage):
    """The pop is on the agent's screen."""

    type: Literal["shown"]
    pop_id: Annotated[str, Field(min_length=1, max_length=300)]


ClientMessage = Hello | Ack | Shown


@dataclass(frozen=True, slots=True)
class _Declared:
    shape: type[Hello | Ack | Shown]
    roles: frozenset[Role]


CLIENT_MESSAGES: Mapping[str, _Declared] = {
    "hello": _Declared(Hello, ALL_ROLES),
    "ack": _Declared(Ack, ALL_ROLES),
    "shown": _Declared(Shown, frozenset({Role.AGENT})),
}

CALL_EVENT_TYPES: Mapping[type[CallEvent], str] = {
    CallArrived: "call.changed",
    CallQueued: "call.changed",
    CallLeftQueue: "call.changed",
    CallOffered: "call.changed",
    OfferEnded: "call.changed",
    CallChanged: "call.changed",
    CallAnswered: "call.answered",
    CallHeld: "call.held",
    CallResumed: "call.resumed",
    CallTransferred: "call.transferred",
    CallEnded: "call.ended",
}
"""How each thing that happens to a call is named on the wire."""

POP_EVENT_TYPES = ("pop", "pop.update", "pop.withdrawn")
NUMBERED_TYPES = frozenset({*POP_EVENT_TYPES, *CALL_EVENT_TYPES.values(), "wrap_up.saved"})
"""Events with an id, replayed after a drop."""

LIVE_STATES: Mapping[str, str] = {
    "queue.figures": "queues",
    "agent.state": "agents",
    "link.state": "links",
    "gap.state": "gaps",
    "audit.state": "audits",
}
"""Live states that carry a list, and the list's key; never numbered, newest wins."""

ROUTING_STATE = "routing.state"

_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(frame: bytes, role: Role) -> ClientMessage:
    """Reads one frame of a client that has `role`.

    Raises:
        WireError: with `close_code` where the link must end (`not-json`, `too-large`); without it the message alone is
            refused (`unknown-type`, `wrong-shape`, `not-allowed`).
    """
    if len(frame) > MAX_MESSAGE_BYTES:
        raise WireError("too-large", f"a message has at most {MAX_MESSAGE_BYTES} bytes", close_code=CLOSE_TOO_LARGE)
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise WireError("not-json", "a message is one JSON object", close_code=CLOSE_NOT_THE_PROTOCOL) from error
    if not isinstance(message, dict):
        raise WireError("not-json", "a message is one JSON object", close_code=CLOSE_NOT_THE_PROTOCOL)
    type_ = message.get("type")
    declared = CLIENT_MESSAGES.get(type_) if isinstance(type_, str) else None
    if declared is None:
        raise WireError("unknown-type", f"type is one of {', '.join(CLIENT_MESSAGES)}")
    if role not in declared.roles:
        raise WireError("not-allowed", f"{type_} is not for the role {role}")
    try:
        return declared.shape.model_validate(message)
    except ValidationError as error:
        raise WireError("wrong-shape", _in_words(error)) from error


def to_json(document: Any) -> bytes:
    """JSON of a document; half characters (lone surrogates, as odd bytes in a caller's name may leave) become U+FFFD."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return orjson.dumps(_without_surrogates(document))


def event_body(type_: str, at: datetime, fields: Mapping[str, Any]) -> bytes:
    """A numbered event without its number: encoded once, however many receivers it has."""
    assert type_ in NUMBERED_TYPES, type_
    # A copy: orjson (3.13.0) leaves its 16 KiB buffer behind a body of 600 bytes, and outboxes keep hundreds of bodies an agent.
    return bytes(memoryview(to_json({"type": type_, "at": iso_utc(at), **fields})))


def numbered(event_id: int, body: bytes) -> bytes:
    """The frame of an event: `body` with this receiver's id put in front."""
    return b'{"id":%d,%s' % (event_id, body[1:])


def live_state(type_: str, at: datetime, documents: Sequence[bytes]) -> bytes:
    """The frame of a live state from its encoded documents."""
    head = b'{"type":"%s","at":"%s",' % (type_.encode(), (iso_utc(at) or "").encode())
    if type_ == ROUTING_STATE:
        return head + b'"routing":%s}' % documents[-1]
    return head + b'"%s":[%s]}' % (LIVE_STATES[type_].encode(), b",".join(documents))


def welcome(*, resumed: bool, event_id: int, at: datetime, user: Mapping[str, Any], snapshot: Mapping[str, Any]) -> bytes:
    """The answer to hello; the events after `event_id` follow it."""
    return to_json(
        {
            "type": "welcome",
            "resumed": resumed,
            "event_id": event_id,
            "at": iso_utc(at),
            "user": user,
            "snapshot": snapshot,
        }
    )


def gap(reason: str) -> bytes:
    """Says that events were lost for this receiver; a welcome with a fresh snapshot follows."""
    return to_json({"type": "gap", "reason": reason})


def error(refused: WireError) -> bytes:
    """Tells the sender why its message was refused."""
    return to_json({"type": "error", "kind": refused.kind, "detail": refused.detail})


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(map(str, problem['loc']))[:40]}: {problem['msg']}" for problem in problems)


def _without_surrogates(document: Any) -> Any:
    if isinstance(document, str):
        return _SURROGATE.sub("\ufffd", document)
    if isinstance(document, Mapping):
        return {_without_surrogates(key): _without_surrogates(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_without_surrogates(value) for value in document]
    return document
