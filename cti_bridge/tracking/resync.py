"""After a gap in the stream: the PBX's listings are compared with what was known, and calls are rebuilt or closed.

AMI keeps nothing for a client that is away (Asterisk 22), so times inside the gap are estimates and marked so:
an answer that was not seen is dated to the moment the link was lost, an unseen end likewise.
"""

from collections.abc import Iterable

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import TransferType
from cti_bridge.tracking import call_rules, queue_rules
from cti_bridge.tracking.channels import RINGING, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, TransferDraft
from cti_bridge.tracking.outcomes import asked_at
from cti_bridge.tracking.switch import Switch

_SHUTDOWN_SECONDS = 30.0


class Resync:
    """Collects the items of CoreShowChannels and QueueStatus and applies each listing when it is complete."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._lost_at: float | None = None
        self._shutdown_at: float | None = None
        self._restarted = False
        self._listed: dict[str, AmiEvent] = {}
        self._lost_talks: list[tuple[CallDraft, str]] = []

    def feed(self, event: AmiEvent, at: float) -> None:
        match event.name:
            case "CoreShowChannel":
                self._listed[event.get("Uniqueid")] = event
            case "CoreShowChannelsComplete":
                self._apply_channels(at, items=event.get("ListItems"))
            case "QueueEntry":
                self._waiting(event, at)
            case "Shutdown":
                self._shutdown_at = at
            case "FullyBooted":
                self._booted(event, at)
            case _:
                pass

    def disconnected(self, at: float) -> None:
        """From here on nothing is seen; a Shutdown just before says that the PBX went down with its calls."""
        self._lost_at = at
        if self._shutdown_at is not None and at - self._shutdown_at <= _SHUTDOWN_SECONDS:
            self._restarted = True

    def lose_all(self, at: float) -> None:
        """Closes every open call: its end was not seen."""
        when = self._lost_at if self._lost_at is not None else at
        for call in list(self._switch.calls.values()):
            crashed = self._restarted or (self._lost_at is not None and asked_at(call) is None)
            self._switch.end(call, when, estimated=True, crashed=crashed)

    def _booted(self, event: AmiEvent, at: float) -> None:
        """A hint only (a caller can forge so short an event): used where the channels of before are gone as well."""
        uptime = event.get("Uptime")
        if self._lost_at is not None and uptime.isdigit() and float(uptime) < at - self._lost_at:
            self._restarted = True

    def _apply_channels(self, at: float, *, items: str) -> None:
        """`items` is the PBX's own count: only a whole listing says that a channel is gone."""
        listed, self._listed = self._listed, {}
        whole = items == str(len(listed))
        lost_at = self._lost_at if self._lost_at is not None else at
        switch = self._switch
        for channel in switch.channels:
            if whole and channel.uid not in listed:
                self._vanished(channel, lost_at)
        for event in sorted(listed.values(), key=lambda item: item.get("Uniqueid") != item.get("Linkedid")):
            self._show(event, at)  # whoever began a call before those that were dialled for it
        for event in listed.values():
            self._dialling(event, listed.values(), at)
        for event in listed.values():
            self._reconnect(event, at, lost_at)
        for call, agent in self._lost_talks:
            self._transferred(call, agent, listed.get(call.customer.uid), lost_at)
        self._lost_talks = []
        self._lost_at, self._restarted = None, False

    def _vanished(self, channel: Channel, lost_at: float) -> None:
        call = channel.call
        if call is not None and call.ended_at is None and (channel is call.customer or channel is call.starter):
            self._switch.end(call, lost_at, estimated=True, crashed=self._restarted)
        elif call is not None and (talk := call.talk_of(channel)) is not None:
            self._lost_talks.append((call, talk.party))
        call_rules.gone(self._switch, channel, lost_at, estimated=True)

    def _show(self, event: AmiEvent, at: float) -> None:
        """A channel that lives: new to us, or known and perhaps in another state by now."""
        switch = self._switch
        known = switch.known(event)
        if known is not None:
            known.state = event.get("ChannelState")
            return
        started = at - seconds_of(event.get("Duration"))
        channel = switch.channel(event, started)
        if channel is None:
            return
        channel.seen_at = at
        channel.dialled = channel.call is not None and channel.call.starter is not channel
        if channel.call is not None and channel.call.starter is channel:
            channel.call.estimated = True
        elif channel.kind is Kind.AGENT and channel.call is not None and event.get("Application") in {"AppQueue", "AppDial"}:
            # A phone that the queue or Dial() is calling, or called: its ring began with the channel.
            self._offered(channel.call, channel)

    def _offered(self, call: CallDraft, phone: Channel) -> None:
        if phone.state not in {RINGING, UP}:
            return
        phone.ringing_at = phone.created_at
        offer = self._switch.offer(call, phone, phone.created_at)
        if phone.state == UP:
            self._switch.pick_up(call, offer, phone.created_at)

    def _dialling(self, event: AmiEvent, listed: Iterable[AmiEvent], at: float) -> None:
        """A phone that dials somebody: an outbound or internal call, or a consultation, that began unseen."""
        switch = self._switch
        caller = switch.known(event)
        if caller is None or caller.owner is not None or caller.kind is not Kind.AGENT or event.get("Application") != "Dial":
            return
        linked = (e for e in listed if e.get("Application") == "AppDial" and e.get("Linkedid") == caller.linkedid)
        legs = [leg for leg in map(switch.known, linked) if leg is not None and leg.call is None]
        call = switch.begin_from(caller, legs[0], caller.created_at) if legs else None
        if call is None:
            return
        call.estimated = True
        _, _, dial_string = event.get("ApplicationData").split(",", 1)[0].partition("/")
        for leg in legs:
            leg.call, leg.dialled, caller.target = call, True, leg
            if leg.kind is Kind.TRUNK:
                call_rules.dialled_trunk(switch, call, caller, leg, call_rules.number_dialled(dial_string), at)
            elif leg.kind is Kind.AGENT:
                self._offered(call, leg)

    def _transferred(self, call: CallDraft, agent: str, customer: AmiEvent | None, at: float) -> None:
        """The agent who had the customer is gone and another has them: a transfer that was not seen. A blind one (a Redirect too)
        took the customer's channel to the new agent's extension, an attended one left it where it was.
        """
        talking = call.agents_talking()
        if call.ended_at is not None or customer is None or not talking or talking[0] == agent:
            return
        kind = TransferType.BLIND if customer.get("Exten") == talking[0] else TransferType.ATTENDED
        to = talking[0].removeprefix("external:")
        self._switch.transfer(call, TransferDraft(type=kind, from_agent=agent, to=to, at=at, open=False), at)

    def _reconnect(self, event: AmiEvent, at: float, lost_at: float) -> None:
        switch = self._switch
        channel = switch.known(event)
        if channel is None:
            return
        bridge = event.get("BridgeId")
        if not bridge:
            switch.channels.leave(channel)
        if channel.state == UP and channel.offer is not None and channel.call is not None and channel.offer.ended_at is None:
            switch.pick_up(channel.call, channel.offer, lost_at)
        if not bridge:
            if channel.call is not None:
                switch.refresh(channel.call, lost_at)
            return
        switch.channels.enter(channel, bridge, at, parking=event.get("Application") == "Park", conference=False)
        call = channel.call
        if call is None or call.ended_at is not None:
            return
        if channel is call.customer and call.estimated and event.get("Application") == "Queue" and not call.visits:
            queue_rules.join(switch, call, event.get("ApplicationData").split(",", 1)[0], call.started_at)
        before = len(call.talks)
        when = max(lost_at, call.started_at)
        if call.queue is not None and any(o.answered_at is not None for o in call.offers):
            queue_rules.leave(switch, call, when)
        switch.refresh(call, when)
        if len(call.talks) > before:
            call.estimated = True

    def _waiting(self, event: AmiEvent, at: float) -> None:
        """A caller who waits now; `Wait` is whole seconds (QueueStatus, Asterisk 22)."""
        channel = self._switch.known(event)
        if channel is None or channel.call is None or channel.call.queue == event.get("Queue"):
            return
        call = channel.call
        call.estimated = True
        queue_rules.join(self._switch, call, event.get("Queue"), max(call.started_at, at - seconds_of(event.get("Wait"))))


def seconds_of(text: str) -> float:
    """`01:02:03` or `63` as seconds; 0 where it is neither."""
    parts = text.split(":")
    if not all(part.isdigit() and len(part) < 8 for part in parts):
        return 0.0
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)
