"""After a gap in the stream: the PBX's listings are compared with what was known, and calls are rebuilt or closed.

AMI keeps nothing for a client that is away (Asterisk 22), so times inside the gap are estimates and marked so:
an answer that was not seen is dated to the moment the link was lost, an unseen end likewise.

A listing is a picture of a moment; events that wait in the PBX while it is made come after it. So what a listing shows alive is
taken at once, but what it lacks is only noted, and closed at the end of all listings (`settle`) unless its own event came first.
A listing in between (the sweep, each minute) closes what two of them lack: a Hangup that was lost.
"""

from dataclasses import dataclass
from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId
from cti_bridge.tracking import call_rules, queue_rules
from cti_bridge.tracking.channels import Channel
from cti_bridge.tracking.draft import CallDraft, VisitDraft
from cti_bridge.tracking.outcomes import asked_at
from cti_bridge.tracking.rebuild import Rebuild, seconds_of
from cti_bridge.tracking.switch import Switch

_SHUTDOWN_SECONDS: Final = 30.0
_WHOLE_SECONDS: Final = 1.0
"""Listings tell durations in whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a resync found: calls of before that go on, those that ended unseen, those that began unseen; the PBX's queues."""

    restarted: bool
    rebuilt: tuple[CallId, ...]
    ended_unseen: tuple[CallId, ...]
    appeared: tuple[CallId, ...]
    queues: tuple[str, ...]


