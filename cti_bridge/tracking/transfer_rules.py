"""Rules for transfers, pick-up and parking: when an agent lets go of the customer, and towards what."""

from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Direction, OfferResult, TransferType
from cti_bridge.tracking.bridge_rules import came_unseen
from cti_bridge.tracking.channels import PHONES, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, TransferDraft
from cti_bridge.tracking.moves import already_transferred, given_away, let_go, park
from cti_bridge.tracking.switch import Switch


def blind_transfer(switch: Switch, event: AmiEvent, at: float) -> None:
    """`Result: Success` says that the target exists in the dialplan, not that it answered (Asterisk 22)."""
    agent = switch.channel(event, at, "Transferer")
    customer = switch.channel(event, at, "Transferee") if event.get("TransfereeUniqueid") else None
    if agent is None or event.get("Result") != "Success":
        return
    call = (customer.call if customer is not None else None) or agent.owner
    if call is None or call.ended_at is not None or _repeated(call, agent, at):
        return
    if _by_customer(call, agent):
        agent.hangup_at = agent.hangup_at or at
        if customer is not None:
            customer.released = True  # our agent: whom this leg meets from now on is no matter of the call
        return
    _together(switch, event.get("BridgeUniqueid"), agent, customer)
    let_go(switch, call, agent, customer, at)
    if customer is not None and customer.bridge is not None and customer.bridge.parking:
        return
    to = event.get("Extension")
    switch.transfer(call, TransferDraft(type=TransferType.BLIND, from_agent=agent.endpoint, to=to, at=at), at)


def attended_transfer(switch: Switch, event: AmiEvent, at: float) -> None:
    """Orig and Second are the transferer's two legs (one and the same channel for DTMF and AMI Atxfer). The event comes when
    the transferer lets go: with a target that only rings it is a blonde transfer.
    """
    first, second = switch.channel(event, at, "OrigTransferer"), switch.channel(event, at, "SecondTransferer")
    customer = switch.channel(event, at, "Transferee") if event.get("TransfereeUniqueid") else None
    _together(switch, event.get("OrigBridgeUniqueid"), first, customer)
    _together(switch, event.get("DestBridgeUniqueid"), customer, None)
    call, agent, consulting = _sides(first, second)
    if (
        call is None
        or agent is None
        or event.get("Result") != "Success"
        or call.ended_at is not None
        or _by_customer(call, agent)
    ):
        return
    if event.get("DestType") == "Threeway":
        call.conference = True
        switch.changed(call, at)
        return
    if _repeated(call, agent, at):
        return
    target = switch.channel(event, at, "TransferTarget") if event.get("TransferTargetUniqueid") else None
    if target is None and consulting is not None:
        target = consulting.target or _other_party(switch, call, agent, event)
    let_go(switch, call, agent, customer, at)
    given_away(switch, call, agent.endpoint, consulting, target, at)
    if consulting is not None:
        consulting.released = consulting is not agent or agent.released
        _let_other_go(switch, consulting, call, at)
        if event.get("DestType") == "App" and consulting is not agent and customer is call.customer:
            _inherits(switch, customer, consulting, at)
    switch.refresh(call, at)


def _inherits(switch: Switch, customer: Channel, line: Channel, at: float) -> None:
    """The customer takes the place of the agent's own line, in a bridge too, and no event says that they entered it."""
    line.heir = customer
    bridge = line.bridge
    if bridge is not None:
        switch.channels.leave(line)
        switch.channels.enter(customer, bridge.uid, at, parking=bridge.parking, conference=bridge.conference)


def _let_other_go(switch: Switch, leg: Channel, call: CallDraft, at: float) -> None:
    """Where the transferer's other line was another customer's call, that customer is let go of too, towards this one."""
    other = leg.call
    if other is None or other is call or other.ended_at is not None or other.talk_of(leg) is None:
        return
    let_go(switch, other, leg, None, at)
    to = call.customer.number or call.customer.endpoint
    switch.transfer(other, TransferDraft(type=TransferType.ATTENDED, from_agent=leg.endpoint, to=to, at=at, open=False), at)


