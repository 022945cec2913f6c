"""A call as the PBX's own record tells it (CEL, queue_log, CDR), and what an audit found when it compared the store with it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cti_bridge.domain.call import CallId, Direction, Extension, Outcome, Party


class RecordSource(StrEnum):
    """Where a call's facts came from; AMI is what the service saw itself."""

    AMI = "ami"
    CEL = "cel"
    QUEUE_LOG = "queue_log"
    CDR = "cdr"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTransfer:
    """An agent let go of the customer; `to` is None where the record does not say it."""

    from_agent: str
    to: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One customer contact from the PBX's record. A field is None where that record does not tell it: then nothing is compared.

    `uniqueids` are those of all its channels: a stored call named after one of them is this call.
    """

    call_id: CallId
    pbx: str
    sources: frozenset[RecordSource]
    uniqueids: frozenset[str]
    started_at: datetime
    answered_at: datetime | None
    """The first talk of an agent with the customer; None: nobody answered."""
    ended_at: datetime | None
    """None: the record shows no end (still going on, or its end was never written)."""
    direction: Direction | None
    customer_number: str | None
    did: str | None
    queues: tuple[str, ...] | None
    offered_to: tuple[Extension, ...] | None
    answered_by: tuple[Extension, ...] | None
    transfers: tuple[RecordedTransfer, ...] | None
    outcome: Outcome | None
    hung_up_by: Party | None
    talk_s: float | None
    presented_number: str | None = None
    customer_name: str | None = None
    rang_no_answer: tuple[Extension, ...] | None = None
    called: tuple[Extension, ...] = ()
    """The agents whose phones were called, also where it is not known whether they rang."""


class FindingKind(StrEnum):
    """LOST: the PBX had the call, the store has not. GHOST: the other way round. DOUBLED: one call stands twice.
    STUCK: over on the PBX, open in the store. WRONG: a field differs.
    """

    LOST = "lost"
    GHOST = "ghost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. `field`, `stored` and `recorded` are for WRONG; numbers in them are masked before they are logged."""

    kind: FindingKind
    call_id: CallId
    field: str | None = None
    stored: str | None = None
    recorded: str | None = None
    repaired: bool = False
