"""Where a customer goes when an agent lets go of them: what the transfer rules do with an event that says so, and what is
concluded from the legs where no event does (AMI Redirect) or where it was missed.

Asterisk tells a transfer in more than one way (22.10.1): the customer leaves the bridge with the new extension in the event,
dials or joins from there, or shares a bridge with somebody whom the agent had dialled for advice.
"""

from typing import Final

from cti_bridge.domain.call import TransferType
from cti_bridge.tracking.channels import PHONES, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, TalkDraft, TransferDraft, VisitDraft
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


def transferred(switch: Switch, call: CallDraft, kind: TransferType, from_agent: str, to: str, at: float) -> None:
    switch.transfer(call, TransferDraft(type=kind, from_agent=from_agent, to=to, at=at, open=False), at)


def already_transferred(call: CallDraft, agent: str, since: float) -> bool:
    return any(transfer.from_agent == agent and transfer.at >= since for transfer in call.transfers)


# --- to a place: an extension, an outside number, a queue, the parking lot


def went_to_queue(switch: Switch, call: CallDraft, queue: str, at: float) -> None:
    """The customer joined a queue: the target of an open transfer, or of a move that no transfer event told."""
    advice = call.consulted_queue == queue
    if advice:
        call.consulted_queue = None
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
    away_from = call.moved_from or _left_unseen(call, at)
    if away_from:
        _end_talks(switch, call, at)
        transferred(switch, call, kind, away_from[0], to, at)


MOVE_SECONDS: Final = 1.0
"""Where an agent transfers by feature code or AMI, their leg may be gone before the customer leaves the bridge."""


def just_left(call: CallDraft, at: float) -> list[TalkDraft]:
    """The talks of agents who had the customer until a moment ago, or have them still, and did not hang up."""
    return [
        talk
        for talk in call.talks
        if not talk.let_go
        and at - (talk.left_at or talk.ended_at or at) < MOVE_SECONDS
        and talk.channel.hangup_at is None
        and (talk.channel.soft_hangup_at is None or talk.channel is call.starter)  # whose own call ends with its bridge
    ]


def _left_unseen(call: CallDraft, at: float) -> list[str]:
    """The customer still seems to be in a bridge, though the dialplan has them again: their BridgeLeave was missed."""
    bridge = call.customer.bridge
    if bridge is None or bridge.conference or bridge.parking:
        return []
    return [talk.party for talk in just_left(call, at)]


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


def speaks_for_customer(call: CallDraft, source: Channel) -> bool:
    """The far half of a Local channel whose near half is with the customer, after a talk."""
    near = source.twin
    return bool(call.talks) and near is not None and near.bridge is not None and near.bridge is call.customer.bridge


def paired_anew(switch: Switch, caller: Channel, dialled: Channel, at: float) -> None:
    """The customer's channel stands where the agent's own line was, which had dialled this phone: a blonde transfer."""
    call, line = dialled.call, dialled.dialler
    if call is None or call.ended_at is not None or line is None or line.consults is not call:
        return
    if caller is not call.customer and not speaks_for_customer(call, caller):
        return
    talk = next((t for t in reversed(call.talks) if t.party == line.endpoint), None)
    if talk is not None and not already_transferred(call, talk.party, talk.started_at):
        when = talk.left_at or talk.ended_at or at
        _end_talks(switch, call, at)
        given_away(switch, call, line.endpoint, line, dialled, when)


def given_away(switch: Switch, call: CallDraft, agent: str, line: Channel | None, target: Channel | None, at: float) -> None:
    """`agent` gave the customer to `target`, whom they had dialled on `line`: attended where they were talking, else blonde."""
    party = party_behind(target)
    if party is None:
        answered = line is not None and bool(line.bridge or line.left_bridge)  # with several, in a conference
    else:
        answered = party.bridge is not None or (party.state == UP and (party.up_at or 0.0) < at)
    queue = _queue_asked(line) or _queue_asked(target.twin if target is not None else None)
    if queue is not None and (party is None or party.kind is Kind.LOCAL or not answered):
        call.visits.append(VisitDraft(queue=queue, joined_at=at))
        call.consulted_queue = None
        transferred(switch, call, TransferType.BLONDE, agent, f"queue:{queue}", at)
        return
    to = name_of(party) if party is not None else line.exten if line is not None else ""
    transferred(switch, call, TransferType.ATTENDED if answered else TransferType.BLONDE, agent, to, at)


