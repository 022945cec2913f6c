"""Rules for channels, dialling and bridges: who was offered the call, who talked, when it ended."""

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Direction, OfferResult
from cti_bridge.tracking.channels import BUSY, RINGING, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft
from cti_bridge.tracking.switch import Switch
from cti_bridge.tracking.transfer_rules import went_to, went_to_trunk

_REFUSED = {"BUSY": OfferResult.BUSY, "CONGESTION": OfferResult.DECLINED, "NOANSWER": OfferResult.NO_ANSWER}
"""DialStatus of a phone that did not answer; CANCEL is judged by what else happened."""
_ASKED = frozenset({"", "0", "16", "127"})
"""Causes of a HangupRequest from a caller who gives up before the answer; 17, 34 and the like are the PBX's own refusal."""


def newchannel(switch: Switch, event: AmiEvent, at: float) -> None:
    switch.channel(event, at)


def newstate(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    channel.state = event.get("ChannelState")
    call = channel.call
    if channel.state == RINGING:
        if channel.ringing_at is None:
            channel.ringing_at = at
        if call is None or channel.offer is None:
            return
        if call.click_to_call and call.starter is channel:
            number = event.number("CallerIDNum")
            if call.presented is None and number != channel.endpoint:
                call.presented = number or None
        switch.ring(call, channel.offer, at, at)
    elif channel.state == UP:
        if channel.up_at is None:
            channel.up_at = at
        if call is not None and channel.offer is not None:
            switch.pick_up(call, channel.offer, at)


def hangup_request(switch: Switch, event: AmiEvent, at: float) -> None:
    """The device wants to end; not so where the PBX refused the call first (Busy(), Congestion()) and the device only agrees."""
    channel = switch.known(event)
    if channel is None or channel.hangup_at is not None:
        return
    refused = channel.state == BUSY or (channel.state != UP and event.get("Cause") not in _ASKED)
    if refused and not channel.dialled:
        channel.soft_hangup_at = channel.soft_hangup_at or at
    else:
        channel.hangup_at = at


def soft_hangup_request(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    if channel is not None and channel.soft_hangup_at is None:
        channel.soft_hangup_at = at


def hangup(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channels.get(event.get("Uniqueid"))
    if channel is not None:
        gone(switch, channel, at)
    else:
        switch.channels.remember_ended(event.get("Uniqueid"))


def gone(switch: Switch, channel: Channel, at: float, *, estimated: bool = False) -> None:
    """A channel is no more: its ring and its talk are over, and the call too if it lived with this channel."""
    call = channel.call
    switch.channels.remove(channel)
    if call is None or call.ended_at is not None:
        return
    if channel.offer is not None:
        switch.end_offer(call, channel.offer, at, switch.lost_ring(call, channel.offer))
    talk = call.talk_of(channel)
    if talk is not None and channel is not call.customer:
        switch.end_talk(call, talk, at, let_go=False)
    if (channel is call.customer and (call.answered or call.customer is call.starter)) or (
        channel is call.starter and not call.answered
    ):
        switch.end(call, at, estimated=estimated)


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
        source.target = dest
    call = dest.call
    if not dest.dialled:
        dest.dialled = True
        call = _call_of(switch, source, dest, at) or call
        if call is None or call.ended_at is not None:
            return None
        dest.call = call
        if dest.twin is not None:
            dest.twin.call = call
        if source is not None and source is call.customer:
            _moved(switch, call, dest, event, at)
        if dest.kind is Kind.TRUNK:
            _dialled_trunk(switch, call, source, dest, event, at)
    if call is None or call.ended_at is not None:
        return None
    if dest.kind is Kind.AGENT:
        switch.offer(call, dest, at)
    return call, dest


def _call_of(switch: Switch, source: Channel | None, dest: Channel, at: float) -> CallDraft | None:
    if source is None:
        return dest.call or _dialled_by_pbx(switch, dest, at)
    return source.owner or switch.begin_from(source, dest, at)


def _dialled_by_pbx(switch: Switch, dest: Channel, at: float) -> CallDraft | None:
    """A leg without a caller: the recall of an agent whose transfer came to nothing, else click-to-call (Originate)."""
    if dest.kind is Kind.AGENT:
        for call in switch.calls.values():
            if call.transfers and call.transfers[-1].from_agent == dest.endpoint and not call.agents_talking():
                return call
    elif dest.kind is Kind.OTHER:
        return None
    return switch.begin(
        CallDraft(
            pbx=switch.pbx,
            region=switch.region,
            direction=Direction.OUTBOUND,
            starter=dest,
            customer=dest,
            started_at=dest.created_at,
            click_to_call=True,
        ),
        at,
    )


def _moved(switch: Switch, call: CallDraft, dest: Channel, event: AmiEvent, at: float) -> None:
    """The customer's channel dials somebody: the place that an open transfer or a Redirect went to."""
    if dest.kind is Kind.AGENT:
        went_to(switch, call, dest.endpoint, at)
    elif dest.kind is Kind.TRUNK:
        went_to_trunk(switch, call, _number_dialled(event, dest), at)
    elif dest.kind is Kind.LOCAL:
        went_to(switch, call, dest.endpoint, at)


def _dialled_trunk(switch: Switch, call: CallDraft, source: Channel | None, dest: Channel, event: AmiEvent, at: float) -> None:
    number = _number_dialled(event, dest)
    dest.number = number
    consultation = source is not None and source.consults is call
    if not consultation and not call.answered and call.direction is not Direction.INBOUND:
        # The leg to the customer of an outbound call; a second try after "busy" replaces the first.
        call.direction = Direction.OUTBOUND
        call.customer = dest
        call.presented = number or call.presented
        call.did = None
        switch.changed(call, at)


def _number_dialled(event: AmiEvent, dest: Channel) -> str | None:
    """`0698765432` of the dial string `0698765432@trunk` (PJSIP) or `trunk/0698765432` (SIP)."""
    dialled = event.get("DialString").split("&")[0]
    number, at_sign, _ = dialled.partition("@")
    if not at_sign and "/" in dialled:
        number = dialled.rpartition("/")[2]
    return number or dest.number


def dial_begin(switch: Switch, event: AmiEvent, at: float) -> None:
    pair(switch, event, at)


def dial_end(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    if found is None:
        return
    call, dest = found
    status = event.get("DialStatus")
    if dest.kind is Kind.TRUNK or (call.queue is None and dest.kind is Kind.AGENT):
        call.dial_status = status
    if dest.offer is None:
        return
    if status == "ANSWER":
        switch.pick_up(call, dest.offer, at)
    elif event.get("Forward"):
        switch.end_offer(call, dest.offer, at, OfferResult.FORWARDED)
    else:
        switch.end_offer(call, dest.offer, at, _REFUSED.get(status) or switch.lost_ring(call, dest.offer))


def bridge_enter(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    bridge = switch.channels.enter(
        channel,
        event.get("BridgeUniqueid"),
        parking=event.get("BridgeType") == "parking" or event.get("BridgeCreator") == "Parking",
        conference=event.get("BridgeCreator") == "ConfBridge",
    )
    channel.released = False
    call = channel.call
    if call is not None and channel is not call.customer and call.customer.bridge is not None:
        talk = call.talk_of(channel)
        if talk is not None and call.customer.bridge is not bridge:
            # The agent went to another bridge while the customer waits in theirs: a consultation (DTMF or AMI Atxfer).
            talk.left_at, talk.consulting, talk.left_first = None, True, False
    _refresh_all(switch, channel, at)


def bridge_leave(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    if channel is None or channel.bridge is None or channel.bridge.uid != event.get("BridgeUniqueid"):
        return
    call = channel.call
    asked = channel.hangup_at is not None or channel.soft_hangup_at is not None
    if call is not None and call.ended_at is None and not asked:
        talk = call.talk_of(channel)
        if channel is call.customer:
            together = [t for t in call.open_talks() if t.channel.bridge is not None and t.left_at is None]
            stays = [t for t in together if t.channel.hangup_at is None and t.channel.soft_hangup_at is None]
            call.customer_left_first = bool(together)
            call.moved_from = [t.party for t in stays]
        elif talk is not None and talk.consulting:
            talk.left_at, talk.consulting = at, False
        elif talk is not None and call.customer.bridge is not None and call.customer.hangup_at is None:
            talk.left_first = True
    elif call is not None and call.ended_at is None and channel is not call.customer:
        talk = call.talk_of(channel)
        if talk is not None and talk.consulting:
            talk.left_at, talk.consulting = at, False
    others = switch.channels.connected(channel.bridge)
    switch.channels.leave(channel)
    for other in others:
        if other.call is not None and other.call.customer is other:
            switch.refresh(other.call, at)
    if call is not None:
        switch.refresh(call, at)


def _refresh_all(switch: Switch, channel: Channel, at: float) -> None:
    """Everybody whose customer can now be heard, beside the channel's own call."""
    for other in switch.channels.connected(channel.bridge):
        if other.call is not None and other.call.customer is other and other.call is not channel.call:
            switch.refresh(other.call, at)
    if channel.call is not None:
        switch.refresh(channel.call, at)


def conference_join(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    if channel.call is not None:
        channel.call.moved_from = []
    switch.channels.enter(channel, event.get("BridgeUniqueid"), parking=False, conference=True).conference = True
    _refresh_all(switch, channel, at)


def hold(switch: Switch, event: AmiEvent, at: float) -> None:
    """A phone's hold names its music class (PJSIP moh_suggest); the hold of a DTMF or AMI consultation does not (22.10.1)."""
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if channel is None or call is None or channel.kind is not Kind.AGENT or not event.get("MusicClass"):
        return
    if call.talk_of(channel) is not None or (call.customer is channel and call.answered):
        switch.hold(call, channel, at)


def unhold(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if call is not None and call.held_by is channel:
        switch.stop_hold(call, at)


def recording_started(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    call = channel.owner if channel is not None else None
    if call is not None and not call.recorded:
        call.recorded = True
        switch.changed(call, at)


def voicemail(switch: Switch, event: AmiEvent, at: float) -> None:
    """The caller is in voicemail: Newexten with VoiceMail (class dialplan) or MessageWaiting for the caller's channel."""
    channel = switch.known(event)
    if channel is not None and channel.call is not None and channel.call.customer is channel:
        channel.call.voicemail = True


def spy_started(switch: Switch, event: AmiEvent, at: float) -> None:
    """Whoever listens in is no party of the call."""
    channel = switch.channel(event, at, "Spyer")
    if channel is not None:
        channel.spying = True


def spy_stopped(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event, "Spyer")
    if channel is not None:
        channel.spying = False
