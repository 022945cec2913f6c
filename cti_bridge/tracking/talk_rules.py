"""Rules for what happens beside the talking and after it: holds, recordings, voicemail, surveys, and who listens in."""

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.satisfaction import HIGHEST_SCORE, LOWEST_SCORE
from cti_bridge.tracking.switch import Switch

_SCORES = {str(score): score for score in range(LOWEST_SCORE, HIGHEST_SCORE + 1)}


def hold(switch: Switch, event: AmiEvent, at: float) -> None:
    """A phone's hold, the customer's too, names its music class (PJSIP moh_suggest); that of a DTMF or AMI consultation does not
    (22.10.1).
    """
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if channel is None or call is None or not event.get("MusicClass"):
        return
    if call.talk_of(channel) is not None or (call.customer is channel and call.answered):
        switch.hold(call, channel, at)


def unhold(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event)
    call = channel.call if channel is not None else None
    if channel is None or call is None:
        return
    if call.held_by is channel:
        switch.stop_hold(call, at)
    elif not channel.left_bridge:
        channel.unheld_at = at


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


def surveyed(switch: Switch, event: AmiEvent, at: float) -> None:
    """`UserEvent(CtiSurvey,Score: 4)` of the site's dialplan, on the customer's own channel once the agent has hung up. The last
    score counts; what is none (a key of the caller's that the dialplan let through) is passed over.
    """
    channel, score = switch.known(event), _SCORES.get(event.get("Score"))
    if score is not None and channel is not None and channel.call is not None and channel.call.customer is channel:
        channel.call.survey_score = score


def spy_started(switch: Switch, event: AmiEvent, at: float) -> None:
    """Whoever listens in is no party of the call."""
    channel = switch.channel(event, at, "Spyer")
    if channel is not None:
        channel.spying = True


def spy_stopped(switch: Switch, event: AmiEvent, at: float) -> None:
    channel = switch.known(event, "Spyer")
    if channel is not None:
        channel.spying = False
