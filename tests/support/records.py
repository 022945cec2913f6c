"""A PBX's record in memory, and recorded calls to fill it: told by hand, not derived from what the store holds."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cti_bridge.domain.audit import StoredCall
from cti_bridge.domain.call import (
    Call,
    CallId,
    CallState,
    Direction,
    Extension,
    Offer,
    OfferResult,
    Outcome,
    Party,
    Talk,
    Transfer,
    TransferType,
    call_document,
)
from cti_bridge.domain.errors import CtiError
from cti_bridge.domain.recorded_call import RecordedCall, RecordedTransfer, RecordSource
from cti_bridge.record.reader import RecordRead
from cti_bridge.record.rows import RecordProblem

DAY = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
"""When the calls of these tests began; call n began n minutes later."""
EPOCH = int(DAY.timestamp())


def began(number: int) -> datetime:
    return DAY + timedelta(minutes=number, milliseconds=120 + number)


def id_of(number: int, *, pbx: str = "main") -> CallId:
    return CallId(f"{pbx}:{EPOCH + 60 * number}.{10 * number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The same call twice: as the service saw it, and as the PBX wrote it down."""

    stored: Call
    recorded: RecordedCall


def an_answered_call(number: int, *, pbx: str = "main") -> Told:
    """A queue call: 1001 let it ring, 1002 took it, transferred it to 1004, who hung up. Two queues."""
    at = began(number)
    uniqueid = id_of(number).partition(":")[2]

    def after(seconds: float) -> datetime:
        return at + timedelta(seconds=seconds)

    stored = Call(
        call_id=id_of(number, pbx=pbx),
        pbx=pbx,
        state=CallState.ENDED,
        direction=Direction.INBOUND,
        customer_number="+442079460018",
        presented_number="02079460018",
        customer_name="Zoë",
        did="8001",
        queues=("support", "sales"),
        offered_to=(Extension("1001"), Extension("1002"), Extension("1004")),
        rang_no_answer=(Extension("1001"),),
        answered_by=(Extension("1002"), Extension("1004")),
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=after(9),
        ended_at=after(40),
        wait_s=9.0,
        talk_s=29.0,
        hold_s=3.5,
        transfers=(Transfer(type=TransferType.ATTENDED, from_agent="1002", to="1004", at=after(25)),),
        hung_up_by=Party.AGENT,
        held=True,
        parked=False,
        recorded=False,
        conference=False,
        estimated=False,
        offers=(
            _offer("1001", after(2), after(6), OfferResult.NO_ANSWER),
            _offer("1002", after(6), after(9), OfferResult.ANSWERED),
            _offer("1004", after(20), after(23), OfferResult.ANSWERED),
        ),
        talks=(
            Talk(party="1002", started_at=after(9), ended_at=after(25)),
            Talk(party="1004", started_at=after(27), ended_at=after(40)),
        ),
    )
    recorded = RecordedCall(
        call_id=id_of(number, pbx=pbx),
        pbx=pbx,
        sources=frozenset({RecordSource.CEL, RecordSource.QUEUE_LOG}),
        uniqueids=frozenset({uniqueid, f"{uniqueid}1", f"{uniqueid}2", f"{uniqueid}3"}),
        started_at=after(0.004),
        answered_at=after(9.003),
        ended_at=after(40.01),
        direction=Direction.INBOUND,
        customer_number="+442079460018",
        did="8001",
        queues=("support", "sales"),
        offered_to=(Extension("1001"), Extension("1002"), Extension("1004")),
        answered_by=(Extension("1002"), Extension("1004")),
        transfers=(RecordedTransfer(from_agent="1002", to="1004", at=after(25)),),
        outcome=Outcome.ANSWERED,
        hung_up_by=Party.AGENT,
        talk_s=29.02,
        presented_number="02079460018",
        customer_name="Zoë",
        rang_no_answer=(Extension("1001"),),
    )
    return Told(stored=stored, recorded=recorded)


def an_abandoned_call(number: int, *, pbx: str = "main") -> Told:
    """The caller gave up after twelve seconds, while 1001 rang."""
    told = an_answered_call(number, pbx=pbx)
    at = told.stored.started_at
    over = at + timedelta(seconds=12)
    stored = told.stored._replace(
        queues=("support",),
        offered_to=(Extension("1001"),),
        answered_by=(),
        outcome=Outcome.ABANDONED,
        answered_at=None,
        ended_at=over,
        wait_s=12.0,
        talk_s=0.0,
        hold_s=0.0,
        transfers=(),
        hung_up_by=Party.CUSTOMER,
        held=False,
        offers=(_offer("1001", at + timedelta(seconds=2), over, OfferResult.CALLER_GONE),),
        talks=(),
    )
    recorded = replace(
        told.recorded,
        queues=("support",),
        offered_to=(Extension("1001"),),
        answered_by=(),
        outcome=Outcome.ABANDONED,
        answered_at=None,
        ended_at=over,
        transfers=(),
        hung_up_by=Party.CUSTOMER,
        talk_s=0.0,
    )
    return Told(stored=stored, recorded=recorded)


def _offer(agent: str, rang_at: datetime, ended_at: datetime, result: OfferResult) -> Offer:
    return Offer(agent=Extension(agent), queue="support", rang_at=rang_at, ended_at=ended_at, result=result)


@dataclass
class FakeRecord:
    """Gives the calls with a part in the time asked for, as a reader of files does. `fails` is raised once per reading."""

    told: list[RecordedCall]
    sources: frozenset[RecordSource] = frozenset({RecordSource.CEL, RecordSource.QUEUE_LOG})
    problems: tuple[RecordProblem, ...] = ()
    oldest: datetime | None = None
    newest: datetime | None = None
    fails: list[CtiError] = field(default_factory=list)
    read: list[tuple[datetime, datetime]] = field(default_factory=list)
    was_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def calls(self, since: datetime, until: datetime) -> RecordRead:
        self.read.append((since, until))
        self.was_read.set()
        if self.fails:
            raise self.fails.pop(0)
        ends = [one.ended_at or one.started_at for one in self.told]
        return RecordRead(
            calls=tuple(one for one in self.told if one.started_at < until and (one.ended_at is None or one.ended_at >= since)),
            sources=self.sources,
            problems=self.problems,
            problem_count=len(self.problems),
            oldest=self.oldest or min((one.started_at for one in self.told), default=None),
            newest=self.newest or max(ends, default=None),
        )


def stored_of(call: Call, **changes: Any) -> StoredCall:
    """The call as the store would give it to an audit."""
    stored = StoredCall(
        call_id=call.call_id,
        source=RecordSource.AMI,
        direction=call.direction.value,
        started_at=call.started_at,
        ended_at=call.ended_at,
        agent=call.answered_by[-1] if call.answered_by else None,
        queue=call.queue,
        outcome=call.outcome.value,
        document=call_document(call),
        offers=call.offers,
        talks=call.talks,
    )
    return replace(stored, **changes)


def without(recorded: RecordedCall, *fields: str) -> RecordedCall:
    """The same call of a record that does not tell these fields."""
    changes: dict[str, Any] = dict.fromkeys(fields)
    return replace(recorded, **changes)
