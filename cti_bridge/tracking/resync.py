"""After a gap in the stream: the PBX's listings are compared with what was known, and calls are rebuilt or closed.

AMI keeps nothing for a client that is away (Asterisk 22), so times inside the gap are estimates and marked so:
an answer that was not seen is dated to the moment the link was lost, an unseen end likewise.

A listing is a picture of a moment; events that wait in the PBX while it is made come after it. So what a listing shows alive is
taken at once, but what it lacks is only noted, and closed at the end of all listings (`settle`) unless its own event came first.
A listing in between (the sweep, each minute) closes what two of them lack: a Hangup that was lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId, TransferType
from cti_bridge.tracking import bridge_rules, call_rules, queue_rules
from cti_bridge.tracking.channels import RINGING, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, OfferDraft, TalkDraft, TransferDraft, VisitDraft
from cti_bridge.tracking.outcomes import asked_at
from cti_bridge.tracking.switch import Switch

_SHUTDOWN_SECONDS = 30.0
_WHOLE_SECONDS = 1.0
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

    `queues` are those that the PBX listed last.
    """

    def __init__(self, switch: Switch) -> None:
        self.queues: frozenset[str] = frozenset()
        self._switch = switch
        self._away = True
        """Nothing was listed since the link was lost, or ever."""
        self._lost_at: float | None = None
        self._shutdown_at: float | None = None
        self._started = ""
        self._restarted = False
        self._before: dict[CallId, CallDraft] = {}
        self._appeared: list[CallDraft] = []
        self._is_told = True
        self._listed: dict[str, AmiEvent] = {}
        self._shown: dict[str, AmiEvent] = {}
        self._bridges: dict[str, AmiEvent] = {}
        self._callers: dict[str, tuple[str, set[str]]] = {}
        """Of each queue listed: how many wait, as the PBX counts them, and who."""
        self._missing: list[Channel] = []
        self._left: list[tuple[CallDraft, VisitDraft]] = []
        self._talked: list[tuple[CallDraft, list[TalkDraft]]] = []
        self._answered: list[tuple[CallDraft, OfferDraft]] = []
        self._swept: dict[str, tuple[Channel, float]] = {}
        self._unknown: frozenset[str] = frozenset()

    def feed(self, event: AmiEvent, at: float) -> None:
        match event.name:
            case "BridgeListItem":
                self._bridge(event, at)
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
        if started and self._started:
            self._restarted = started != self._started
        self._started = started or self._started

    def disconnected(self, at: float) -> None:
        """From here on nothing is seen; a Shutdown just before says that the PBX went down with its calls."""
        self.settle(at)
        if self._is_told:
            self._before, self._appeared, self._is_told = dict(self._switch.calls), [], False
        if not self._away or self._lost_at is None:
            self._lost_at = at
        self._away = True
        self._listed, self._bridges, self._swept, self._unknown = {}, {}, {}, frozenset()
        if self._shutdown_at is not None and at - self._shutdown_at <= _SHUTDOWN_SECONDS:
            self._restarted = True

    def resynced(self, at: float) -> Rebuilt:
        """All listings are in, or refused: what became of the calls since the last time that this was asked."""
        if self._away and self._restarted:
            self._missing = list(self._switch.channels)  # the channels are not to be had, but none of before is left
        self.settle(at)
        ended = [call for call in self._before.values() if call.ended_at is not None and call.ended_unseen]
        concerned = [*self._before.values(), *self._appeared]
        told = Rebuilt(
            restarted=self._restarted,
            rebuilt=tuple(call.call_id for call in self._before.values() if call.ended_at is None),
            ended_unseen=tuple(call.call_id for call in ended),
            appeared=tuple(call.call_id for call in self._appeared),
            queues=tuple(sorted(self.queues.union(*({visit.queue for visit in call.visits} for call in concerned)))),
        )
        self._before, self._appeared, self._is_told, self._restarted = {}, [], True, False
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
        talked, self._talked = self._talked, []
        lost_at = self._lost_at if self._lost_at is not None else at
        for channel in missing:
            if self._switch.channels.get(channel.uid) is channel:
                self._vanished(channel, lost_at, crashed=self._restarted)
        for call, visit in left:
            if call.ended_at is None and call.visits[-1] is visit and visit.left_at is None:
                call.estimated = True
                call.queue_exit = call.queue_exit or "TIMEOUT"
                queue_rules.leave(self._switch, call, lost_at)
        for call, before in talked:
            self._transferred(call, before, lost_at, at)
        if not self._away:
            self._shown, self._lost_at = {}, None

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
            self._sweep(listed if whole else {}, at, whole=whole)
            return
        self._away = False
        lost_at = self._lost_at if self._lost_at is not None else at
        self._shown = listed
        if whole:
            self._missing = [channel for channel in self._switch.channels if channel.uid not in listed]
        for call in self._switch.calls.values():
            if talks := [talk for talk in call.open_talks() if talk.left_at is None and talk.channel.kind is Kind.AGENT]:
                self._talked.append((call, talks))
        self._take(listed.values(), at, lost_at)
        for call, before in self._talked:
            self._moved(call, before)

    def _sweep(self, listed: dict[str, AmiEvent], at: float, *, whole: bool) -> None:
        """Between two gaps: what two listings lack is over since the first, what two listings have alone is taken in."""
        if not whole:
            return
        switch = self._switch
        missing = {channel.uid: channel for channel in switch.channels if channel.uid not in listed}
        for uid, (channel, first_missed_at) in self._swept.items():
            if missing.get(uid) is channel:
                self._vanished(channel, first_missed_at, crashed=False)
        self._swept = {uid: (channel, at) for uid, channel in missing.items() if uid not in self._swept}
        unknown = frozenset(uid for uid in listed if switch.channels.get(uid) is None and not switch.channels.has_ended(uid))
        self._take([listed[uid] for uid in sorted(unknown & self._unknown)], at, at)
        self._unknown = unknown

    def _vanished(self, channel: Channel, lost_at: float, *, crashed: bool) -> None:
        call = channel.call
        if call is not None and call.ended_at is None:
            call.ended_unseen = True
            if crashed:
                self._switch.end(call, lost_at, estimated=True, crashed=True)
        call_rules.gone(self._switch, channel, lost_at, estimated=True)

    def _take(self, shown: Iterable[AmiEvent], at: float, lost_at: float) -> None:
        """Channels that live: their states, who dials whom, who is bridged with whom."""
        known = set(self._switch.calls)
        shown = sorted(shown, key=_in_order_of_dialling)
        for event in shown:
            self._show(event, at, lost_at)
        for event in shown:
            self._place(event, lost_at)
        for event in shown:
            self._reconnect(event, lost_at)
        for event in shown:  # a phone that dials while it has a customer asks for advice: first it must be known who talks
            for leg in self._dialling(event, shown, at):
                self._reconnect(leg, lost_at)
        answered, self._answered = self._answered, []
        for call, offer in answered:
            self._switch.offered_unseen(call, offer, at)
        self._appeared += [call for call_id, call in self._switch.calls.items() if call_id not in known]

    def _show(self, event: AmiEvent, at: float, lost_at: float) -> None:
        """A channel that lives: new to us, or known and perhaps in another state by now."""
        switch = self._switch
        known = switch.known(event)
        if known is not None:
            known.name = event.get("Channel")
            call_rules.in_state(switch, known, event.get("ChannelState"), max(lost_at, known.created_at))
            return
        started = at - _seconds(event.get("Duration"))
        channel = switch.channel(event, started)
        if channel is None:
            return
        channel.dialled = channel.call is not None and channel.call.starter is not channel
        if channel.call is not None and channel.call.starter is channel:
            channel.call.estimated = True
        elif channel.kind is Kind.AGENT and channel.call is not None and event.get("Application") in {"AppQueue", "AppDial"}:
            # A phone that the queue or Dial() is calling, or called: its ring began with the channel.
            self._offered(channel.call, channel)

    def _offered(self, call: CallDraft, phone: Channel) -> None:
        if phone.state == RINGING:
            phone.ringing_at = phone.created_at
            self._switch.offer(call, phone, phone.created_at)
        elif phone.state == UP:
            offer = self._switch.offer(call, phone, phone.created_at)
            self._switch.picked_up_unseen(call, offer, phone.created_at)
            self._answered.append((call, offer))

    def _dialling(self, event: AmiEvent, shown: Iterable[AmiEvent], at: float) -> list[AmiEvent]:
        """A phone that dials somebody: an outbound or internal call, or a consultation, that began unseen. Gives its legs."""
        switch = self._switch
        caller = switch.known(event)
        if caller is None or caller.owner is not None or caller.kind is not Kind.AGENT or event.get("Application") != "Dial":
            return []
        linked = [e for e in shown if e.get("Application") == "AppDial" and e.get("Linkedid") == caller.linkedid]
        legs = [leg for leg in map(switch.known, linked) if leg is not None and leg.call is None]
        call = switch.begin_from(caller, legs[0], caller.created_at) if legs else None
        if call is None:
            return []
        call.estimated = True
        _, _, dial_string = event.get("ApplicationData").split(",", 1)[0].partition("/")
        for leg in legs:
            leg.call, leg.dialled, caller.target = call, True, leg
            if leg.kind is Kind.TRUNK:
                call_rules.dialled_trunk(switch, call, caller, leg, call_rules.number_dialled(dial_string), at)
            elif leg.kind is Kind.AGENT:
                self._offered(call, leg)
        return [event, *linked]

    # --- bridges

    def _bridge(self, event: AmiEvent, at: float) -> None:
        """What kind of bridge it is; its members may have been listed before (then it is known already) or come after."""
        self._bridges[event.get("BridgeUniqueid")] = event
        bridge = self._switch.channels.bridge(event.get("BridgeUniqueid"))
        if bridge is None:
            return
        bridge.parking, bridge.conference = bridge.parking or _is_parking(event), bridge.conference or _is_conference(event)
        if bridge.parking or bridge.conference:
            for channel in tuple(bridge.members):
                if channel.call is not None:
                    self._switch.refresh(channel.call, at)

    def _place(self, event: AmiEvent, lost_at: float) -> None:
        """Puts the channel into the bridge that it is in, before anybody asks who is connected to whom."""
        channel = self._switch.known(event)
        bridge_uid = event.get("BridgeId")
        if channel is None:
            return
        if not bridge_uid:
            self._switch.channels.leave(channel)
            return
        listed = self._bridges.get(bridge_uid)
        parking = event.get("Application") == "Park" or (listed is not None and _is_parking(listed))
        conference = listed is not None and _is_conference(listed)
        self._switch.channels.enter(channel, bridge_uid, lost_at, parking=parking, conference=conference)

    def _reconnect(self, event: AmiEvent, lost_at: float) -> None:
        switch = self._switch
        channel = switch.known(event)
        call = channel.call if channel is not None else None
        if channel is None or call is None or call.ended_at is not None:
            return
        when = max(lost_at, call.started_at)
        if channel is call.customer and event.get("Application") == "VoiceMail":
            call.voicemail = True
        if channel.bridge is None:
            switch.refresh(call, when)
            return
        if channel is call.customer and not channel.bridge.parking:
            if call.estimated and event.get("Application") == "Queue" and not call.visits:
                queue_rules.join(switch, call, event.get("ApplicationData").split(",", 1)[0], call.started_at)
            if any(offer.answered_at is not None for offer in call.offers):
                queue_rules.leave(switch, call, when)
        talks = len(call.talks)
        bridge_rules.entered(switch, channel, channel.bridge, when)
        if len(call.talks) > talks:
            call.estimated = True
            call.picked_up = call.picked_up or (channel.offer is None and bool(call.open_offers()))

    def _moved(self, call: CallDraft, before: list[TalkDraft]) -> None:
        """Whoever had the customer has them no more, nor has anybody else: taken somewhere, it is not known yet where to."""
        customer = self._shown.get(call.customer.uid)
        if customer is None or call.customer.bridge is not None or any(talk.consulting for talk in before):
            return
        if customer.get("Exten") != call.customer.exten:
            call.moved_from = [talk.party for talk in before]
            call.estimated = True

    def _transferred(self, call: CallDraft, before: list[TalkDraft], lost_at: float, at: float) -> None:
        """Others have the customer now, or their phones ring: a transfer that was not seen. A blind one (a Redirect too) took the
        customer's channel to the new agent's extension, an attended one left it where it was.
        """
        customer = self._shown.get(call.customer.uid)
        with_customer = [talk for talk in call.open_talks() if talk.left_at is None]
        stays = any(talk in with_customer or (talk.consulting and talk.ended_at is None) for talk in before)
        if call.ended_at is not None or customer is None or stays or call.conference:
            return
        if call.transfers and call.transfers[-1].at >= lost_at:
            return  # seen since, or told by the queue where the customer waits
        called = [offer.agent for offer in call.open_offers() if offer.rang_at is not None and call.queue is None]
        to = [talk.party.removeprefix("external:") for talk in with_customer] or list(called)
        if not to:
            return
        for talk in before:
            self._switch.end_talk(call, talk, lost_at, let_go=True)
        otherwise = TransferType.ATTENDED if with_customer else TransferType.BLONDE
        kind = TransferType.BLIND if customer.get("Exten") == to[0] else otherwise
        transfer = TransferDraft(type=kind, from_agent=before[0].party, to=to[0], at=at, open=False)
        self._switch.transfer(call, transfer, at)
        call.estimated = True

    # --- queues

    def _waiting(self, event: AmiEvent, at: float) -> None:
        """A caller who waits now; `Wait` is whole seconds (QueueStatus, Asterisk 22)."""
        channel = self._switch.known(event)
        call = channel.call if channel is not None else None
        if channel is None or call is None or call.ended_at is not None:
            return
        queue = event.get("Queue")
        self._callers.setdefault(queue, ("", set()))[1].add(channel.uid)
        joined_at = max(call.started_at, at - _seconds(event.get("Wait")))
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


def _in_order_of_dialling(item: AmiEvent) -> tuple[bool, int, int]:
    """Whoever began a call before those that were dialled for it; CoreShowChannels lists in no order. Uniqueid: seconds, number."""
    began, _, number = item.get("Uniqueid").rpartition(".")
    return (
        item.get("Uniqueid") != item.get("Linkedid"),
        int(began) if began.isdecimal() else 0,
        int(number) if number.isdecimal() else 0,
    )


def _is_parking(bridge: AmiEvent) -> bool:
    return bridge.get("BridgeType") == "parking" or bridge.get("BridgeCreator") == "Parking"


def _is_conference(bridge: AmiEvent) -> bool:
    return bridge.get("BridgeCreator") == "ConfBridge"


def _seconds(text: str) -> float:
    """`01:02:03` or `63` as seconds; 0 where it is neither."""
    parts = text.split(":")
    if not all(part.isdigit() and len(part) < 8 for part in parts):
        return 0.0
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)