class Resync:
    """Collects the items of the listings and applies each listing when it is complete.

    `queues` are those that the PBX listed last; `started` is when its process began, in its own words.
    """

    def __init__(self, switch: Switch) -> None:
        self.queues: frozenset[str] = frozenset()
        self._switch = switch
        self._rebuild = Rebuild(switch)
        self._away = True
        """Nothing was listed since the link was lost, or ever."""
        self._lost_at: float | None = None
        self._shutdown_at: float | None = None
        self.started = ""
        self._restarted = False
        self._before: dict[CallId, CallDraft] = {}
        self._is_told = True
        self._listed: dict[str, AmiEvent] = {}
        self._callers: dict[str, tuple[str, set[str]]] = {}
        """Of each queue listed: how many wait, as the PBX counts them, and who."""
        self._missing: list[Channel] = []
        self._left: list[tuple[CallDraft, VisitDraft]] = []
        self._swept: dict[str, tuple[Channel, float]] = {}
        self._unknown: frozenset[str] = frozenset()

    def feed(self, event: AmiEvent, at: float) -> None:
        match event.name:
            case "BridgeListItem":
                self._rebuild.bridge(event, at)
            case "CoreShowChannel":
                self._listed[event.get("Uniqueid")] = event
            case "CoreShowChannelsComplete":
                self._channels_listed(at, items=event.get("ListItems"))
            case "QueueParams":
                self._callers[event.get("Queue")] = (event.get("Calls"), set())
            case "QueueEntry":
                self._waiting(event, at)
            case "QueueStatusComplete":
                self._queues_listed()
            case "ParkedCallsComplete":
                self.settle(at)  # the last listing
            case "Shutdown":
                self._shutdown_at = at
            case "FullyBooted":
                self._booted(event, at)
            case _:
                pass

    def identified(self, started: str) -> None:
        """When this PBX process began, in its own words: another answer than before is another process."""
        if started and self.started:
            self._restarted = started != self.started
        self.started = started or self.started

    def disconnected(self, at: float) -> None:
        """From here on nothing is seen; a Shutdown just before says that the PBX went down with its calls."""
        self.settle(at)
        if self._is_told:
            self._before, self._rebuild.appeared, self._is_told = dict(self._switch.calls), [], False
        if not self._away or self._lost_at is None:
            self._lost_at = at
        self._away = True
        self._rebuild.forget()
        self._listed, self._swept, self._unknown = {}, {}, frozenset()
        if self._shutdown_at is not None and at - self._shutdown_at <= _SHUTDOWN_SECONDS:
            self._restarted = True

    def resynced(self, at: float) -> Rebuilt:
        """All listings are in, or refused: what became of the calls since the last time that this was asked."""
        if self._away and self._restarted:
            self._missing = list(self._switch.channels)  # the channels are not to be had, but none of before is left
        self.settle(at)
        ended = [call for call in self._before.values() if call.ended_at is not None and call.ended_unseen]
        concerned = [*self._before.values(), *self._rebuild.appeared]
        told = Rebuilt(
            restarted=self._restarted,
            rebuilt=tuple(call.call_id for call in self._before.values() if call.ended_at is None),
            ended_unseen=tuple(call.call_id for call in ended),
            appeared=tuple(call.call_id for call in self._rebuild.appeared),
            queues=tuple(sorted(self.queues.union(*({visit.queue for visit in call.visits} for call in concerned)))),
        )
        self._before, self._rebuild.appeared, self._is_told, self._restarted = {}, [], True, False
        return told

    def lose_all(self, at: float) -> None:
        """Closes every open call: its end was not seen."""
        when = self._lost_at if self._lost_at is not None else at
        for call in list(self._switch.calls.values()):
            crashed = self._restarted or (self._lost_at is not None and asked_at(call) is None)
            self._switch.end(call, when, estimated=True, crashed=crashed)

    def settle(self, at: float) -> None:
        """What the listings lacked, and no event has told of since, is over; whom an agent let go of is with another."""
        missing, self._missing = self._missing, []
        left, self._left = self._left, []
        lost_at = self._lost_at if self._lost_at is not None else at
        for channel in missing:
            if self._switch.channels.get(channel.uid) is channel:
                self._vanished(channel, lost_at, crashed=self._restarted)
        for call, visit in left:
            if call.ended_at is None and call.visits[-1] is visit and visit.left_at is None:
                call.estimated = True
                call.queue_exit = call.queue_exit or "TIMEOUT"
                queue_rules.leave(self._switch, call, lost_at)
        if not self._away:
            self._rebuild.conclude(at, lost_at)
            self._lost_at = None

    def _booted(self, event: AmiEvent, at: float) -> None:
        """A hint only (a caller can forge so short an event): used where the channels of before are gone as well."""
        uptime = event.get("Uptime")
        if self._away and self._lost_at is not None and uptime.isdigit() and float(uptime) < at - self._lost_at:
            self._restarted = True

    # --- channels

    def _channels_listed(self, at: float, *, items: str) -> None:
        """`items` is the PBX's own count: only a whole listing says that a channel is gone."""
        listed, self._listed = self._listed, {}
        whole = items == str(len(listed))
        if not self._away:
            if whole:
                self._sweep(listed, at)
            return
        self._away = False
        lost_at = self._lost_at if self._lost_at is not None else at
        if whole:
            self._missing = [channel for channel in self._switch.channels if channel.uid not in listed]
        self._rebuild.after_gap(listed, at, lost_at)

    def _sweep(self, listed: dict[str, AmiEvent], at: float) -> None:
        """Between two gaps: what two listings lack is over since the first, what only two listings know is taken in."""
        switch = self._switch
        missing = {channel.uid: channel for channel in switch.channels if channel.uid not in listed}
        for uid, (channel, first_missed_at) in self._swept.items():
            if missing.get(uid) is channel:
                self._vanished(channel, first_missed_at, crashed=False)
        self._swept = {uid: (channel, at) for uid, channel in missing.items() if uid not in self._swept}
        unknown = frozenset(uid for uid in listed if switch.channels.get(uid) is None and not switch.channels.has_ended(uid))
        self._rebuild.take([listed[uid] for uid in sorted(unknown & self._unknown)], at, at, not_before=0.0)
        self._unknown = unknown

    def _vanished(self, channel: Channel, lost_at: float, *, crashed: bool) -> None:
        call = channel.call
        if call is not None and call.ended_at is None:
            call.ended_unseen = True
            if crashed:
                self._switch.end(call, lost_at, estimated=True, crashed=True)
        call_rules.gone(self._switch, channel, lost_at, estimated=True)

    # --- queues

    def _waiting(self, event: AmiEvent, at: float) -> None:
        """A caller who waits now; `Wait` is whole seconds (QueueStatus, Asterisk 22)."""
        channel = self._switch.known(event)
        call = channel.call if channel is not None else None
        if channel is None or call is None or call.ended_at is not None:
            return
        queue = event.get("Queue")
        self._callers.setdefault(queue, ("", set()))[1].add(channel.uid)
        joined_at = max(call.started_at, at - seconds_of(event.get("Wait")))
        if call.queue == queue:
            lost_at = self._lost_at
            if lost_at is None or call.visits[-1].joined_at > lost_at or joined_at <= lost_at + _WHOLE_SECONDS:
                return
            queue_rules.leave(self._switch, call, lost_at)  # and came back into the same one
        call.estimated = True
        queue_rules.join(self._switch, call, queue, joined_at)

    def _queues_listed(self) -> None:
        """Callers of ours whom their queue does not list have left it, or are just leaving: their event may be on its way."""
        callers, self._callers = self._callers, {}
        self.queues = frozenset(callers) or self.queues
        if self._lost_at is None:
            return
        for call in self._switch.calls.values():
            count, listed = callers.get(call.queue or "", ("", set()))
            if count == str(len(listed)) and call.customer.uid not in listed:
                self._left.append((call, call.visits[-1]))
