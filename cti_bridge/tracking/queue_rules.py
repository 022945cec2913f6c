"""Rules for queues: visits, answers from a queue, and why a caller left one."""

from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import OfferResult
from cti_bridge.domain.call_events import CallLeftQueue, CallQueued
from cti_bridge.tracking.call_rules import pair, refusal
from cti_bridge.tracking.channels import Channel, Kind
from cti_bridge.tracking.draft import CallDraft, VisitDraft, moment
from cti_bridge.tracking.moves import speaks_for_customer, went_to_queue
from cti_bridge.tracking.switch import Switch
from cti_bridge.tracking.talk_rules import voicemail
from cti_bridge.tracking.transfer_rules import taken

_REFUSALS: Final = frozenset({"JOINEMPTY", "JOINUNAVAIL", "FULL"})


def joined(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    queue = event.get("Queue")
    call = channel.owner or switch.begin_from(channel, None, at)
    if call is None or call.ended_at is not None:
        return
    if _for_advice(call, channel):
        channel.queue = call.consulted_queue = queue  # the customer joins it only by a transfer
        return
    if channel.kind is Kind.AGENT and channel is not call.customer:
        return  # an agent who was sent there, alone
    last = call.visits[-1] if call.visits else None
    if last is not None and last.assumed and last.queue == queue and call.queue_asked is None:
        last.assumed = False  # made up from a later event of the same visit
        return
    join(switch, call, queue, at)


def _for_advice(call: CallDraft, line: Channel) -> bool:
    """An agent asks the queue for advice: on a line of their own, or by feature code, on a Local channel in their bridge."""
    if line.kind is Kind.LOCAL:
        apart = line.twin is not None and call.customer.bridge is not None and line.twin.bridge is not call.customer.bridge
        return apart and bool(call.open_talks())
    return line.consults is call


def join(switch: Switch, call: CallDraft, queue: str, at: float) -> None:
    """The customer waits in `queue` now; a second event of the same join changes nothing."""
    if call.queue == queue:
        return
    leave(switch, call, at)
    went_to_queue(switch, call, queue, at)
    call.queue_exit = call.queue_asked = None
    call.visits.append(VisitDraft(queue=queue, joined_at=at))
    switch.out.append(CallQueued(call.picture(at), moment(at), queue))


def left(switch: Switch, event: AmiEvent, at: float) -> None:
    """QueueCallerLeave always follows the answer's DialEnd (Asterisk 22); QueueCallerAbandon also comes at time-outs, so
    what counts as abandoned is a caller who asked to hang up.
    """
    channel = switch.known(event)
    call = channel.owner if channel is not None else None
    if call is None or channel is None or call.ended_at is not None:
        return
    queue = event.get("Queue")
    if channel.queue is not None:
        channel.queue = None
        if call.queue != queue:
            call.consulted_queue = None
            return
    if call.queue not in {None, queue}:
        return  # of the queue before: the caller was moved on, and joined the next one first
    left_just_now = any(visit.queue == queue and visit.left_at is not None and at - visit.left_at < 0.05 for visit in call.visits)
    if call.queue is None and queue in {call.queue_asked, call.consulted_queue} and not left_just_now:
        _join_unseen(switch, call, queue, call.queue_asked_at if call.queue_asked == queue else at)
    leave(switch, call, at)


def _join_unseen(switch: Switch, call: CallDraft, queue: str, at: float) -> None:
    """The QueueCallerJoin of this visit was missed, or comes behind."""
    join(switch, call, queue, at)
    call.visits[-1].assumed = True


def leave(switch: Switch, call: CallDraft, at: float) -> None:
    if call.queue is None:
        return
    visit = call.visits[-1]
    visit.left_at = at
    answered = call.picked_up or any(o.answered_at is not None and o.answered_at >= visit.joined_at for o in call.offers)
    dialled = call.customer.target
    visit.answered = visit.answered or answered or (dialled is not None and dialled.up_at is not None)
    visit.abandoned = not visit.answered and call.customer.hangup_at is not None
    if not visit.answered and not visit.abandoned:
        # QUEUESTATUS follows where the caller goes on in the dialplan, but only a login with class dialplan sees it.
        call.queue_exit = call.queue_exit or ("UNTOLD" if call.dialplan_seen else "TIMEOUT")
        for offer in call.open_offers():
            switch.end_offer(call, offer, at, OfferResult.NO_ANSWER)
    switch.out.append(
        CallLeftQueue(call.picture(at), moment(at), visit.queue, answered=visit.answered, abandoned=visit.abandoned)
    )


def status(switch: Switch, event: AmiEvent, at: float) -> None:
    """QUEUESTATUS tells why Queue() ended, and that a caller was refused at the door (no queue event then, Asterisk 22)."""
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    value = event.get("Value")
    if call is None or not value or value == "CONTINUE":
        return
    call.queue_exit = value
    if value in _REFUSALS and call.queue_asked is not None:
        went_to_queue(switch, call, call.queue_asked, at)
        call.visits.append(VisitDraft(queue=call.queue_asked, joined_at=at, left_at=at, refused=True))
        call.queue_asked = None


def application(switch: Switch, event: AmiEvent, at: float) -> None:
    """The dialplan application that the caller entered (Newexten, class dialplan): Queue or VoiceMail."""
    channel = switch.known(event)
    if channel is None or channel.call is None or channel.call.customer is not channel:
        return
    call = channel.call
    call.dialplan_seen = True
    if event.get("Application") == "Queue":
        if channel.bridge is not None:
            return  # no new start: it only says that the caller leaves the bridge for another extension (22.10.1)
        queue = event.get("AppData").split(",", 1)[0]
        if call.queue != queue:  # said once more where the caller leaves by a key, or was transferred into it (22.10.1)
            call.queue_asked, call.queue_asked_at = queue, at
    else:
        voicemail(switch, event, at)


def member_called(switch: Switch, event: AmiEvent, at: float) -> None:
    _waits(switch, event, at)
    pair(switch, event, at)


def _waits(switch: Switch, event: AmiEvent, at: float) -> None:
    """A member is called for a caller who waits in the queue, whether or not the caller was seen to join it."""
    channel = switch.known(event)
    if channel is None:
        return
    call = channel.owner or switch.begin_from(channel, None, at)
    if call is None or call.ended_at is not None or call.queue is not None:
        return
    if call.customer is channel or speaks_for_customer(call, channel):
        _join_unseen(switch, call, event.get("Queue"), call.queue_asked_at if call.queue_asked is not None else at)
    elif channel.queue is None and _for_advice(call, channel):
        channel.queue = call.consulted_queue = event.get("Queue")


def member_connected(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if found is None and call is not None and call.ended_at is None:
        _picked_up(switch, call, event, at)
    if call is not None and call.visits and channel is not None and channel.kind is not Kind.LOCAL:
        call.visits[-1].answered = True
        if call.queue == event.get("Queue"):
            leave(switch, call, at)  # its QueueCallerLeave was missed


def _picked_up(switch: Switch, call: CallDraft, event: AmiEvent, at: float) -> None:
    """Connected with a phone that the queue did not call, but that called by itself: its Pickup was missed."""
    taker = switch.known(event, "Dest")
    if taker is not None and taker.originating and taker.call is None:
        taken(switch, call, taker, at)


def member_did_not_answer(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    if found is not None and found[1].offer is not None:
        switch.end_offer(found[0], found[1].offer, at, refusal(found[1]) or OfferResult.NO_ANSWER)
