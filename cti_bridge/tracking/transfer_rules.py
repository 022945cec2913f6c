"""Rules for transfers, pick-up and parking: when an agent lets go of the customer, and towards what."""

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import OfferResult, TransferType
from cti_bridge.tracking.bridge_rules import came_unseen
from cti_bridge.tracking.channels import Channel, Kind
from cti_bridge.tracking.draft import CallDraft, TransferDraft, VisitDraft
from cti_bridge.tracking.moves import is_answered, let_go, name_of, park, party_behind
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
    _together(switch, event.get("BridgeUniqueid"), agent, customer)
    let_go(switch, call, agent, customer, at)
    to = event.get("Extension")
    switch.transfer(call, TransferDraft(type=TransferType.BLIND, from_agent=agent.endpoint, to=to, at=at), at)


def attended_transfer(switch: Switch, event: AmiEvent, at: float) -> None:
    """Orig and Second are the transferer's two legs (one and the same channel for DTMF and AMI Atxfer). The event comes when
    the transferer lets go: with a target that only rings it is a blonde transfer.
    """
    first, second = switch.channel(event, at, "OrigTransferer"), switch.channel(event, at, "SecondTransferer")
    customer = switch.channel(event, at, "Transferee") if event.get("TransfereeUniqueid") else None
    _together(switch, event.get("OrigBridgeUniqueid"), first, customer)
    call, agent, consulting = _sides(first, second)
    if call is None or agent is None or event.get("Result") != "Success" or call.ended_at is not None:
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
    to, answered = _target(consulting, target)
    let_go(switch, call, agent, customer, at)
    kind = TransferType.ATTENDED if answered else TransferType.BLONDE
    queue = consulting.queue if consulting is not None and not answered else None
    if queue is not None:
        to = f"queue:{queue}"
        call.visits.append(VisitDraft(queue=queue, joined_at=at))
    switch.transfer(call, TransferDraft(type=kind, from_agent=agent.endpoint, to=to, at=at, open=False), at)
    if consulting is not None:
        _let_other_go(switch, consulting, call, at)
    switch.refresh(call, at)


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
        if channel is not None and channel.bridge is None and channel.call is not None:
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
    dialled = [c for c in switch.channels if c.owner is call and c.dialled and c.kind in {Kind.AGENT, Kind.TRUNK}]
    asked = [c for c in dialled if c is not agent and c is not call.customer and call.talk_of(c) is None]
    return asked[-1] if asked else None


def _target(consulting: Channel | None, target: Channel | None) -> tuple[str, bool]:
    """Whom the customer goes to, and whether that party already talks to the agent."""
    party = party_behind(target)
    if party is None:
        return (consulting.exten if consulting is not None else ""), False
    return name_of(party), is_answered(party)


def _repeated(call: CallDraft, agent: Channel, at: float) -> bool:
    last = call.transfers[-1] if call.transfers else None
    return last is not None and last.from_agent == agent.endpoint and at - last.at < 0.5 and call.talk_of(agent) is None


_PICKUP_SECONDS = 0.5
"""The phone that rang may be hung up before the pick-up is told."""


def taken(switch: Switch, call: CallDraft, taker: Channel, at: float) -> None:
    """A phone that called by itself has this call from now on."""
    call.picked_up = True
    taker.call, taker.originating = call, True
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
