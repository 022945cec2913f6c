"""Rules for queues: visits, answers from a queue, and why a caller left one."""

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import OfferResult
from cti_bridge.domain.call_events import CallLeftQueue, CallQueued
from cti_bridge.tracking.call_rules import pair, refusal, voicemail
from cti_bridge.tracking.channels import Kind
from cti_bridge.tracking.draft import CallDraft, VisitDraft, moment
from cti_bridge.tracking.moves import went_to_queue
from cti_bridge.tracking.switch import Switch

_REFUSALS = frozenset({"JOINEMPTY", "JOINUNAVAIL", "FULL"})


def joined(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.channel(event, at)
    if channel is None:
        return
    queue = event.get("Queue")
    call = channel.owner or switch.begin_from(channel, None, at)
    if call is None or call.ended_at is not None:
        return
    if channel.consults is call:
        channel.queue = call.consulted_queue = queue  # an agent asks a queue for advice; the customer joins it only by a transfer
        return
    join(switch, call, queue, at)


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
    if call is None or channel is None or channel.consults is call or call.ended_at is not None:
        return
    queue = event.get("Queue")
    if call.queue is None and call.queue_asked == queue:
        join(switch, call, queue, call.queue_asked_at)  # its QueueCallerJoin was missed
    leave(switch, call, at)


def leave(switch: Switch, call: CallDraft, at: float) -> None:
    if call.queue is None:
        return
    visit = call.visits[-1]
    visit.left_at = at
    answered = call.picked_up or any(o.answered_at is not None and o.answered_at >= visit.joined_at for o in call.offers)
    visit.answered = visit.answered or answered
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
    call = channel.owner if channel is not None else None
    if call is not None and call.ended_at is None and call.customer is channel and call.queue is None:
        join(switch, call, event.get("Queue"), call.queue_asked_at if call.queue_asked is not None else at)


def member_connected(switch: Switch, event: AmiEvent, at: float) -> None:
    pair(switch, event, at)
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if call is not None and call.visits and channel is not None and channel.kind is not Kind.LOCAL:
        call.visits[-1].answered = True
        if call.queue == event.get("Queue"):
            leave(switch, call, at)  # its QueueCallerLeave was missed


def member_did_not_answer(switch: Switch, event: AmiEvent, at: float) -> None:
    found = pair(switch, event, at)
    if found is not None and found[1].offer is not None:
        switch.end_offer(found[0], found[1].offer, at, refusal(found[1]) or OfferResult.NO_ANSWER)
