"""The call tracker: AMI events in, call events out; stop 3 of the walk from the PBX to the browser.

A pure function of the stream: no clock, no I/O, no randomness. The same events with the same times give the same calls, always;
that makes replay, crash recovery, routing trials and trace tests one mechanism.
"""

import re
from collections.abc import Callable
from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Call, CallId
from cti_bridge.domain.call_events import TrackerEvent
from cti_bridge.tracking import agents, bridge_rules, call_rules, queue_rules, resync, talk_rules, transfer_rules
from cti_bridge.tracking.switch import Switch

Rule = Callable[[Switch, AmiEvent, float], None]

RULES: Final[dict[str, Rule]] = {
    # channels
    "Newchannel": call_rules.newchannel,
    "Newstate": call_rules.newstate,
    "HangupRequest": call_rules.hangup_request,
    "SoftHangupRequest": call_rules.soft_hangup_request,
    "Hangup": call_rules.hangup,
    "LocalBridge": call_rules.local_bridge,
    # dialling
    "DialBegin": call_rules.dial_begin,
    "DialState": call_rules.dial_state,
    "DialEnd": call_rules.dial_end,
    # bridges
    "BridgeEnter": bridge_rules.bridge_enter,
    "BridgeLeave": bridge_rules.bridge_leave,
    "ConfbridgeJoin": bridge_rules.conference_join,
    # what happens during a talk
    "Hold": talk_rules.hold,
    "Unhold": talk_rules.unhold,
    "MixMonitorStart": talk_rules.recording_started,
    "ChanSpyStart": talk_rules.spy_started,
    "ChanSpyStop": talk_rules.spy_stopped,
    "Newexten": queue_rules.application,
    "MessageWaiting": talk_rules.voicemail,
    "UserEvent": talk_rules.surveyed,
    # queues
    "QueueCallerJoin": queue_rules.joined,
    "QueueCallerLeave": queue_rules.left,
    "QueueCallerAbandon": queue_rules.left,
    "VarSet": queue_rules.status,
    "AgentCalled": queue_rules.member_called,
    "AgentConnect": queue_rules.member_connected,
    "AgentRingNoAnswer": queue_rules.member_did_not_answer,
    # transfers
    "BlindTransfer": transfer_rules.blind_transfer,
    "AttendedTransfer": transfer_rules.attended_transfer,
    "Pickup": transfer_rules.pickup,
    "ParkedCall": transfer_rules.parked,
    "UnParkedCall": transfer_rules.retrieved,
    # queue members
    "QueueMemberStatus": agents.changed,
    "QueueMemberPause": agents.changed,
    "QueueMemberPenalty": agents.changed,
    "QueueMemberAdded": agents.changed,
    "QueueMemberRemoved": agents.removed,
    "QueueMember": agents.listed,
}
"""What is done with each event; what is not here is not needed to follow a call."""


class CallTracker:
    """Follows the calls of one PBX.

    `region` reads national numbers (None: they stay as presented); `internal` matches the endpoint names of agents' phones.
    Times are Unix seconds of the event's receipt; they must not go backwards within one tracker.
    """

    def __init__(self, pbx: str, *, region: str | None, internal: re.Pattern[str]) -> None:
        self._switch = Switch(pbx, region, internal)
        self._resync = resync.Resync(self._switch)

    def fresh(self) -> "CallTracker":
        """Another one with the same settings that has seen nothing."""
        return CallTracker(self._switch.pbx, region=self._switch.region, internal=self._switch.channels.internal)

    def feed(self, event: AmiEvent, at: float) -> list[TrackerEvent]:
        """What this event means, in order; empty for most."""
        switch = self._switch
        if switch.leaving and at - switch.leaving[0][0] > call_rules.HANGUP_SECONDS:
            call_rules.overdue(switch, at)
        rule = RULES.get(event.name)
        if rule is None:
            self._resync.feed(event, at)
        else:
            rule(switch, event, at)
        return self._taken() if switch.out else []

    def disconnected(self, at: float) -> list[TrackerEvent]:
        """The link to the PBX is gone: what happens from here on is not seen."""
        self._resync.disconnected(at)
        return self._taken()

    def identified(self, started: str) -> None:
        """When this PBX process began, in its own words: another answer than before says that the calls of before are over."""
        self._resync.identified(started)

    @property
    def pbx_started(self) -> str:
        """When the PBX's process began, as `identified` was told last; empty before."""
        return self._resync.started

    def resynced(self, at: float) -> tuple[list[TrackerEvent], resync.Rebuilt]:
        """All listings after a (re)connect are in: what is not in them is over."""
        rebuilt = self._resync.resynced(at)
        return self._taken(), rebuilt

    @property
    def queues(self) -> frozenset[str]:
        """The queues that the PBX listed last."""
        return self._resync.queues

    def finish(self, at: float) -> list[TrackerEvent]:
        """The stream is at its end (replay of a file): calls that are still open are closed as not seen to end."""
        self._resync.lose_all(at)
        return self._taken()

    def live(self, now: float) -> list[Call]:
        """The calls that are not over, as they stand at `now`."""
        return [call.picture(now) for call in self._switch.calls.values()]

    def live_ids(self) -> tuple[CallId, ...]:
        """The calls that are not over."""
        return tuple(self._switch.calls)

    def needed_from(self) -> float | None:
        """The moment from which the stream must be told again to come to the present state; None where nothing goes on."""
        channels = list(self._switch.channels)
        calls = {call.call_id: call for channel in channels for call in (channel.call, channel.consults) if call is not None}
        for call in (calls | self._switch.calls).values():
            # A leg may outlive its call (a consultation goes on when the customer is gone): told alone it would be a call.
            channels += (call.starter, call.customer)
            channels += [talk.channel for talk in call.talks]
            channels += [offer.channel for offer in call.offers]
        return min((channel.seen_at for channel in channels), default=None)

    def knows(self, uid: str) -> bool:
        """Whether this channel is alive, or known to be over."""
        return self._switch.channels.get(uid) is not None or self._switch.channels.has_ended(uid)

    def leave_out(self, uid: str) -> None:
        """Takes this channel for one that is over, whatever is told of it, until `take_in`."""
        channels = self._switch.channels
        channel = channels.get(uid)
        if channel is not None:
            channels.remove(channel)
        channels.remember_ended(uid)

    def forget(self, call_id: CallId) -> tuple[str, ...]:
        """Takes a call for one that never was, and leaves its channels out; gives their Uniqueids. Nothing is said of it."""
        call = self._switch.calls.get(call_id)
        if call is None:
            return ()
        self._switch.end(call, call.started_at)
        self._switch.out.clear()
        uids = tuple(channel.uid for channel in self._switch.channels if channel.call is call)
        for uid in uids:
            self.leave_out(uid)
        return uids

    def take_in(self, uid: str) -> None:
        """Hears of this channel again."""
        self._switch.channels.forget_ended(uid)

    def _taken(self) -> list[TrackerEvent]:
        out, self._switch.out = self._switch.out, []
        return out
