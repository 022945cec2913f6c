"""What can happen to a call or to an agent, as the tracker says it. Each carries the whole picture after it happened."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cti_bridge.domain.agent import QueueMember
from cti_bridge.domain.call import Call, Extension, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallArrived:
    """A customer's channel (or the first channel of an outbound or internal call) exists."""

    call: Call
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQueued:
    """The caller joined `queue`."""

    call: Call
    at: datetime
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeftQueue:
    """The caller left `queue`: answered, abandoned, or moved on by the system (neither flag set)."""

    call: Call
    at: datetime
    queue: str
    answered: bool
    abandoned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOffered:
    """The phone of `agent` rings for this call; `nth` counts this agent's rings in this call from 1."""

    call: Call
    at: datetime
    agent: Extension
    nth: int


class OfferEnd(StrEnum):
    """Why a ring ended without this agent's answer."""

    ANSWERED_ELSEWHERE = "answered_elsewhere"
    ABANDONED = "abandoned"
    RING_NO_ANSWER = "ring_no_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEnded:
    """The `nth` ring of `agent` ended without an answer there."""

    call: Call
    at: datetime
    agent: Extension
    nth: int
    why: OfferEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """`agent` talks to the customer; comes once for each agent who takes the customer over."""

    call: Call
    at: datetime
    agent: Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHeld:
    call: Call
    at: datetime
    agent: Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed:
    call: Call
    at: datetime
    agent: Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTransferred:
    call: Call
    at: datetime
    transfer: Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanged:
    """Something else about the call changed: parked, recorded, in a conference, its number became known."""

    call: Call
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The contact is over; the call's figures are final."""

    call: Call
    at: datetime


CallEvent = (
    CallArrived
    | CallQueued
    | CallLeftQueue
    | CallOffered
    | OfferEnded
    | CallAnswered
    | CallHeld
    | CallResumed
    | CallTransferred
    | CallChanged
    | CallEnded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged:
    """An agent's seat in one queue was added or changed (pause, penalty, phone state)."""

    member: QueueMember
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved:
    pbx: str
    queue: str
    agent: Extension
    at: datetime


AgentEvent = MemberChanged | MemberRemoved


class AnomalyKind(StrEnum):
    UNKNOWN_CHANNEL = "unknown_channel"
    ILLEGAL_TRANSITION = "illegal_transition"
    FORGED_EVENT = "forged_event"
    MALFORMED_EVENT = "malformed_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something the stream should not hold; counted and logged, never raised. `detail` holds no numbers or names."""

    kind: AnomalyKind
    detail: str
    at: datetime


TrackerEvent = CallEvent | AgentEvent | Anomaly
