"""An agent: three separate facts, never one enum: what the agent set, what the agent is doing, what the phone does."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from cti_bridge.domain.call import CallId, Extension, iso_utc


class AgentStatus(StrEnum):
    """What the agent chose; PAUSED carries a reason. LOGGED_OUT: a member of no queue."""

    READY = "ready"
    PAUSED = "paused"
    LOGGED_OUT = "logged_out"


class AgentActivity(StrEnum):
    """What the agent is doing, derived from the calls."""

    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    HOLD = "hold"
    WRAP_UP = "wrap_up"


class PhoneState(StrEnum):
    """The phone as the PBX sees it (Asterisk device states 0 to 8)."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    IN_USE = "in_use"
    BUSY = "busy"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    RINGING = "ringing"
    RINGING_IN_USE = "ringing_in_use"
    ON_HOLD = "on_hold"


DEVICE_STATES: tuple[PhoneState, ...] = tuple(PhoneState)
"""Indexed by Asterisk's device state number (`Status` of QueueMember, Asterisk 22)."""


class QueueMember(NamedTuple):
    """An agent's seat in one queue; `interface` is the PBX's name for it, as `PJSIP/1001`.

    A named tuple because the PBX reports seats more often than anything else: a third of a dataclass's cost.
    """

    pbx: str
    queue: str
    agent: Extension
    interface: str
    name: str
    paused: bool
    pause_reason: str | None
    penalty: int
    phone: PhoneState


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """An agent on the boards. `since` is when status or activity last changed; `queues` are the seats held."""

    agent: Extension
    name: str
    status: AgentStatus
    pause_reason: str | None
    activity: AgentActivity
    phone: PhoneState
    since: datetime
    queues: tuple[str, ...]
    call_id: CallId | None


def agent_document(state: AgentState) -> dict[str, Any]:
    """The agent as the REST API and the websocket show it."""
    return {
        "agent": state.agent,
        "name": state.name,
        "status": state.status.value,
        "pause_reason": state.pause_reason,
        "activity": state.activity.value,
        "phone": state.phone.value,
        "since": iso_utc(state.since),
        "queues": list(state.queues),
        "call_id": state.call_id,
    }
