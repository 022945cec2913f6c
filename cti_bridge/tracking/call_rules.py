"""Rules for channels, dialling and bridges: who was offered the call, who talked, when it ended."""

from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Direction, OfferResult, TransferType
from cti_bridge.domain.call_events import OfferEnd
from cti_bridge.tracking.channels import BUSY, PHONES, RINGING, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft
from cti_bridge.tracking.moves import left_behind, paired_anew, speaks_for_customer, took_place, went_to, went_to_trunk
from cti_bridge.tracking.switch import UNKNOWN, Switch
from cti_bridge.tracking.transfer_rules import taken

_REFUSED: Final = {"BUSY": OfferResult.BUSY, "CONGESTION": OfferResult.DECLINED, "NOANSWER": OfferResult.NO_ANSWER}
"""DialStatus of a phone that did not answer; CANCEL is judged by what else happened."""
_ASKED: Final = frozenset({"", "0", "16", "127"})
"""Causes of a HangupRequest from a caller who gives up before the answer; 17, 34 and the like are the PBX's own refusal."""
HANGUP_SECONDS: Final = 10.0
"""A Hangup follows its request at once; the dialplan's `h` extension may take a moment (Asterisk 22)."""
_TOGETHER_SECONDS: Final = 0.5
"""What one answer brings about is told within this time."""
_ELSEWHERE: Final = "26"
"""Cause of a leg that is given up because another one was answered."""
_NOT_REACHED: Final = frozenset({"18", "20"})
"""Causes of a phone that did not answer the network at all: nobody refused anything (time-out of SIP, not registered)."""
_FORWARDED: Final = "23"
"""Cause of a phone that answered with a diversion (302)."""
_CANCELLED: Final = "127"
"""Cause of a caller who gave up before the answer, by CANCEL of SIP; the PBX itself gives no such cause (22.10.1)."""
_UNTOLD: Final = frozenset({"", "0", "16", "19", "26", "127"})
"""Causes of a leg that the PBX gave up: the phone said nothing."""
_OPEN_DIAL: Final = frozenset({None, "ANSWER"})
_PEOPLE: Final = frozenset({"", "0", "16", "17", "18", "19", "20", "21", "127"})
"""Causes that say what a person did or did not do; others (no such number, congestion) are the network's failure."""


def newchannel(switch: Switch, event: AmiEvent, at: float) -> None:
    switch.channel(event, at)


