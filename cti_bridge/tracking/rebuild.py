"""What a listing shows alive becomes calls again: states, who dials whom, who is bridged with whom, and who let go of whom.

Part of the resync: it says when and with which listings. What was not seen is dated to the moment the link was lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import OfferResult, TransferType
from cti_bridge.tracking import bridge_rules, call_rules, queue_rules
from cti_bridge.tracking.channels import RINGING, UP, Channel, Kind
from cti_bridge.tracking.draft import CallDraft, OfferDraft, TalkDraft, TransferDraft
from cti_bridge.tracking.switch import Switch


class Rebuild:
    """Takes the items of CoreShowChannels and BridgeList. `appeared`: calls that began unseen."""

    def __init__(self, switch: Switch) -> None:
        self.appeared: list[CallDraft] = []
        self._switch = switch
        self._shown: dict[str, AmiEvent] = {}
        self._bridges: dict[str, AmiEvent] = {}
        self._talked: list[tuple[CallDraft, list[TalkDraft]]] = []
        self._answered: list[tuple[CallDraft, OfferDraft]] = []

    def forget(self) -> None:
        """The link is gone: what was listed before says nothing any more."""
        self._shown, self._bridges, self._talked = {}, {}, []

    def after_gap(self, listed: dict[str, AmiEvent], at: float, lost_at: float) -> None:
        """Takes a listing after a gap, and remembers who had whom before, for `conclude`."""
        self._shown = listed
        unanswered = [call for call in self._switch.calls.values() if not call.answered]
        for call in self._switch.calls.values():
            if talks := [talk for talk in call.open_talks() if talk.left_at is None and talk.channel.kind is Kind.AGENT]:
                self._talked.append((call, talks))
        self.take(listed.values(), at, lost_at, not_before=lost_at)
        for call in unanswered:
            if _was_put_through(call, listed):
                self._talked.append((call, [self._switch.talked_unseen(call, call.starter, lost_at)]))
        for call, before in self._talked:
            self._moved(call, before)

    def conclude(self, at: float, lost_at: float) -> None:
        """What is gone is closed by now: whom an agent let go of unseen, went to whoever has them."""
        talked, self._talked = self._talked, []
        for call, before in talked:
            self._transferred(call, before, at, lost_at)
        self._shown = {}

    def take(self, shown: Iterable[AmiEvent], at: float, lost_at: float, *, not_before: float) -> None:
        """Channels that live: their states, who dials whom, who is bridged with whom. New ones began `not_before`."""
        known = set(self._switch.calls)
        shown = sorted(shown, key=_in_order_of_dialling)
        linked: defaultdict[str, list[AmiEvent]] = defaultdict(list)
        for event in shown:
            linked[event.get("Linkedid")].append(event)
        for event in shown:
            self._show(event, linked[event.get("Linkedid")], at, lost_at, not_before)
        for event in shown:
            self._place(event, lost_at)
        for event in shown:
            self._reconnect(event, lost_at)
        for event in shown:  # a phone that dials while it has a customer asks for advice: first it must be known who talks
            for leg in self._dialling(event, linked[event.get("Linkedid")], at):
                self._reconnect(leg, lost_at)
        answered, self._answered = self._answered, []
        for call, offer in answered:
            self._switch.offered_unseen(call, offer, at)
        self.appeared += [call for call_id, call in self._switch.calls.items() if call_id not in known]

    def _show(self, event: AmiEvent, linked: Iterable[AmiEvent], at: float, lost_at: float, not_before: float) -> None:
        """A channel that lives: new to us, or known and perhaps in another state by now."""
        switch = self._switch
        channel = switch.known(event)
        is_new = channel is None
        if channel is not None:
            channel.name = event.get("Channel")
            call_rules.in_state(switch, channel, event.get("ChannelState"), max(lost_at, channel.created_at))
        else:
            channel = switch.channel(event, max(at - seconds_of(event.get("Duration")), not_before))
            if channel is not None:
                channel.seen_at = at
        if channel is None:
            return
        if channel.call is not None and channel.call.starter is channel:
            channel.call.estimated = channel.call.estimated or is_new
            return
        called = event.get("Application") in {"AppQueue", "AppDial"}
        if channel.dialled or channel.state not in {RINGING, UP} or not (called or is_new):
            return  # as before, or its DialBegin is still to come
        channel.call = channel.call or switch.linked(event.get("Linkedid"))
        channel.dialled = channel.call is not None
        if channel.kind is Kind.TRUNK:
            channel.number = _number_dialled_for(channel, linked) or channel.number
            if channel.call is not None and channel.call.customer is channel.call.starter:
                call_rules.dialled_trunk(switch, channel.call, channel.call.starter, channel, channel.number, at)
        elif channel.kind is Kind.AGENT and channel.call is not None and called:
            # A phone that the queue or Dial() is calling, or called: its ring began with the channel.
            self._offered(channel.call, channel)

    def _offered(self, call: CallDraft, phone: Channel) -> None:
        rang_at = phone.ringing_at if phone.ringing_at is not None else phone.created_at
        if phone.state == RINGING:
            phone.ringing_at = rang_at
            self._switch.offer(call, phone, rang_at)
        elif phone.state == UP and phone.offer is None:
            phone.ringing_at = None  # nobody is to be shown a ring that is over
            offer = self._switch.offer(call, phone, rang_at)
            offer.rang_at = offer.answered_at = offer.ended_at = rang_at
            offer.result = OfferResult.ANSWERED
            self._answered.append((call, offer))

    def _dialling(self, event: AmiEvent, linked: Iterable[AmiEvent], at: float) -> list[AmiEvent]:
        """A phone that dials somebody: an outbound or internal call, or a consultation, that began unseen. Gives its legs."""
        switch = self._switch
        caller = switch.known(event)
        if caller is None or caller.owner is not None or caller.kind is not Kind.AGENT or event.get("Application") != "Dial":
            return []
        dialled = [item for item in linked if item.get("Application") == "AppDial"]
        legs = [leg for leg in map(switch.known, dialled) if leg is not None and leg.call is None]
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
        return [event, *dialled]

    # --- bridges

    def bridge(self, event: AmiEvent, at: float) -> None:
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
            talk = channel.call.talk_of(channel) if channel.call is not None else None
            if talk is not None and talk.consulting:
                talk.left_at, talk.consulting = lost_at, False
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

    def _transferred(self, call: CallDraft, before: list[TalkDraft], at: float, lost_at: float) -> None:
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


def _was_put_through(call: CallDraft, listed: Mapping[str, AmiEvent]) -> bool:
    """The agent who began this outbound call is gone or going, and its customer is not: they talked, then the agent let go."""
    if call.starter is call.customer or call.starter.kind is not Kind.AGENT or call.talk_of(call.starter) is not None:
        return False
    starter, customer = listed.get(call.starter.uid), listed.get(call.customer.uid)
    if customer is None or customer.get("ChannelState") != UP:
        return False
    bridge = starter.get("BridgeId") if starter is not None else ""
    return starter is None or (starter.get("ChannelState") == UP and (not bridge or bridge != customer.get("BridgeId")))


def _in_order_of_dialling(item: AmiEvent) -> tuple[bool, int, int]:
    """Whoever began a call before those that were dialled for it; the listing itself has no order. Uniqueid: seconds.number."""
    began, _, number = item.get("Uniqueid").rpartition(".")
    return (
        item.get("Uniqueid") != item.get("Linkedid"),
        int(began) if began.isdecimal() else 0,
        int(number) if number.isdecimal() else 0,
    )


def _number_dialled_for(leg: Channel, linked: Iterable[AmiEvent]) -> str | None:
    """What was dialled on this trunk, as `Dial(PJSIP/0698765432@trunk)` of whoever dialled it says."""
    for caller in linked:
        if caller.get("Application") != "Dial":
            continue
        for dialled in caller.get("ApplicationData").split(",", 1)[0].split("&"):
            number, at_sign, endpoint = dialled.partition("/")[2].partition("@")
            if at_sign and endpoint == leg.endpoint:
                return number or None
    return None


def _is_parking(bridge: AmiEvent) -> bool:
    return bridge.get("BridgeType") == "parking" or bridge.get("BridgeCreator") == "Parking"


def _is_conference(bridge: AmiEvent) -> bool:
    return bridge.get("BridgeCreator") == "ConfBridge"


def seconds_of(text: str) -> float:
    """`01:02:03` or `63` as seconds; 0 where it is neither."""
    parts = text.split(":")
    if not all(part.isdigit() and len(part) < 8 for part in parts):
        return 0.0
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)
