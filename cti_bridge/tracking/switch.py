"""The tracker's state and the few moves that all rules share: begin, offer, talk, end.

Pure: time comes in with each event. Rules (call_rules, queue_rules, transfer_rules, resync) change calls only by these moves,
so that each call event is emitted in one place.
"""

import re
from collections import deque
from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId, Direction, Extension, OfferResult, Outcome, Party, TransferType
from cti_bridge.domain.call_events import (
    Anomaly,
    AnomalyKind,
    CallAnswered,
    CallArrived,
    CallChanged,
    CallEnded,
    CallHeld,
    CallOffered,
    CallResumed,
    CallTransferred,
    OfferEnd,
    OfferEnded,
    TrackerEvent,
)
from cti_bridge.tracking.channels import PHONES, RING, UP, Channel, Channels, Kind
from cti_bridge.tracking.draft import (
    MISSED,
    REFUSED,
    TOGETHER_SECONDS,
    CallDraft,
    OfferDraft,
    TalkDraft,
    TransferDraft,
    VisitDraft,
    moment,
)
from cti_bridge.tracking.outcomes import asked_at, outcome_of, who_hung_up

UNKNOWN: Final = frozenset({"", "<unknown>"})


class Switch:
    """Everything known of one PBX's calls. `out` collects the events of the step being taken."""

    def __init__(self, pbx: str, region: str | None, internal: re.Pattern[str]) -> None:
        self.pbx = pbx
        self.region = region
        self.channels = Channels(internal)
        self.calls: dict[CallId, CallDraft] = {}
        self.out: list[TrackerEvent] = []
        self.leaving: deque[tuple[float, Channel]] = deque()
        """Channels that asked to hang up, oldest first, until call_rules.overdue has looked after them."""
        self._by_linkedid: dict[str, CallDraft] = {}

    # --- channels

    def channel(self, event: AmiEvent, at: float, prefix: str = "") -> Channel | None:
        """The channel of a snapshot; one whose Newchannel was missed is made up from it. None: absent, or ended before."""
        uid = event.get(prefix + "Uniqueid")
        channel = self.channels.get(uid)
        if channel is not None or not uid or self.channels.has_ended(uid):
            return channel
        return self.adopt(event, at, prefix)

    def known(self, event: AmiEvent, prefix: str = "") -> Channel | None:
        return self.channels.get(event.get(prefix + "Uniqueid"))

    def linked(self, linkedid: str) -> CallDraft | None:
        """The live call that began with this Linkedid: a hint, as it merges and glues."""
        return self._by_linkedid.get(linkedid)

    def adopt(self, event: AmiEvent, at: float, prefix: str = "") -> Channel:
        """A channel seen for the first time; a trunk's own channel begins an inbound call."""
        channel = self.channels.create(event.get(prefix + "Uniqueid"), event.get(prefix + "Channel"), at)
        channel.state = event.get(prefix + "ChannelState")
        channel.exten = event.get(prefix + "Exten")
        channel.linkedid = event.get(prefix + "Linkedid")
        channel.originating = channel.state == RING
        number = event.number(prefix + "CallerIDNum")
        channel.number = None if number in UNKNOWN else number
        own = channel.linkedid in {channel.uid, ""}
        if (
            channel.kind is Kind.TRUNK
            and not prefix.startswith("Dest")
            and (channel.originating or (own and channel.state == UP))
        ):
            self._arrive(channel, event, at, prefix)
        elif not own and not channel.originating:
            channel.call = self._by_linkedid.get(channel.linkedid)
        return channel

    def _arrive(self, channel: Channel, event: AmiEvent, at: float, prefix: str) -> None:
        name = event.caller_name(prefix + "CallerIDName")
        call = CallDraft(
            pbx=self.pbx,
            region=self.region,
            direction=Direction.INBOUND,
            starter=channel,
            customer=channel,
            started_at=at,
            presented=channel.number,
            name=None if name in UNKNOWN else sip_unquoted(name),
            did=channel.exten or None,
            untrusted=event.tampered,
        )
        if event.tampered:
            self.anomaly(AnomalyKind.FORGED_EVENT, f"the caller's number of call {call.call_id} holds line breaks", at)
        self.begin(call, at)

    def anomaly(self, kind: AnomalyKind, detail: str, at: float) -> None:
        self.out.append(Anomaly(kind=kind, detail=detail, at=moment(at)))

    # --- calls

    def begin(self, call: CallDraft, at: float) -> CallDraft:
        self.calls[call.call_id] = call
        call.starter.call = call
        self._by_linkedid.setdefault(call.starter.linkedid, call)
        self._by_linkedid.setdefault(call.starter.uid, call)
        self.out.append(CallArrived(call.picture(at), moment(at)))
        return call

    def begin_from(self, caller: Channel, dialled: Channel | None, at: float) -> CallDraft | None:
        """The call that a phone's own dialling belongs to: the customer's call it consults for, else a new one."""
        if caller.kind is Kind.LOCAL:
            call = caller.twin.owner if caller.twin is not None else None
            caller.call = call or self._by_linkedid.get(caller.linkedid)
            return caller.call
        if caller.kind is not Kind.AGENT or caller.dialled:
            return self._by_linkedid.get(caller.linkedid)
        caller.consults = self.talked_to_by(caller)
        if caller.consults is not None:
            return caller.consults
        outbound = dialled is not None and dialled.kind is Kind.TRUNK
        return self.begin(
            CallDraft(
                pbx=self.pbx,
                region=self.region,
                direction=Direction.OUTBOUND if outbound else Direction.INTERNAL,
                starter=caller,
                customer=caller,
                started_at=caller.created_at,
                presented=None if outbound else caller.endpoint,
                did=None if outbound else caller.exten or None,
            ),
            at,
        )

    def talked_to_by(self, caller: Channel) -> CallDraft | None:
        """The call that this phone has on another line: what it dials now is a consultation for that customer."""
        for other in self.channels.of_agent(caller.endpoint):
            call = other.call
            if other is not caller and call is not None and call.ended_at is None:
                if call.talk_of(other) is not None or (call.customer is other and call.answered):
                    return call
                if call.starter is other and call.customer is not other and other.state == call.customer.state == UP:
                    return call  # both are up, though they were not seen to enter the bridge
                if other.bridge is not None and other.offer is not None and other.offer.answered_at is not None:
                    return call  # answered, though the customer was not seen to enter the bridge
        return None

    def changed(self, call: CallDraft, at: float) -> None:
        self.out.append(CallChanged(call.picture(at), moment(at)))

    def end(self, call: CallDraft, at: float, *, estimated: bool = False, crashed: bool = False) -> None:
        """The contact is over: closes what is open and says so. `estimated`: its Hangup was not seen; `crashed`: nor will it be,
        as the PBX itself went down.
        """
        if call.ended_at is not None:
            return
        asked = asked_at(call) if estimated and not crashed else None
        lost = estimated and asked is None
        at = max(call.started_at, at if asked is None else min(at, asked))
        for offer in call.open_offers():
            self.end_offer(call, offer, at, OfferResult.CALLER_GONE)
        self.stop_hold(call, at)
        for talk in call.open_talks():
            talk.ended_at = talk.left_at if talk.left_at is not None else at
        if call.visits and call.visits[-1].left_at is None:
            call.visits[-1].left_at = at
            call.queue_exit = call.queue_exit or "UNTOLD"
        if call.moved_to and call.moved_from:
            # Moved without a transfer event, and the agent never came along.
            moved = TransferDraft(type=TransferType.BLIND, from_agent=call.moved_from[0], to=call.moved_to, at=at, open=False)
            call.transfers.append(moved)
        if call.queue_asked is not None:
            _asked_in_vain(call, call.queue_asked, at)
        call.hung_up_by = (Party.SYSTEM if crashed else None) if lost else who_hung_up(call, at)
        call.estimated = call.estimated or estimated
        call.outcome = Outcome.LOST if lost and not call.answered else outcome_of(call)
        call.ended_at = at
        self.calls.pop(call.call_id, None)
        for linkedid in (call.starter.linkedid, call.starter.uid):
            if self._by_linkedid.get(linkedid) is call:
                del self._by_linkedid[linkedid]
        self.out.append(CallEnded(call.picture(at), moment(at)))

    # --- offers

    def offer(self, call: CallDraft, phone: Channel, at: float) -> OfferDraft:
        """An agent's phone is dialled for this call; it counts once it rings."""
        if phone.offer is None:
            phone.offer = OfferDraft(agent=Extension(phone.endpoint), channel=phone, queue=call.queue, begun_at=at)
            place = len(call.offers)
            while place and _dialled_before(phone, call.offers[place - 1], at):
                place -= 1
            call.offers.insert(place, phone.offer)
            if phone.ringing_at is not None:
                self.ring(call, phone.offer, phone.ringing_at, at)
        return phone.offer

    def ring(self, call: CallDraft, offer: OfferDraft, rang_at: float, at: float) -> None:
        if offer.rang_at is not None or call.ended_at is not None:
            return
        if offer.ended_at is not None:  # told late: nobody is to be shown a ring that is over
            offer.rang_at = min(rang_at, offer.ended_at)
            return
        offer.rang_at = rang_at
        offer.nth = sum(1 for other in call.offers if other.agent == offer.agent and other.rang_at is not None)
        self.out.append(CallOffered(call.picture(at), moment(at), offer.agent, offer.nth))

    def pick_up(self, call: CallDraft, offer: OfferDraft, at: float) -> None:
        """The phone was answered; the talk begins once it shares a bridge with the customer."""
        if offer.ended_at is not None:
            return
        self.ring(call, offer, at, at)
        offer.answered_at = offer.ended_at = at
        offer.result = OfferResult.ANSWERED

    def talked_unseen(self, call: CallDraft, phone: Channel, at: float) -> TalkDraft:
        """This phone had the customer while nobody looked, and is gone by now."""
        talk = TalkDraft(party=phone.endpoint, channel=phone, started_at=max(call.started_at, at), left_at=at)
        call.talks.insert(0, talk)  # before whoever has the customer now
        call.estimated = True
        self.out.append(CallAnswered(call=call.picture(at), at=moment(at), agent=Extension(phone.endpoint)))
        return talk

    def offered_unseen(self, call: CallDraft, offer: OfferDraft, at: float) -> None:
        """Brings the agent's card of a ring that was answered while nobody looked: it rings no more."""
        if call.ended_at is None:
            offer.nth = sum(1 for other in call.offers if other.agent == offer.agent and other.rang_at is not None)
            self.out.append(CallOffered(call=call.picture(at), at=moment(at), agent=offer.agent, nth=offer.nth))

    def end_offer(self, call: CallDraft, offer: OfferDraft, at: float, result: OfferResult) -> None:
        if offer.ended_at is not None:
            return
        if offer.rang_at is None and result in REFUSED:
            self.ring(call, offer, at, at)  # refused at once, without a ringing signal
        offer.ended_at, offer.result = at, result
        if offer.rang_at is None or call.ended_at is not None:
            return
        if result is OfferResult.CALLER_GONE:
            why = OfferEnd.ABANDONED
        else:
            why = OfferEnd.RING_NO_ANSWER if result in MISSED else OfferEnd.ANSWERED_ELSEWHERE
        self.tell_offer_end(call, offer, at, why)

    def tell_offer_end(self, call: CallDraft, offer: OfferDraft, at: float, why: OfferEnd) -> None:
        """This agent has nothing to do with the call any more."""
        self.out.append(OfferEnded(call.picture(at), moment(at), offer.agent, offer.nth, why))

    def lost_ring(self, call: CallDraft, offer: OfferDraft) -> OfferResult:
        """Why a ring that was cancelled ended: somebody else answered, the caller left, or nobody came."""
        elsewhere = (
            (call.taken_at is not None and call.taken_at >= offer.begun_at)
            or call.picked_up
            or any(
                other.answered_at is not None and other.answered_at >= offer.begun_at
                for other in call.offers
                if other is not offer
            )
        )
        if elsewhere:
            return OfferResult.ANSWERED_ELSEWHERE
        return OfferResult.CALLER_GONE if call.customer.hangup_at is not None else OfferResult.NO_ANSWER

    # --- talks

    def refresh(self, call: CallDraft, at: float) -> None:
        """Compares who is connected to the customer with who was: opens talks, and marks those that were parted."""
        if call.ended_at is not None:
            return
        connected = self.channels.connected(call.customer.bridge)
        for talk in call.talks:
            if talk.ended_at is not None:
                continue
            if talk.channel in connected:
                talk.left_at, talk.consulting, talk.left_first = None, False, False
            elif talk.left_at is None and not talk.consulting:
                talk.left_at = at
        for channel in connected:
            if channel is call.customer or channel.spying or channel.released or channel.kind not in PHONES:
                continue
            if channel.kind is Kind.TRUNK and not channel.dialled:
                continue  # another customer in the same bridge: a call of its own
            if call.talk_of(channel) is None:
                self._start_talk(call, channel, at)
        if call.customer.bridge is not None and call.customer.bridge.conference and not call.conference and call.answered:
            call.conference = True
            self.changed(call, at)

    def _start_talk(self, call: CallDraft, channel: Channel, at: float) -> None:
        conference = call.customer.bridge is not None and call.customer.bridge.conference
        for talk in call.open_talks():
            # Whoever was moved into a conference hears its prompts first, and is no less with the customer.
            waits = conference and talk.channel.hangup_at is None and talk.channel.soft_hangup_at is None
            if talk.left_at is not None and not talk.consulting and not waits:
                talk.ended_at = talk.left_at
        agent = channel.kind is Kind.AGENT
        at = max(call.started_at, channel.created_at, _answered_at(channel, at))
        party = channel.endpoint if agent else f"external:{channel.number or channel.endpoint}"
        call.talks.append(TalkDraft(party=party, channel=channel, started_at=at))
        call.moved_from = []
        if channel.call is None:
            channel.call = call
        if channel.offer is not None and channel.offer in call.offers:
            self.pick_up(call, channel.offer, at)
        for transfer in call.transfers:
            transfer.open = False
        if agent:
            self.out.append(CallAnswered(call.picture(at), moment(at), Extension(party)))
        else:
            self.changed(call, at)

    def end_talk(self, call: CallDraft, talk: TalkDraft, at: float, *, let_go: bool) -> None:
        if talk.ended_at is None:
            talk.ended_at = talk.left_at if talk.left_at is not None else at
            talk.let_go = let_go
            if call.held_by is talk.channel:
                self.stop_hold(call, at)

    # --- hold and transfer

    def hold(self, call: CallDraft, phone: Channel, at: float) -> None:
        if call.held_since is None:
            call.held_since, call.held_by, call.held = at, phone, True
            self.out.append(CallHeld(call=call.picture(at), at=moment(at), agent=_agent_of(call, phone)))

    def stop_hold(self, call: CallDraft, at: float) -> None:
        if call.held_since is None or call.held_by is None:
            return
        phone = call.held_by
        call.hold_s += max(0.0, at - call.held_since)
        call.held_since = call.held_by = None
        self.out.append(CallResumed(call=call.picture(at), at=moment(at), agent=_agent_of(call, phone)))

    def transfer(self, call: CallDraft, transfer: TransferDraft, at: float) -> None:
        call.moved_from = []
        call.transfers.append(transfer)
        picture = call.picture(at)
        self.out.append(CallTransferred(call=picture, at=moment(at), transfer=picture.transfers[-1]))


