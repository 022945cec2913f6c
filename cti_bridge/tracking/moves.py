"""Where a customer goes when an agent lets go of them: what the transfer rules do with an event that says so, and what is
concluded from the legs where no event does (AMI Redirect) or where it was missed.

Asterisk tells a transfer in more than one way (22.10.1): the customer leaves the bridge with the new extension in the event, dials
or joins from there, or shares a bridge with somebody whom the agent had dialled for advice.
"""

from cti_bridge.domain.call import TransferType
from cti_bridge.tracking.channels import UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, TransferDraft
from cti_bridge.tracking.switch import Switch


def let_go(switch: Switch, call: CallDraft, agent: Channel, customer: Channel | None, at: float) -> None:
    """`agent` is no party of the call any more, though perhaps still in the bridge for a moment."""
    for talk in call.open_talks():
        if talk.channel is agent or talk.party == agent.endpoint:
            switch.end_talk(call, talk, at, let_go=True)
    agent.released = True
    if call.held_by is agent:
        switch.stop_hold(call, at)
    if call.customer is agent and customer is not None and customer is not agent:
        call.customer = customer  # the caller of an internal call transfers the called party: that one goes on
        customer.call = call


def transfer(switch: Switch, call: CallDraft, kind: TransferType, from_agent: str, to: str, at: float, *, open: bool) -> None:
    switch.transfer(call, TransferDraft(type=kind, from_agent=from_agent, to=to, at=at, open=open), at)


# --- to a place: an extension, an outside number, a queue, the parking lot


def went_to_queue(switch: Switch, call: CallDraft, queue: str, at: float) -> None:
    """The customer joined a queue: the target of an open transfer, or of a move that no transfer event told."""
    advice = call.consulted_queue == queue
    _went(switch, call, f"queue:{queue}", at, TransferType.BLONDE if advice else TransferType.BLIND)


def went_to(switch: Switch, call: CallDraft, extension: str, at: float) -> None:
    """The customer's channel dials a phone; an open transfer names its target already."""
    last = call.transfers[-1] if call.transfers else None
    if last is not None and last.open:
        last.open = False
    else:
        _went(switch, call, extension, at)


def went_to_trunk(switch: Switch, call: CallDraft, number: str | None, at: float) -> None:
    if number is not None:
        _went(switch, call, number, at)


def _went(switch: Switch, call: CallDraft, to: str, at: float, kind: TransferType = TransferType.BLIND) -> None:
    last = call.transfers[-1] if call.transfers else None
    if last is not None and last.open:
        last.open, last.to = False, to
        return
    away_from = call.moved_from or _left_unseen(call)
    if away_from:
        _end_talks(switch, call, at)
        transfer(switch, call, kind, away_from[0], to, at, open=False)


def _left_unseen(call: CallDraft) -> list[str]:
    """Agents with whom the customer still seems to be, though they are in the dialplan's hands again: their BridgeLeave was missed."""
    bridge = call.customer.bridge
    if bridge is None or bridge.conference or bridge.parking:
        return []
    return [talk.party for talk in call.open_talks() if talk.left_at is None and talk.channel.hangup_at is None]


def _end_talks(switch: Switch, call: CallDraft, at: float) -> None:
    for talk in call.open_talks():
        switch.end_talk(call, talk, at, let_go=True)


def park(switch: Switch, call: CallDraft, at: float) -> None:
    """The customer is in the parking lot: parking is no transfer, even where a transfer to its extension led there."""
    if call.ended_at is not None:
        return
    call.moved_from = []
    if call.transfers and call.transfers[-1].open and call.transfers[-1].type is TransferType.BLIND:
        call.transfers.pop()
    _end_talks(switch, call, at)
    if not call.parked:
        call.parked = True
        switch.changed(call, at)


# --- concluded from the legs


def paired_anew(switch: Switch, caller: Channel, dialled: Channel, at: float) -> None:
    """The customer's channel stands where the agent's own line was, which had dialled this phone: a blonde transfer."""
    call = dialled.call
    if call is not None and caller is call.customer and call.moved_from and call.ended_at is None:
        agent = call.moved_from[0]
        _end_talks(switch, call, at)
        transfer(switch, call, TransferType.BLONDE, agent, name_of(dialled), at, open=False)


def left_behind(switch: Switch, call: CallDraft, agent: Channel, at: float) -> None:
    """An agent's leg is gone and the customer is not: what that means where no transfer event has said it.

    The customer was moved to an extension; or has, instead of the agent, somebody whom the agent had dialled.
    """
    customer = call.customer
    talk = next((t for t in reversed(call.talks) if t.channel is agent), None)
    if talk is None or talk.let_go or customer is agent or customer.hangup_at is not None or customer.soft_hangup_at is not None:
        return
    if any(t.from_agent == talk.party and t.at >= talk.started_at for t in call.transfers):
        return
    if call.moved_from and call.moved_from[0] == talk.party:
        if call.moved_to:
            to = call.moved_to
            _end_talks(switch, call, at)
            transfer(switch, call, TransferType.BLIND, talk.party, to, at, open=True)
        return
    for other in switch.channels.connected(customer.bridge):
        if other is customer or other is agent or other.spying:
            continue
        if other.kind in {Kind.AGENT, Kind.TRUNK}:
            _taken_over(switch, call, talk.party, talk.left_at or at, other, at)
            return
        ringing = party_behind(other)
        if ringing is not None and ringing is not agent and ringing.offer is not None and ringing.offer.answered_at is None:
            talk.let_go = True
            transfer(switch, call, TransferType.BLONDE, talk.party, name_of(ringing), at, open=False)
            return


def _taken_over(switch: Switch, call: CallDraft, agent: str, left_at: float, other: Channel, at: float) -> None:
    """`other` has the customer now: by a transfer, or because all three talked with each other before the agent left."""
    theirs = other.call
    if theirs is not None and theirs is not call and theirs.customer is other:
        to = other.number or other.endpoint  # another customer: both were let go of, towards each other
    else:
        joined = call.talk_of(other)
        if joined is None or other.dialler is call.customer:
            return
        if joined.started_at < left_at - _TOGETHER_SECONDS:
            call.conference = True
            switch.changed(call, at)
            return
        to = name_of(other)
    for talk in call.talks:
        if talk.party == agent and talk.ended_at is None:
            switch.end_talk(call, talk, at, let_go=True)
    transfer(switch, call, TransferType.ATTENDED, agent, to, at, open=False)


_TOGETHER_SECONDS = 0.5
"""Bridges that are merged hold everybody for a moment; longer is a talk of three."""


def name_of(party: Channel) -> str:
    """What a transfer's target is called: the agent's extension, or the outside number."""
    return (party.number or party.endpoint) if party.kind is Kind.TRUNK else party.endpoint


def party_behind(leg: Channel | None) -> Channel | None:
    """The phone that a Local channel leads to; any other channel is itself."""
    while leg is not None and leg.kind is Kind.LOCAL and leg.twin is not None and leg.twin.target is not None:
        leg = leg.twin.target
    return leg


def is_answered(party: Channel) -> bool:
    return party.state == UP or party.bridge is not None
