"""A call: what one customer experiences, whatever the number of channels the PBX used for it.

`Call` is a frozen picture; every call event carries a whole one, so no consumer reaches back into the tracker.
`call_document` is its one JSON shape, shared by `replay`, the REST API and the websocket.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

CallId = NewType("CallId", str)
"""`<pbx name>:<Uniqueid of the customer's first channel>`."""

Extension = NewType("Extension", str)
"""An agent's number on the PBX, as `1001`; agents are named by it everywhere."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class CallState(StrEnum):
    ARRIVED = "arrived"
    QUEUED = "queued"
    OFFERED = "offered"
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"


class Outcome(StrEnum):
    """What the system saw happen; the agent's own label is the disposition."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    TIMEOUT = "timeout"
    VOICEMAIL = "voicemail"
    JOIN_EMPTY = "join_empty"
    LEAVE_EMPTY = "leave_empty"
    IVR_NO_INPUT = "ivr_no_input"
    AGENT_NO_ANSWER = "agent_no_answer"
    LOST = "lost"
    IN_PROGRESS = "in_progress"


class Party(StrEnum):
    """Who hung up; SYSTEM is the dialplan, a time-out or a crash."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


class TransferType(StrEnum):
    """Blind: the agent lets go at once. Attended: after talking to the target. Blonde: while the target still rings."""

    BLIND = "blind"
    ATTENDED = "attended"
    BLONDE = "blonde"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """An agent let go of the customer towards `to`: an extension, a number, or `queue:NAME`."""

    type: TransferType
    from_agent: str
    to: str
    at: datetime


class OfferResult(StrEnum):
    """How a ring at an agent's phone ended."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    CALLER_GONE = "caller_gone"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    FORWARDED = "forwarded"


class Offer(NamedTuple):
    """One ring of one agent's phone for this call; `result` is None while it rings."""

    agent: Extension
    queue: str | None
    rang_at: datetime
    ended_at: datetime | None = None
    result: OfferResult | None = None


class Talk(NamedTuple):
    """A stretch in which `party` (an agent's extension, or `external:NUMBER`) had the customer; `ended_at` is None while so."""

    party: str
    started_at: datetime
    ended_at: datetime | None = None


class QueueVisit(NamedTuple):
    """One stay in one queue; `left_at` None while the caller waits. A redial into the same queue is a new visit."""

    queue: str
    joined_at: datetime
    left_at: datetime | None = None
    answered: bool = False
    abandoned: bool = False


class Call(NamedTuple):
    """One customer contact. Numbers and names are the caller's words: hostile until shown as text.

    It and its parts are named tuples and no dataclasses because they are made at each event of a call: a third of the cost
    (bench/parse.py).

    `customer_number` is E.164 where the number plan allows, else as presented; `wait_s`, `talk_s` and `hold_s` are seconds.
    """

    call_id: CallId
    pbx: str
    state: CallState
    direction: Direction
    customer_number: str | None
    presented_number: str | None
    customer_name: str | None
    did: str | None
    queues: tuple[str, ...]
    offered_to: tuple[Extension, ...]
    rang_no_answer: tuple[Extension, ...]
    answered_by: tuple[Extension, ...]
    outcome: Outcome
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    wait_s: float
    talk_s: float
    hold_s: float
    transfers: tuple[Transfer, ...]
    hung_up_by: Party | None
    held: bool
    parked: bool
    recorded: bool
    conference: bool
    estimated: bool
    offers: tuple[Offer, ...] = ()
    talks: tuple[Talk, ...] = ()
    visits: tuple[QueueVisit, ...] = ()
    channel: str | None = None
    """The PBX's present name of the customer's channel: the handle for call control, never a key."""
    agent_channels: tuple[tuple[Extension, str], ...] = ()
    """The agents' live channels in this call, for call control."""
    untrusted_caller: bool = False
    """The caller's number carried control characters (a forged AMI event): shown as a warning, matches nobody."""
    survey_score: int | None = None
    """What the customer answered to a survey in the dialplan, 1 to 5: stored with the interaction, no part of the document."""

    @property
    def queue(self) -> str | None:
        """The first queue the call joined."""
        return self.queues[0] if self.queues else None

    @property
    def ringing(self) -> tuple[Extension, ...]:
        """Agents whose phones ring now."""
        return tuple(offer.agent for offer in self.offers if offer.ended_at is None)

    @property
    def talking(self) -> tuple[str, ...]:
        """Agents (or external parties) who have the customer now."""
        return tuple(talk.party for talk in self.talks if talk.ended_at is None)


def iso_utc(at: datetime | None) -> str | None:
    """ISO 8601 UTC with milliseconds, as `2026-11-22T02:33:49.120Z`."""
    if at is None:
        return None
    return at.isoformat(timespec="milliseconds")[:23] + "Z"  # strftime takes twice as long, and a pop holds twenty times


def call_document(call: Call) -> dict[str, Any]:
    """The call as JSON shows it everywhere; the keys up to `estimated` are the public contract, the rest is for screens."""
    return {
        "call_id": call.call_id,
        "pbx": call.pbx,
        "direction": call.direction.value,
        "customer_number": call.customer_number,
        "presented_number": call.presented_number,
        "customer_name": call.customer_name,
        "did": call.did,
        "queue": call.queue,
        "queues": list(call.queues),
        "offered_to": list(call.offered_to),
        "rang_no_answer": list(call.rang_no_answer),
        "answered_by": list(call.answered_by),
        "outcome": call.outcome.value,
        "started_at": iso_utc(call.started_at),
        "answered_at": iso_utc(call.answered_at),
        "ended_at": iso_utc(call.ended_at),
        "wait_s": round(call.wait_s, 3),
        "talk_s": round(call.talk_s, 3),
        "hold_s": round(call.hold_s, 3),
        "transfers": [
            {"type": transfer.type.value, "from": transfer.from_agent, "to": transfer.to} for transfer in call.transfers
        ],
        "hung_up_by": call.hung_up_by.value if call.hung_up_by else None,
        "held": call.held,
        "parked": call.parked,
        "recorded": call.recorded,
        "conference": call.conference,
        "estimated": call.estimated,
        "state": call.state.value,
        "ringing": list(call.ringing),
        "talking": list(call.talking),
        "untrusted_caller": call.untrusted_caller,
    }
