"""What became of a call, judged at its end: the outcome, and who hung up. Tables, no state."""

from typing import Final

from cti_bridge.domain.call import Direction, Outcome, Party
from cti_bridge.tracking.channels import Kind
from cti_bridge.tracking.draft import CallDraft, TalkDraft

QUEUE_EXITS: Final = {
    "TIMEOUT": Outcome.TIMEOUT,
    "JOINEMPTY": Outcome.JOIN_EMPTY,
    "JOINUNAVAIL": Outcome.JOIN_EMPTY,
    "LEAVEEMPTY": Outcome.LEAVE_EMPTY,
    "LEAVEUNAVAIL": Outcome.LEAVE_EMPTY,
    "FULL": Outcome.FAILED,
    "WITHDRAW": Outcome.FAILED,
    "UNTOLD": Outcome.FAILED,
}
"""By the dialplan variable QUEUESTATUS (app_queue, Asterisk 22); not told at an exit by key or a hang-up by AMI."""

DIAL_STATUSES: Final = {
    "BUSY": Outcome.BUSY,
    "NOANSWER": Outcome.NO_ANSWER,
    "CANCEL": Outcome.NO_ANSWER,
    "CONGESTION": Outcome.FAILED,
    "CHANUNAVAIL": Outcome.FAILED,
}
"""By DialStatus of the last DialEnd (app_dial, Asterisk 22)."""

_SAME_END_SECONDS: Final = 2.0
"""A party's hang-up ends the call at once; a customer who stays longer is in the dialplan's hands again."""

_RACE_SECONDS: Final = 0.3
"""Both phones may hang up at once; a customer who does so later than this was still there, and ended it."""


def outcome_of(call: CallDraft) -> Outcome:
    """The outcome of a call whose end was seen."""
    if call.answered:
        return Outcome.ANSWERED
    if call.pbx_went_down:
        return Outcome.LOST
    if call.voicemail:
        return Outcome.VOICEMAIL
    if call.direction is not Direction.INBOUND:
        called_back = call.starter.kind is Kind.TRUNK
        if call.click_to_call and not called_back and all(offer.answered_at is None for offer in call.offers):
            return Outcome.AGENT_NO_ANSWER
        if called_back and call.visits and call.customer.hangup_at is not None:
            return Outcome.ABANDONED
        return DIAL_STATUSES.get(call.dial_status or "", Outcome.NO_ANSWER)
    if call.customer.hangup_at is not None:
        return Outcome.ABANDONED
    if call.queue_exit is not None:
        return QUEUE_EXITS.get(call.queue_exit, Outcome.TIMEOUT)
    if call.dial_status is not None:
        return DIAL_STATUSES.get(call.dial_status, Outcome.NO_ANSWER)
    return Outcome.IVR_NO_INPUT if call.customer.state == "6" else Outcome.FAILED


def who_hung_up(call: CallDraft, at: float) -> Party:
    """The first side that asked to end: HangupRequest comes from a device, SoftHangupRequest from the PBX (Asterisk 22)."""
    if call.pbx_went_down:
        return Party.SYSTEM
    customer = Party.AGENT if call.direction is Direction.INTERNAL else Party.CUSTOMER
    if not call.answered:
        if call.direction is Direction.INBOUND:
            return customer if call.customer.hangup_at is not None else Party.SYSTEM
        if call.starter.kind is Kind.TRUNK:  # called back: the customer's phone first
            return customer if call.starter.up_at is not None and call.starter.hangup_at is not None else Party.SYSTEM
        refused_unrung = call.click_to_call and call.starter.ringing_at is None and call.starter.up_at is None
        gave_up_ringing = (
            call.dial_status == "CANCEL" and call.starter.up_at is not None
        )  # what else ends a ring leaves another status
        asked = call.starter.hangup_at is not None or gave_up_ringing
        return Party.AGENT if asked and not refused_unrung else Party.SYSTEM
    last = [talk for talk in call.talks if not talk.let_go and _ended(talk, at) >= at - _SAME_END_SECONDS]
    agents = [talk.channel.hangup_at for talk in last if talk.channel.hangup_at is not None]
    gave_up = call.customer.hangup_at
    if gave_up is not None and (not agents or gave_up <= min(agents) or gave_up > max(agents) + _RACE_SECONDS):
        return customer
    if agents or call.far_side_asked:
        return Party.AGENT
    # A feature code (disconnect) ends the call without any request: whoever presses it leaves the bridge first.
    if any(talk.left_first for talk in last) or (last and call.direction is Direction.INTERNAL):
        return Party.AGENT
    return Party.SYSTEM


def asked_at(call: CallDraft) -> float | None:
    """When somebody last asked to end the call: what became of it is known then, although its Hangup was not seen."""
    legs = [call.customer, call.starter, *(talk.channel for talk in call.talks if talk.left_at is not None and not talk.let_go)]
    moments = [at for leg in legs for at in (leg.hangup_at, leg.soft_hangup_at) if at is not None]
    return max(moments, default=None)


def _ended(talk: TalkDraft, at: float) -> float:
    if talk.ended_at is not None:
        return talk.ended_at
    return talk.left_at if talk.left_at is not None else at
