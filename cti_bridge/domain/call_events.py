"""What can happen to a call or to an agent, as the tracker says it. Each carries the whole picture after it happened.

Named tuples and no dataclasses, as `Call` is: a third of the cost, and they are what the tracker makes most of (bench/parse.py).
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from cti_bridge.domain.agent import QueueMember
from cti_bridge.domain.call import Call, Extension, Transfer


class CallArrived(NamedTuple):
    """A customer's channel (or the first channel of an outbound or internal call) exists."""

    call: Call
    at: datetime


class CallQueued(NamedTuple):
    """The caller joined `queue`."""

    call: Call
    at: datetime
    queue: str


class CallLeftQueue(NamedTuple):
    """The caller left `queue`: answered, abandoned, or moved on by the system (neither flag set)."""

    call: Call
    at: datetime
    queue: str
    answered: bool
    abandoned: bool


class CallOffered(NamedTuple):
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


class OfferEnded(NamedTuple):
    """The `nth` ring of `agent` ended without an answer there."""

    call: Call
    at: datetime
    agent: Extension
    nth: int
    why: OfferEnd


class CallAnswered(NamedTuple):
    """`agent` talks to the customer; comes once for each agent who takes the customer over."""

    call: Call
    at: datetime
    agent: Extension


class CallHeld(NamedTuple):
    call: Call
    at: datetime
    agent: Extension


class CallResumed(NamedTuple):
    call: Call
    at: datetime
    agent: Extension


class CallTransferred(NamedTuple):
    call: Call
    at: datetime
    transfer: Transfer


class CallChanged(NamedTuple):
    """Something else about the call changed: parked, recorded, in a conference, its number became known."""

    call: Call
    at: datetime


class CallEnded(NamedTuple):
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


class MemberChanged(NamedTuple):
    """An agent's seat in one queue was added or changed (pause, penalty, phone state)."""

    member: QueueMember
    at: datetime


class MemberRemoved(NamedTuple):
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


class Anomaly(NamedTuple):
    """Something the stream should not hold; counted and logged, never raised. `detail` holds no numbers or names."""

    kind: AnomalyKind
    detail: str
    at: datetime


TrackerEvent = CallEvent | AgentEvent | Anomaly
