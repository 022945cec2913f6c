"""A call while it grows: mutable inside this package; `picture()` is the frozen `Call` that everybody else gets."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

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
    QueueVisit,
    Talk,
    Transfer,
    TransferType,
)
from cti_bridge.domain.phone_number import is_withheld, to_e164
from cti_bridge.tracking.channels import Channel

MISSED: Final = (OfferResult.NO_ANSWER, OfferResult.BUSY, OfferResult.DECLINED, OfferResult.CALLER_GONE)
REFUSED: Final = (OfferResult.BUSY, OfferResult.DECLINED, OfferResult.FORWARDED)
"""Tuples and no sets, because a set asks for an enum's hash, which is Python's own slow one."""


@lru_cache(maxsize=4096)
def moment(at: float) -> datetime:
    """The moment as an aware datetime; kept, because a call's moments come again in each of its pictures."""
    return datetime.fromtimestamp(at, UTC)


@dataclass(slots=True, kw_only=True, eq=False)
class OfferDraft:
    """One dialling of one agent's phone; `rang_at` is None until it rings (a phone that never rang was never offered)."""

    agent: Extension
    channel: Channel
    queue: str | None
    begun_at: float
    rang_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    result: OfferResult | None = None
    nth: int = 0
    shown: Offer | None = None
    """The frozen picture, and what it was made of."""
    shown_for: tuple[object, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class TalkDraft:
    """A party has the customer. `left_at` is set while it is not known yet whether the parting is for good;
    `consulting`: the agent speaks with somebody else while the customer waits for that agent.
    """

    party: str
    channel: Channel
    started_at: float
    left_at: float | None = None
    ended_at: float | None = None
    consulting: bool = False
    left_first: bool = False
    """Left the bridge while the customer was still in it and nobody had asked to hang up."""
    let_go: bool = False
    """Ended by a transfer or a move: this party did not end the call."""
    shown: Talk | None = None
    shown_for: tuple[object, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class VisitDraft:
    queue: str
    joined_at: float
    left_at: float | None = None
    answered: bool = False
    abandoned: bool = False
    refused: bool = False
    """The queue did not let the caller in (empty or full): no visit, though the call was meant for it."""
    assumed: bool = False
    """Made up from a later event, as the joining itself was not seen."""
    shown: QueueVisit | None = None
    shown_for: tuple[object, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class TransferDraft:
    """`open` while the place the customer goes to is not known yet (a queue or a trunk behind an extension)."""

    type: TransferType
    from_agent: str
    to: str
    at: float
    open: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class CallDraft:
    """`customer` is the channel that the contact lives and dies with; `starter` the one that began it."""

    pbx: str
    region: str | None
    direction: Direction
    starter: Channel
    customer: Channel
    started_at: float
    presented: str | None = None
    name: str | None = None
    did: str | None = None
    click_to_call: bool = False
    untrusted: bool = False
    offers: list[OfferDraft] = field(default_factory=list)
    talks: list[TalkDraft] = field(default_factory=list)
    visits: list[VisitDraft] = field(default_factory=list)
    transfers: list[TransferDraft] = field(default_factory=list)
    held_since: float | None = None
    held_by: Channel | None = None
    hold_s: float = 0.0
    held: bool = False
    parked: bool = False
    recorded: bool = False
    conference: bool = False
    voicemail: bool = False
    survey_score: int | None = None
    estimated: bool = False
    ended_unseen: bool = False
    queue_exit: str | None = None
    queue_asked: str | None = None
    queue_asked_at: float = 0.0
    dialplan_seen: bool = False
    pbx_went_down: bool = False
    dial_status: str | None = None
    picked_up: bool = False
    taken_at: float | None = None
    """An outside party answered: phones that ring beside it are not missed."""
    far_side_asked: bool = False
    """Whoever is behind a Local channel wanted to end, before the customer did."""
    moved_from: list[str] = field(default_factory=list)
    """Agents whom the customer was taken from without a transfer event (AMI Redirect), until it is known where to."""
    moved_to: str = ""
    """The extension that the customer was moved to, where the dialplan did not just go on."""
    consulted_queue: str | None = None
    """The queue that an agent asked for advice: where the customer turns up in it, that was a transfer."""
    outcome: Outcome = Outcome.IN_PROGRESS
    hung_up_by: Party | None = None
    ended_at: float | None = None

    call_id: CallId = field(init=False)
    _numbers: tuple[str | None, str | None, str | None] = (None, None, None)
    _numbers_of: tuple[str | None, str | None, Direction] | None = None

    def __post_init__(self) -> None:
        self.call_id = CallId(f"{self.pbx}:{self.starter.uid}")

    @property
    def queue(self) -> str | None:
        """The queue in which the caller waits now."""
        return self.visits[-1].queue if self.visits and self.visits[-1].left_at is None else None

    @property
    def answered(self) -> bool:
        return bool(self.talks)

    def open_talks(self) -> list[TalkDraft]:
        return [talk for talk in self.talks if talk.ended_at is None]

    def talk_of(self, channel: Channel) -> TalkDraft | None:
        return next((talk for talk in self.talks if talk.ended_at is None and talk.channel is channel), None)

    def agents_talking(self) -> list[str]:
        return [talk.party for talk in self.talks if talk.ended_at is None]

    def open_offers(self) -> list[OfferDraft]:
        return [offer for offer in self.offers if offer.ended_at is None]

    def numbers(self) -> tuple[str | None, str | None, str | None]:
        """Customer number, presented number and name, as shown; read anew only where one of them changed."""
        key = (self.presented, self.name, self.direction)
        if self._numbers_of != key:
            withheld = is_withheld(self.presented)
            number = self.presented
            if number is not None and not withheld and self.direction is not Direction.INTERNAL:
                number = to_e164(number, self.region) or number
            self._numbers = (number, None if withheld else self.presented, None if withheld else self.name)
            self._numbers_of = key
        return self._numbers

    def talk_seconds(self, now: float) -> float:
        """Time with agents, overlapping stretches counted once."""
        total, until = 0.0, 0.0
        for talk in self.talks:  # in order of start
            end = talk.ended_at if talk.ended_at is not None else now
            total += max(0.0, end - max(talk.started_at, until))
            until = max(until, end)
        return total

    def picture(self, now: float) -> Call:  # noqa: PLR0912 (a walk per field reads better and costs half as much again)
        """The call as it stands at `now`. Made several times a call: one pass over each part, and what is over is kept."""
        ended_at = self.ended_at
        end = now if ended_at is None else ended_at
        state, channels = CallState.ARRIVED, []
        queues: list[str] = []
        visits: list[QueueVisit] = []
        for visit in self.visits:
            queues.append(visit.queue)
            if not visit.refused:
                visits.append(_visit(visit))
        if visits and visits[-1].left_at is None:
            state = CallState.QUEUED
        offered: list[Extension] = []
        missed: list[Extension] = []
        offers: list[Offer] = []
        talks: list[Talk] = []
        answered: list[Extension] = []
        for offer in _in_order(self.offers) if self.offers else ():
            agent = offer.agent
            offers.append(_offer(offer))
            if agent not in offered:
                offered.append(agent)
            if offer.ended_at is None:
                channels.append((agent, offer.channel.name))
                state = CallState.OFFERED
            elif offer.result in MISSED and agent not in missed:
                missed.append(agent)
        answered_at = None
        for talk in self.talks:
            party = Extension(talk.party)
            talks.append(_talk(talk))
            if answered_at is None:
                answered_at = talk.started_at
            if talk.ended_at is None and talk.left_at is None:
                state = CallState.TALKING
            if not party.startswith("external:"):
                if party not in answered:
                    answered.append(party)
                if talk.ended_at is None:
                    channels.append((party, talk.channel.name))
        if ended_at is not None:
            state = CallState.ENDED
        elif self.held_since is not None:
            state = CallState.HELD
        number, presented, name = self.numbers()
        return Call._make(
            (
                self.call_id,
                self.pbx,
                state,
                self.direction,
                number,
                presented,
                name,
                self.did,
                tuple(queues),
                tuple(offered),
                tuple(missed),
                tuple(answered),
                self.outcome if ended_at is not None or answered_at is None else Outcome.ANSWERED,
                moment(self.started_at),
                None if answered_at is None else moment(answered_at),
                None if ended_at is None else moment(ended_at),
                max(0.0, (end if answered_at is None else answered_at) - self.started_at),
                0.0 if answered_at is None else self.talk_seconds(end),
                self.hold_s if self.held_since is None else self.hold_s + end - self.held_since,
                tuple([_transfer(transfer) for transfer in self.transfers]) if self.transfers else (),
                self.hung_up_by,
                self.held,
                self.parked,
                self.recorded,
                self.conference,
                self.estimated,
                tuple(offers),
                tuple(talks),
                tuple(visits),
                self.customer.name,
                tuple(channels),
                self.untrusted,
                self.survey_score,
            )
        )


def _transfer(transfer: TransferDraft) -> Transfer:
    return Transfer(type=transfer.type, from_agent=transfer.from_agent, to=transfer.to, at=moment(transfer.at))


TOGETHER_SECONDS: Final = 0.05
"""Phones that are dialled together ring in the order of dialling; the answers of the network to it come in any order."""


def _in_order(offers: list[OfferDraft]) -> list[OfferDraft]:
    """Offers that rang, by their ring; `offers` is in the order of dialling, and decides where rings are too close to tell."""
    if len(offers) == 1:
        return offers if offers[0].rang_at is not None else []
    out: list[OfferDraft] = []
    for offer in offers:
        if offer.rang_at is None:
            continue
        at = len(out)
        while at > 0 and (out[at - 1].rang_at or 0.0) > offer.rang_at + TOGETHER_SECONDS:
            at -= 1
        out.insert(at, offer)
    return out


def _offer(offer: OfferDraft) -> Offer:
    """The frozen ring; made anew only where it changed."""
    key = (offer.rang_at, offer.ended_at, offer.result)
    if offer.shown is None or offer.shown_for != key:
        assert offer.rang_at is not None
        ended_at = None if offer.ended_at is None else moment(offer.ended_at)
        offer.shown = Offer(offer.agent, offer.queue, moment(offer.rang_at), ended_at, offer.result)
        offer.shown_for = key
    return offer.shown


def _talk(talk: TalkDraft) -> Talk:
    key = (talk.started_at, talk.ended_at)
    if talk.shown is None or talk.shown_for != key:
        ended_at = None if talk.ended_at is None else moment(talk.ended_at)
        talk.shown = Talk(talk.party, moment(talk.started_at), ended_at)
        talk.shown_for = key
    return talk.shown


def _visit(visit: VisitDraft) -> QueueVisit:
    key = (visit.left_at, visit.answered, visit.abandoned)
    if visit.shown is None or visit.shown_for != key:
        left_at = None if visit.left_at is None else moment(visit.left_at)
        visit.shown = QueueVisit(visit.queue, moment(visit.joined_at), left_at, visit.answered, visit.abandoned)
        visit.shown_for = key
    return visit.shown