def _dialled_before(phone: Channel, offer: OfferDraft, at: float) -> bool:
    """Of phones that are dialled together, the one whose channel was made first rings first, though perhaps told second."""
    return at - offer.begun_at < TOGETHER_SECONDS and phone.made_before(offer.channel)


_REFUSAL_SECONDS: Final = 1.0
"""A queue lets a caller in at once; one that does not leaves the rest to the dialplan, mostly a prompt and an end."""


def _asked_in_vain(call: CallDraft, queue: str, at: float) -> None:
    """The caller entered Queue(), and neither a join nor a refusal was seen: those who stayed were in it."""
    if any(visit.queue == queue for visit in call.visits):
        return
    refused = call.customer.hangup_at is None and at - call.queue_asked_at < _REFUSAL_SECONDS
    call.visits.append(VisitDraft(queue=queue, joined_at=call.queue_asked_at, left_at=at, refused=refused))
    if refused:
        call.queue_exit = call.queue_exit or "JOINEMPTY"


def _agent_of(call: CallDraft, phone: Channel) -> Extension:
    """Whose talk a phone holds: its own, or where it is the customer's, that of the first agent who has them."""
    if phone.kind is Kind.AGENT:
        return Extension(phone.endpoint)
    return Extension(next(iter(call.agents_talking()), ""))


_CONNECT_SECONDS: Final = 0.5


def _answered_at(channel: Channel, bridged_at: float) -> float:
    """A talk begins with the phone's answer where the bridge follows at once, and where the agent dialled into a conference
    (its prompts come before the bridge); else (an announcement to the agent comes first) with the bridge.
    """
    up_at = channel.up_at
    if up_at is None or up_at > bridged_at:
        return bridged_at
    conference = channel.originating and channel.bridge is not None and channel.bridge.conference
    return up_at if conference or bridged_at - up_at < _CONNECT_SECONDS else bridged_at


def sip_unquoted(name: str) -> str:
    r"""Undoes the quoted pairs of a SIP display name (RFC 3261 section 25.1), which chan_pjsip passes on as they came."""
    return re.sub(r"\\(.)", r"\1", name) if "\\" in name else name