def newstate(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    call = channel.call
    if call is not None and call.click_to_call and call.starter is channel:
        number = event.number("CallerIDNum")
        if call.presented is None and number != channel.endpoint:
            call.presented = number or None
    in_state(switch, channel, event.get("ChannelState"), at)


def in_state(switch: Switch, channel: Channel, state: str, at: float) -> None:
    """What a snapshot says of a channel: it rings, or it is answered (in a later event too, where its Newstate was missed)."""
    channel.state = state
    call = channel.call
    if state == RINGING:
        if channel.ringing_at is None:
            channel.ringing_at = at
        if call is not None and channel.offer is not None:
            switch.ring(call, channel.offer, at, at)
    elif state == UP:
        if channel.up_at is None:
            channel.up_at = at
        if call is not None and channel.offer is not None:
            switch.pick_up(call, channel.offer, at)


def hangup_request(switch: Switch, event: AmiEvent, at: float) -> None:
    """The device wants to end; not so where the PBX refused the call first (Busy(), Congestion()) and the device only agrees."""
    channel = switch.known(event)
    if channel is None or channel.hangup_at is not None:
        return
    channel.cause = event.get("Cause")
    if channel.kind is Kind.LOCAL and channel.bridge is not None and channel.call is not None:
        channel.call.far_side_asked = channel.call.far_side_asked or _from_behind(channel.call, channel)
    refused = channel.state == BUSY or (channel.state != UP and channel.cause not in _ASKED)
    if refused and channel.originating:
        channel.soft_hangup_at = channel.soft_hangup_at or at
    else:
        channel.hangup_at = at
        _tell_refusal(channel)
    switch.leaving.append((at, channel))


def _from_behind(call: CallDraft, near: Channel) -> bool:
    """The agent behind this Local channel wants to end: it says so in the customer's bridge, and the customer has not."""
    return near.bridge is call.customer.bridge and call.customer.hangup_at is None


def soft_hangup_request(switch: Switch, event: AmiEvent, at: float) -> None:
    """The PBX wants a channel to end; `Cause` is the reason here (AST_SOFTHANGUP_..., Asterisk 22)."""
    channel = switch.known(event)
    if channel is None or channel.soft_hangup_at is not None:
        return
    match event.get("Cause"):
        case "2":
            return  # it only goes on elsewhere in the dialplan
        case "4" if channel.call is not None:
            channel.call.pbx_went_down = True
        case _:
            pass
    channel.soft_hangup_at = at
    switch.leaving.append((at, channel))


def hangup(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    if channel is not None:
        in_state(switch, channel, event.get("ChannelState"), at)
        _tell_cause(channel, event.get("Cause"), at)
        gone(switch, channel, at)
    else:
        switch.channels.remember_ended(event.get("Uniqueid"))


def _tell_refusal(channel: Channel) -> None:
    """The phone's own no may come behind the DialEnd that calls it NOANSWER."""
    call, offer, said_no = channel.call, channel.offer, refusal(channel)
    if call is None or call.ended_at is not None or not channel.dialled or channel.up_at is not None or said_no is None:
        return
    if call.dial_status == "NOANSWER" and channel.cause not in _PEOPLE:
        call.dial_status = "CONGESTION"
    if offer is not None and offer.result is OfferResult.NO_ANSWER and offer.rang_at is None:
        offer.result, offer.rang_at = said_no, offer.ended_at


def _tell_cause(channel: Channel, cause: str, at: float) -> None:
    """What the Hangup of a leg that was never answered says of its ring and its dialling, where no DialEnd said it; and that a
    device wanted it, where its HangupRequest was missed.
    """
    if channel.up_at is not None or channel.call is None or channel.call.ended_at is not None:
        return
    if channel.originating and channel.hangup_at is None and cause == _CANCELLED:
        channel.hangup_at = at
    if not channel.dialled:
        return
    call, offer = channel.call, channel.offer
    if channel.hangup_at is None and cause not in _UNTOLD | _NOT_REACHED | {_FORWARDED}:
        channel.hangup_at, channel.cause = at, cause
        _tell_refusal(channel)
    if offer is not None and cause == _FORWARDED and (offer.result is OfferResult.NO_ANSWER or offer.ended_at is None):
        offer.result, offer.ended_at = OfferResult.FORWARDED, offer.ended_at or at
        offer.rang_at = offer.rang_at or at
    if offer is not None and offer.result is OfferResult.NO_ANSWER and cause == _ELSEWHERE:
        offer.result = OfferResult.ANSWERED_ELSEWHERE
    untold = call.dial_status in _OPEN_DIAL or (offer is not None and offer.ended_at is None)
    if untold and cause != _FORWARDED and channel.kind in PHONES and call.queue is None:
        call.dial_status = "BUSY" if cause == "17" else "NOANSWER" if cause in _PEOPLE else "CONGESTION"


def refusal(channel: Channel) -> OfferResult | None:
    """How a phone that was never answered said no by itself; None where it did not."""
    if channel.hangup_at is None or channel.cause in _NOT_REACHED:
        return None
    return OfferResult.BUSY if channel.cause == "17" else OfferResult.DECLINED


def gone(switch: Switch, channel: Channel, at: float, *, estimated: bool = False) -> None:
    """A channel is no more: its ring and its talk are over, and the call too if it lived with this channel."""
    call = channel.call
    if channel.consults is not None and channel.bridge is not None:
        took_place(switch, channel.consults, channel, at)
    switch.channels.remove(channel)
    if call is None or call.ended_at is not None:
        return
    if channel.offer is not None:
        switch.end_offer(call, channel.offer, at, refusal(channel) or switch.lost_ring(call, channel.offer))
        if channel.offer.answered_at is not None and all(talk.channel is not channel for talk in call.talks):
            switch.tell_offer_end(call, channel.offer, at, OfferEnd.ANSWERED_ELSEWHERE)  # asked for advice only
    if channel is not call.customer and call.talks and not estimated:
        left_behind(switch, call, channel, at)
    talk = call.talk_of(channel)
    if talk is not None and channel is not call.customer:
        switch.end_talk(call, talk, at, let_go=False)
    if (channel is call.customer and (call.answered or call.customer is call.starter)) or (
        channel is call.starter and not call.answered
    ):
        # A caller who gives up during an announcement to the agent is gone long before the PBX sees to it (Asterisk 22).
        gave_up = channel is call.customer and channel.hangup_at is not None and not call.answered
        switch.end(call, channel.hangup_at if gave_up and channel.hangup_at is not None else at, estimated=estimated)


def overdue(switch: Switch, at: float) -> None:
    """Channels that asked to hang up and were never heard of again: their Hangup was missed."""
    while switch.leaving and at - switch.leaving[0][0] > HANGUP_SECONDS:
        asked_at, channel = switch.leaving.popleft()
        if switch.channels.get(channel.uid) is channel:
            gone(switch, channel, asked_at, estimated=True)


def local_bridge(switch: Switch, event: AmiEvent, at: float) -> None:
    """The two halves of a Local channel are one leg."""
    one, two = switch.channel(event, at, "LocalOne"), switch.channel(event, at, "LocalTwo")
    if one is None or two is None:
        return
    one.twin, two.twin = two, one
    one.call = two.call = one.call or two.call
    if one.exten == "":
        one.exten = event.get("Exten")


def pair(switch: Switch, event: AmiEvent, at: float) -> tuple[CallDraft, Channel] | None:
    """Who dials whom, as every dial event says it; made up from any of them where the first one was missed.
    None: not an agent's or a trunk's leg, or a channel that called by itself (a pick-up answers a ring that was another's).
    """
    dest = switch.channel(event, at, "Dest")
    if dest is None or dest.originating:
        return None
    source = switch.channel(event, at) if event.get("Uniqueid") else None
    if source is not None and source.target is not dest:
        if dest.dialler is not None and dest.dialler is not source:
            paired_anew(switch, source, dest, at)
        source.target, dest.dialler = dest, source
    call = dest.call
    if not dest.dialled or (call is None and source is not None):
        call = _first_dialled(switch, source, dest, event, at)
    if call is None or call.ended_at is not None:
        return None
    if dest.kind is Kind.AGENT:
        if call.click_to_call and dest.offer is None and source is call.starter and not call.answered:
            _calls_colleague(switch, call, dest, at)
        switch.offer(call, dest, at)
    if dest.state != (state := event.get("DestChannelState")):
        in_state(switch, dest, state, at)
    return call, dest


def _first_dialled(switch: Switch, source: Channel | None, dest: Channel, event: AmiEvent, at: float) -> CallDraft | None:
    """The first that is heard of this pair: whose call it belongs to, and where that call goes by it."""
    dest.dialled = True
    if source is not None and source.released and source.kind is Kind.AGENT:
        dest.call = None  # dialled for an agent who was sent away, not for the customer
        return None
    call = _call_of(switch, source, dest, event, at) or dest.call
    if call is None or call.ended_at is not None:
        return None
    dest.call = call
    if dest.twin is not None:
        dest.twin.call = call
        _dialled_already(switch, call, dest.twin.target, at)
    if source is not None and (source is call.customer or speaks_for_customer(call, source)):
        _moved(switch, call, dest, event, at)
        source.exten = event.get("Exten")
    if dest.kind is Kind.TRUNK:
        dialled_trunk(switch, call, source, dest, number_dialled(event.get("DialString")) or _number_shown(event), at)
    return call


def _dialled_already(switch: Switch, call: CallDraft, phone: Channel | None, at: float) -> None:
    """The far half of a Local channel may have dialled before its own dialling is told."""
    if phone is not None and phone.call is None and phone.kind is Kind.AGENT:
        phone.call = call
        switch.offer(call, phone, at)


def _call_of(switch: Switch, source: Channel | None, dest: Channel, event: AmiEvent, at: float) -> CallDraft | None:
    if source is None:
        return dest.call or _dialled_by_pbx(switch, dest, event, at)
    return source.owner or switch.begin_from(source, dest, at)


def _dialled_by_pbx(switch: Switch, dest: Channel, event: AmiEvent, at: float) -> CallDraft | None:
    """A leg without a caller: the recall of an agent whose transfer came to nothing (the customer still waits in their bridge),
    else click-to-call (Originate), whose leg shows the customer's number as the caller's.
    """
    if dest.kind is Kind.AGENT:
        for call in switch.calls.values():
            blonde = call.transfers and call.transfers[-1].type is TransferType.BLONDE
            waits = call.customer.bridge is not None and not call.agents_talking()
            if blonde and waits and call.transfers[-1].from_agent == dest.endpoint:
                return call
    elif dest.kind is Kind.OTHER:
        return None
    number = event.number("DestCallerIDNum")
    return switch.begin(
        CallDraft(
            pbx=switch.pbx,
            region=switch.region,
            direction=Direction.OUTBOUND,
            starter=dest,
            customer=dest,
            started_at=dest.created_at,
            presented=None if number in UNKNOWN or number == dest.endpoint else number,
            click_to_call=True,
        ),
        at,
    )


def _calls_colleague(switch: Switch, call: CallDraft, dest: Channel, at: float) -> None:
    """Click-to-call to another agent, now that the first one has answered: a call inside the house."""
    agent = next((offer.agent for offer in call.offers if offer.answered_at is not None), None)
    if agent is not None and call.customer is call.starter:
        call.direction, call.presented, call.did = Direction.INTERNAL, agent, dest.endpoint
        switch.changed(call, at)


def _moved(switch: Switch, call: CallDraft, dest: Channel, event: AmiEvent, at: float) -> None:
    """The customer's channel dials somebody: the place that an open transfer or a Redirect went to."""
    if dest.kind is Kind.AGENT:
        went_to(switch, call, dest.endpoint, at)
    elif dest.kind is Kind.TRUNK:
        went_to_trunk(switch, call, number_dialled(event.get("DialString")) or dest.number or _number_shown(event), at)
    elif dest.kind is Kind.LOCAL:
        went_to(switch, call, dest.endpoint, at)


def dialled_trunk(switch: Switch, call: CallDraft, source: Channel | None, dest: Channel, number: str | None, at: float) -> None:
    """An outside number is dialled: the customer of an outbound call, or somebody whom the customer is to speak with."""
    number = dest.number = number or dest.number
    consultation = source is not None and source.consults is call
    if not consultation and not call.answered and call.direction is not Direction.INBOUND:
        # The leg to the customer of an outbound call; a second try after "busy" replaces the first.
        call.direction = Direction.OUTBOUND
        call.customer = dest
        call.presented = number or call.presented
        call.did = None
        switch.changed(call, at)


def _number_shown(event: AmiEvent) -> str | None:
    """The digits that the phone dialled, prefix and all, where no DialBegin told the number behind it."""
    number = event.number("DestCallerIDNum")
    return None if number in UNKNOWN else number


def number_dialled(dial_string: str) -> str | None:
    """`0698765432` of the dial string `0698765432@trunk` (PJSIP) or `trunk/0698765432` (SIP)."""
    dialled = dial_string.partition("&")[0]
    number, at_sign, _ = dialled.partition("@")
    if not at_sign and "/" in dialled:
        number = dialled.rpartition("/")[2]
    return number or None


def dial_begin(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    if found is not None and found[1].kind is Kind.TRUNK:
        _renumber(*found, number_dialled(event.get("DialString")))


def _renumber(call: CallDraft, dest: Channel, number: str | None) -> None:
    """The number itself, where only the digits that the phone dialled were known so far."""
    shown = dest.number
    if number is None or number == shown:
        return
    dest.number = number
    if dest is call.customer and call.presented == shown:
        call.presented = number
    for transfer in call.transfers:
        if transfer.to == shown:
            transfer.to = number


def dial_state(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    if found is not None and found[1].offer is not None and event.get("DialStatus") == "RINGING":
        switch.ring(found[0], found[1].offer, at, at)


def dial_end(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    status = event.get("DialStatus")
    if found is None:
        if status == "ANSWER":
            _answered_by_taker(switch, event, at)
        return
    call, dest = found
    said_no = refusal(dest) if status == "NOANSWER" else None
    if (dest.kind is Kind.TRUNK or (call.queue is None and dest.kind is Kind.AGENT)) and not event.get("Forward"):
        failed = said_no is not None and dest.cause not in _PEOPLE
        call.dial_status = "CONGESTION" if failed else status
    if dest.kind is Kind.TRUNK and status == "ANSWER":
        _taken_outside(call, at)
    if dest.offer is None:
        return
    if status == "ANSWER":
        switch.pick_up(call, dest.offer, at)
    elif event.get("Forward"):
        switch.end_offer(call, dest.offer, at, OfferResult.FORWARDED)
    else:
        # NOANSWER is also what Dial() and Queue() say of 603, 404 and the like (Asterisk 22).
        switch.end_offer(call, dest.offer, at, said_no or _REFUSED.get(status) or switch.lost_ring(call, dest.offer))


def _taken_outside(call: CallDraft, at: float) -> None:
    """An outside party answered: the phones that rang beside it, and were given up just before this is told, missed nothing."""
    call.taken_at = at
    for offer in call.offers:
        if offer.result is OfferResult.NO_ANSWER and offer.ended_at is not None and at - offer.ended_at < _TOGETHER_SECONDS:
            offer.result = OfferResult.ANSWERED_ELSEWHERE


def _answered_by_taker(switch: Switch, event: AmiEvent, at: float) -> None:
    """A pick-up shows as the answer of a phone that was never dialled, but called by itself (Asterisk 22)."""
    source, taker = switch.known(event), switch.known(event, "Dest")
    call = source.owner if source is not None else None
    if call is not None and call.ended_at is None and taker is not None and taker.call is None and taker.originating:
        taken(switch, call, taker, at)