def _queue_asked(line: Channel | None) -> str | None:
    return line.queue if line is not None else None


def came_instead(switch: Switch, call: CallDraft, leg: Channel, at: float) -> None:
    """The leg of a consultation (feature code, AMI Atxfer) is put to the customer, and the agent has hung up: what the
    AttendedTransfer says a moment later.
    """
    bridge = call.customer.bridge
    if bridge is None or leg.bridge is not bridge:
        return
    for talk in call.open_talks():
        agent = talk.channel
        if agent.hangup_at is not None and agent.bridge is not bridge and party_behind(leg) is not agent:
            let_go(switch, call, agent, None, at)
            given_away(switch, call, talk.party, None, leg, at)
            return


def took_place(switch: Switch, call: CallDraft, line: Channel, at: float) -> None:
    """An agent's own line is gone out of a talk that goes on, and so is the agent from the customer's: the customer has its place
    now, without having entered the bridge (a transfer at the moment of the answer, 22.10.1).
    """
    customer, bridge = call.customer, line.bridge
    if call.ended_at is not None or bridge is None or len(bridge.members) < 2 or line.hangup_at is not None:
        return
    if customer.bridge is not None or customer.hangup_at is not None or customer.soft_hangup_at is not None:
        return
    talk = next((talk for talk in just_left(call, at) if talk.party == line.endpoint), None)
    if talk is None or already_transferred(call, talk.party, talk.started_at):
        return
    target = next(member for member in bridge.members if member is not line)
    given_away(switch, call, talk.party, line, target, at)
    switch.channels.enter(customer, bridge.uid, at, parking=False, conference=bridge.conference)
    switch.refresh(call, at)


def left_behind(switch: Switch, call: CallDraft, agent: Channel, at: float) -> None:
    """An agent's leg is gone and the customer is not: what that means where no transfer event has said it.

    The customer was moved to an extension; or has, instead of the agent, somebody whom the agent had dialled.
    """
    customer = call.customer
    talk = next((t for t in reversed(call.talks) if t.channel is agent), None)
    if talk is None or talk.let_go or customer is agent or customer.hangup_at is not None:
        return
    if already_transferred(call, talk.party, talk.started_at):
        return
    if call.moved_to and call.moved_from and call.moved_from[0] == talk.party:
        moved_away(switch, call, at)
        return
    if customer.soft_hangup_at is not None:
        return
    for other in switch.channels.connected(customer.bridge):
        if other is not customer and other is not agent and not other.spying and other.kind in PHONES:
            _taken_over(switch, call, talk.party, talk.left_at or at, other, at)
            return


def moved_away(switch: Switch, call: CallDraft, at: float) -> None:
    """A blind transfer to the extension that the customer left the bridge for; what is behind it will show."""
    agent, to = call.moved_from[0], call.moved_to
    _end_talks(switch, call, at)
    switch.transfer(call, TransferDraft(type=TransferType.BLIND, from_agent=agent, to=to, at=at), at)


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
        if call.customer.bridge is not None and call.customer.bridge.conference:
            return
    for talk in call.open_talks():
        if talk.party == agent:
            switch.end_talk(call, talk, at, let_go=True)
    transferred(switch, call, TransferType.ATTENDED, agent, to, at)


_TOGETHER_SECONDS: Final = 0.5
"""Bridges that are merged hold everybody for a moment; longer is a talk of three."""


def name_of(party: Channel) -> str:
    """What a transfer's target is called: the agent's extension, or the outside number."""
    return (party.number or party.endpoint) if party.kind is Kind.TRUNK else party.endpoint


def party_behind(leg: Channel | None) -> Channel | None:
    """The phone that a Local channel leads to; any other channel is itself."""
    while leg is not None and leg.kind is Kind.LOCAL and leg.twin is not None and leg.twin.target is not None:
        leg = leg.twin.target
    return leg
