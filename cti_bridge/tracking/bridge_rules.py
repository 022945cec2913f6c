"""Rules for bridges: who hears whom, and what the bridge's own count tells of events that were missed."""

from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.tracking.channels import UP, Bridge, Channel, Kind
from cti_bridge.tracking.draft import CallDraft
from cti_bridge.tracking.moves import came_instead, just_left, moved_away, park, speaks_for_customer
from cti_bridge.tracking.switch import Switch


def bridge_enter(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is not None and channel.heir is not None:
        channel = channel.heir
    if channel is None:
        return
    _left_before(switch, channel, event, at)
    bridge = switch.channels.enter(
        channel,
        event.get("BridgeUniqueid"),
        at,
        parking=event.get("BridgeType") == "parking" or event.get("BridgeCreator") == "Parking",
        conference=event.get("BridgeCreator") == "ConfBridge",
    )
    call = channel.call
    if call is not None and call.customer is channel:
        channel.exten = event.get("Exten")
        if bridge.parking:
            park(switch, call, at)
    elif call is not None and channel.kind is Kind.LOCAL:
        channel.exten = event.get("Exten")
        if call.talks:
            came_instead(switch, call, channel, at)
        if bridge.parking and speaks_for_customer(call, channel):
            park(switch, call, at)
    elif call is not None and bridge.conference:
        call.moved_from = []  # moved into the conference together
    if event.get("BridgeType") == "basic":
        _count(switch, bridge, channel, event.get("BridgeNumChannels"), at)
    entered(switch, channel, bridge, at)
    _followed(switch, channel, bridge, at)


def _left_before(switch: Switch, channel: Channel, event: AmiEvent, at: float) -> None:
    """Whoever enters a bridge has left the one before, to another extension perhaps, seen to leave it or not."""
    call, before = channel.call, channel.bridge
    if call is None or call.customer is not channel or before is None or before.uid == event.get("BridgeUniqueid"):
        return
    exten = event.get("Exten")
    if call.talks and exten != channel.exten and not before.parking and channel.hangup_at is None:
        _moved(switch, call, exten, at)


def _followed(switch: Switch, dialled: Channel, bridge: Bridge, at: float) -> None:
    """Dial and Queue put the called party into a new bridge and its caller after it, always (app_dial, app_queue, Asterisk 22):
    the caller is with it from now on, whether or not its BridgeEnter is seen.
    """
    caller = dialled.dialler
    if caller is not None and caller.heir is not None:
        caller = caller.heir
    if caller is None or caller.bridge is not None or dialled.left_bridge or caller.hangup_at is not None:
        return
    if len(bridge.members) == 1 and not bridge.conference and not bridge.parking and switch.channels.get(caller.uid) is caller:
        switch.channels.enter(caller, bridge.uid, at, parking=False, conference=False)
        entered(switch, caller, bridge, at)


def entered(switch: Switch, channel: Channel, bridge: Bridge, at: float) -> None:
    """The channel is in this bridge now: whom it hears, and whether its agent only asks somebody for advice."""
    channel.released = False
    call = channel.call
    if call is not None and channel is not call.customer and call.customer.bridge is not None:
        talk = call.talk_of(channel)
        if talk is not None and call.customer.bridge is not bridge:
            # The agent went to another bridge while the customer waits in theirs: a consultation (DTMF or AMI Atxfer).
            talk.left_at, talk.consulting, talk.left_first = None, True, False
    _refresh_all(switch, channel, at)


def _count(switch: Switch, bridge: Bridge, beside: Channel, said: str, at: float) -> None:
    """The PBX counts more in a basic bridge than were seen to enter: whoever else of this call is free and answered is in it."""
    if not said.isdigit() or int(said) <= len(bridge.members):
        return
    call = beside.owner
    free = [c for c in switch.channels if c.bridge is None and c.left_bridge != bridge.uid and c.state == UP and c.owner is call]
    linked = [c for c in free if c.target is beside or beside.target is c]
    for candidates in (linked, free):
        if len(candidates) == 1 and call is not None:
            switch.channels.enter(candidates[0], bridge.uid, at, parking=False, conference=False)
            entered(switch, candidates[0], bridge, at)
            return


def came_unseen(switch: Switch, channel: Channel, bridge_uid: str) -> None:
    """Whoever leaves a bridge was in it, since the last that is known of it at the latest; a repeated leaving says nothing."""
    bridge = switch.channels.bridge(bridge_uid)
    if bridge is None or channel.left_bridge == bridge_uid or bridge.parking or bridge.conference:
        return
    switch.channels.enter(channel, bridge_uid, bridge.entered_at, parking=False, conference=False)
    entered(switch, channel, bridge, bridge.entered_at)


def bridge_leave(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    if channel is None:
        return
    if channel.bridge is None and event.get("BridgeType") == "basic":
        came_unseen(switch, channel, event.get("BridgeUniqueid"))
    bridge = channel.bridge
    if bridge is None or bridge.uid != event.get("BridgeUniqueid"):
        return
    if event.get("BridgeType") == "basic" and len(bridge.members) == 1 and event.get("BridgeNumChannels") == "1":
        _count(switch, bridge, channel, "2", bridge.entered_at)
    if channel.call is not None and channel.call.ended_at is None:
        if channel.unheld_at is not None:
            _held_unseen(channel.call, channel, at)
        if len(bridge.members) > 2:
            _talked_together(switch, channel.call, at)
        _parted(switch, channel.call, channel, event.get("Exten"), at)
    others = switch.channels.connected(bridge)
    switch.channels.leave(channel)
    for other in others:
        if other.call is not None and other.call.customer is other:
            switch.refresh(other.call, at)
    if channel.call is not None:
        switch.refresh(channel.call, at)


def _talked_together(switch: Switch, call: CallDraft, at: float) -> None:
    """Three in one bridge for longer than a transfer takes: a three-way talk (feature code; AttendedTransfer says so too)."""
    there = [talk for talk in call.open_talks() if talk.left_at is None and not talk.consulting]
    if len(there) > 1 and not call.conference and at - max(talk.started_at for talk in there) > _TRANSFER_SECONDS:
        call.conference = True
        switch.changed(call, at)


_TRANSFER_SECONDS: Final = 1.0
"""A transfer by REFER or AMI says Unhold too, just before the transferer leaves (22.10.1)."""


def _held_unseen(call: CallDraft, phone: Channel, at: float) -> None:
    """This phone took the customer back, so it had put them on hold: its Hold was missed, and with it the time."""
    if phone.unheld_at is not None and at - phone.unheld_at > _TRANSFER_SECONDS:
        call.held = call.held or call.talk_of(phone) is not None or call.customer is phone


def _parted(switch: Switch, call: CallDraft, channel: Channel, exten: str, at: float) -> None:
    """What a leg's leaving says: the customer was moved, a consultation is over, or an agent went first."""
    asked = channel.hangup_at is not None or channel.soft_hangup_at is not None
    if channel is call.customer:
        if not asked and channel.bridge is not None and not channel.bridge.conference:
            _moved(switch, call, exten, at)
        return
    if channel.kind is Kind.LOCAL and channel.twin is not None and channel.twin.bridge is call.customer.bridge is not None:
        if exten != channel.exten:  # the customer is moved behind the agent's Local channel
            call.moved_from, call.moved_to = [talk.party for talk in just_left(call, at)], exten
        return
    talk = call.talk_of(channel)
    if talk is None:
        return
    if talk.consulting:
        talk.left_at, talk.consulting = at, False
    elif not asked and call.customer.bridge is not None and call.customer.hangup_at is None:
        talk.left_first = True


def _moved(switch: Switch, call: CallDraft, exten: str, at: float) -> None:
    """The customer leaves a bridge, and nobody ends the call; a new extension in the event is where they go (22.10.1)."""
    known = {call.customer.exten, *call.agents_talking()}
    call.moved_to = "" if exten in known else exten
    stays = [talk for talk in just_left(call, at) if call.moved_to or (talk.left_at is None and talk.channel.bridge is not None)]
    call.moved_from = [talk.party for talk in stays]
    if call.moved_to and stays and all(switch.channels.get(talk.channel.uid) is None for talk in stays):
        moved_away(switch, call, at)


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
    if channel.call is not None and channel is not channel.call.customer:
        channel.call.moved_from = []  # moved into the conference together
    switch.channels.enter(channel, event.get("BridgeUniqueid"), at, parking=False, conference=True).conference = True
    _refresh_all(switch, channel, at)