def _together(switch: Switch, bridge_uid: str, agent: Channel | None, customer: Channel | None) -> None:
    """Whoever is transferred was in the bridge of the transferer, seen to enter it or not."""
    for channel in (agent, customer):
        if channel is not None and channel.bridge is None and channel.call is not None and not channel.released:
            came_unseen(switch, channel, bridge_uid)


def _sides(first: Channel | None, second: Channel | None) -> tuple[CallDraft | None, Channel | None, Channel | None]:
    """The customer's call, the agent's leg in it, and the leg of the consultation (the same channel for DTMF)."""
    for agent, other in ((first, second), (second, first)):
        if agent is None or agent.call is None:
            continue
        call = agent.call
        if call.customer is agent or any(talk.channel is agent for talk in call.talks):
            return call, agent, other if other is not None else agent
    return None, None, None


def _other_party(switch: Switch, call: CallDraft, agent: Channel, event: AmiEvent) -> Channel | None:
    """Whom the agent consulted, where the event does not name it (DTMF and AMI Atxfer, Asterisk 22): it shares a bridge with the
    agent, or with the customer already where the bridges were merged before the event.
    """
    for bridge in (switch.channels.bridge(event.get("SecondBridgeUniqueid")), agent.bridge, call.customer.bridge):
        for channel in bridge.members if bridge is not None else ():
            if channel is not agent and channel is not call.customer and not channel.spying:
                return channel
    dialled = [c for c in switch.channels if c.owner is call and c.dialled and c.kind in PHONES]
    asked = [c for c in dialled if c is not agent and c is not call.customer and call.talk_of(c) is None]
    return asked[-1] if asked else None


def _by_customer(call: CallDraft, transferer: Channel) -> bool:
    """A caller may press the transfer code too (Dial and Queue option T): they send our agent away, and leave."""
    return transferer is call.customer and call.direction is not Direction.INTERNAL


def _repeated(call: CallDraft, agent: Channel, at: float) -> bool:
    """This transfer is known: told twice, or concluded before it was told."""
    if call.talk_of(agent) is not None:
        return False
    talk = next((talk for talk in reversed(call.talks) if talk.channel is agent), None)
    return already_transferred(call, agent.endpoint, at - 0.5 if talk is None else talk.started_at)


_PICKUP_SECONDS: Final = 0.5
"""The phone that rang may be hung up before the pick-up is told."""


def taken(switch: Switch, call: CallDraft, taker: Channel, at: float) -> None:
    """A phone that called by itself has this call from now on."""
    call.picked_up = True
    taker.call, taker.originating, taker.dialler = call, True, call.customer
    if call.visits:
        call.visits[-1].answered = True
    for offer in call.offers:
        if offer.rang_at is None:
            continue
        if offer.result is OfferResult.NO_ANSWER and offer.ended_at is not None and at - offer.ended_at < _PICKUP_SECONDS:
            offer.result = OfferResult.ANSWERED_ELSEWHERE
        switch.end_offer(call, offer, at, OfferResult.ANSWERED_ELSEWHERE)


def pickup(switch: Switch, event: AmiEvent, at: float) -> None:
    """Another phone takes a ringing call: the ring was not missed, and whoever took it was not offered it."""
    taker, ringing = switch.channel(event, at), switch.channel(event, at, "Target")
    call = ringing.call if ringing is not None else switch.linked(event.get("TargetLinkedid"))
    if taker is None or call is None or call.ended_at is not None:
        return
    taken(switch, call, taker, at)


def parked(switch: Switch, event: AmiEvent, at: float) -> None:
    customer = switch.channel(event, at, "Parkee")
    if customer is not None and customer.call is not None:
        park(switch, customer.call, at)


def retrieved(switch: Switch, event: AmiEvent, at: float) -> None:
    """A phone fetches the customer from the parking lot: its own channel is a leg of the customer's call from now on."""
    customer, phone = switch.known(event, "Parkee"), switch.known(event, "Retriever")
    if customer is not None and phone is not None and phone is not customer and phone.kind is Kind.AGENT:
        phone.call = customer.call
        if phone.bridge is None and customer.bridge is not None and not customer.bridge.parking:
            came_unseen(switch, phone, customer.bridge.uid)
