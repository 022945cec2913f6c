"""The calls that a complete group of CEL rows tells of: customers, who was rung, who talked, and who let go of whom. Pure.

Independent of cti_bridge.tracking: the rows of a whole call are there, so each is read in the light of all before it, and a
call is judged by what its channels ended as. What CEL cannot tell (holds, whether a phone really rang) is left open.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cti_bridge.domain.call import Direction
from cti_bridge.record.legs import Kind, Leg, Legs
from cti_bridge.record.rows import CelRow

AT_ONCE_SECONDS = 1.0
"""What belongs together is written within this time, in either order: a transfer, and the customer's leaving for it."""


_BY_ORIGINATE = "AppDial2"
_VOICEMAIL = frozenset({"VoiceMail", "VoiceMailMain"})


@dataclass(slots=True, kw_only=True, eq=False)
class Talk:
    """A stretch with the customer; `left` while the leg is elsewhere and may come back (a consultation by feature code)."""

    leg: Leg
    began: float
    ended: float | None = None
    left: float | None = None
    consulted: bool = False
    let_go: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Handover:
    """A transfer; `open` while the place behind an extension (a queue, an outside number) is not known."""

    from_agent: str
    to: str | None
    at: float
    open: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class CallStory:
    """`starter`: the channel that the call is named after. `customer`: whom the agents talk to."""

    direction: Direction
    starter: Leg
    customer: Leg
    legs: list[Leg] = field(default_factory=list)
    offers: list[Leg] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    real: bool = True
    """False while a phone has dialled nobody: feature codes, voicemail, a pick-up of another's call."""
    click_to_call: bool = False
    voicemail: bool = False
    moved_from: str = ""
    """The agent whom the customer was taken away from by a Redirect, until it is known whereto."""

    @property
    def sides(self) -> tuple[Leg, Leg]:
        return self.starter, self.customer

    @property
    def open_talks(self) -> list[Talk]:
        return [talk for talk in self.talks if talk.ended is None]


def stories_of(rows: Sequence[CelRow], internal: re.Pattern[str]) -> list[CallStory]:
    """The calls of a group, in order of their beginning; those that began before the record does are not among them."""
    reader = _Reader(internal)
    # A log that is just being copied and cut has its rows twice. Whole seconds tell nothing of that.
    seen: set[tuple[float, str, str]] = set()
    for row in sorted(rows, key=lambda row: row.at):
        key = (row.at, row.type, row.uniqueid)
        if key not in seen or row.at.is_integer():
            seen.add(key)
            reader.feed(row)
    return [call for call in reader.calls if call.real]


class _Reader:
    def __init__(self, internal: re.Pattern[str]) -> None:
        self.legs = Legs(internal)
        self.calls: list[CallStory] = []
        self._open: list[CallStory] = []
        """Those that may still change: a phone that is never hung up ties a day's calls into one group."""
        self._owner: dict[Leg, CallStory] = {}
        self._consulting: set[Leg] = set()
        self._target: dict[Leg, Leg] = {}

    def feed(self, row: CelRow) -> None:
        leg = self.legs.feed(row)
        if leg is None:
            return
        if row.application == _BY_ORIGINATE:
            self._originated(leg)
        match row.type:
            case "CHAN_START":
                self._place(leg)
            case "APP_START":
                self._application(leg, row)
            case "BRIDGE_EXIT":
                self._taken_away(leg)
            case _:
                self._handed_over(leg, row)
        for call in self._open:
            self._listen(call, row.at)
            call.voicemail = call.voicemail or (leg is call.customer and row.application in _VOICEMAIL)
        if row.type == "CHAN_END":
            self._open = [call for call in self._open if call.open_talks or any(one.ended is None for one in call.sides)]

    def _handed_over(self, leg: Leg, row: CelRow) -> None:
        match row.type:
            case "BLINDTRANSFER":
                self._blind_transfer(leg, row)
            case "ATTENDEDTRANSFER":
                self._attended_transfer(leg, row)
            case "PICKUP":
                self._adopt(row.extra.get("pickup_channel_uniqueid"), self._owner.get(leg))
            case "PARK_START":
                self._parked(leg, row.at)
            case "PARK_END":
                retriever = self.legs.by_name.get(str(row.extra.get("retriever")))
                self._adopt(retriever.uid if retriever is not None else None, self._owner.get(leg))
            case _:
                pass

    # --- whose leg it is

    def _place(self, leg: Leg) -> None:
        if leg.root != leg.uid:
            source = self.legs.dialler_of(leg)
            call = self._owner.get(source) if source is not None else None
            self._dialled(call or self._by_root(leg.root), source, leg)
        elif leg.kind is Kind.TRUNK:
            self._begin(leg, Direction.INBOUND)
        elif leg.kind is Kind.AGENT and not leg.dialled:
            call = self._talks_to(leg.endpoint)
            if call is not None:
                self._owner[leg] = call
                call.legs.append(leg)
                self._consulting.add(leg)
            else:
                self._begin(leg, Direction.INTERNAL).real = False
        elif leg.dialled and leg.kind is not Kind.OTHER:
            self._called_by_pbx(leg)

    def _begin(self, leg: Leg, direction: Direction) -> CallStory:
        call = CallStory(direction=direction, starter=leg, customer=leg, legs=[leg])
        self.calls.append(call)
        self._open.append(call)
        self._owner[leg] = call
        return call

    def _called_by_pbx(self, leg: Leg) -> None:
        """A leg nobody dialled: the recall of an agent whose transfer came to nothing, else click-to-call (Originate)."""
        for call in self._open:
            if call.handovers and call.handovers[-1].from_agent == leg.endpoint and not call.open_talks and call.customer.bridge:
                self._offer(call, leg)
                return
        call = self._begin(leg, Direction.OUTBOUND)
        call.click_to_call = True
        if leg.kind is Kind.AGENT:
            call.offers.append(leg)

    def _originated(self, leg: Leg) -> None:
        """A trunk's channel that turns out to have been called: an outbound call that began with its customer."""
        call = self._owner.get(leg)
        if call is not None and call.starter is leg and call.direction is Direction.INBOUND:
            call.direction, call.click_to_call = Direction.OUTBOUND, True

    def _dialled(self, call: CallStory | None, source: Leg | None, leg: Leg) -> None:
        if call is None:
            return
        if source is not None:
            self._target[source] = leg
        consultation = source in self._consulting
        if leg.kind is Kind.LOCAL or consultation:
            self._owner[leg] = call
        if leg.kind is Kind.LOCAL:
            call.legs.append(leg)
            return
        call.real = True
        self._offer(call, leg)
        moved = source is not None and source is call.customer
        if leg.kind is Kind.TRUNK:
            leg.number_dialled = (source.number_dialled if source is not None else "") or leg.exten
            if moved:
                self._went(call, leg.number_dialled, leg.began)
            if not consultation and not call.talks and call.direction is not Direction.INBOUND:
                call.direction, call.customer = Direction.OUTBOUND, leg
        elif moved:
            self._went(call, leg.endpoint, leg.began, keep=True)

    def _offer(self, call: CallStory, leg: Leg) -> None:
        self._owner[leg] = call
        call.legs.append(leg)
        if leg.kind is Kind.AGENT:
            call.offers.append(leg)

    def _adopt(self, uid: object, call: CallStory | None) -> None:
        """A phone that called by itself has this call from now on."""
        leg = self.legs.all.get(str(uid))
        if leg is not None and call is not None:
            self._owner[leg] = call
            call.legs.append(leg)

    def _by_root(self, root: str) -> CallStory | None:
        for call in self._open:
            if root in {call.starter.uid, call.customer.uid, call.starter.linkedid, call.customer.linkedid}:
                return call
        return None

    def _talks_to(self, agent: str) -> CallStory | None:
        for call in self._open:
            if call.real and call.open_talks:
                if any(talk.leg.endpoint == agent for talk in call.open_talks) or call.customer.endpoint == agent:
                    return call
        return None

    # --- who hears whom

    def _listen(self, call: CallStory, at: float) -> None:
        """Compares who hears the customer with who did."""
        customer = call.customer
        parties = [leg for leg in self.legs.connected(customer) if _is_party(leg)] if customer.ended is None else []
        for talk in call.open_talks:
            if talk.leg in parties:
                talk.left, talk.consulted = None, False
                continue
            if talk.left is None:
                talk.left = at
            talk.consulted = talk.consulted or bool(talk.leg.bridge)
            if talk.leg.ended is not None or talk.leg.released or not customer.bridge:
                talk.ended = at if talk.consulted else talk.left
        for leg in parties:
            if leg not in [talk.leg for talk in call.open_talks]:
                call.talks.append(Talk(leg=leg, began=self._since(call, leg, at)))
                call.moved_from = ""
                for handover in call.handovers:
                    handover.open = False

    def _since(self, call: CallStory, leg: Leg, at: float) -> float:
        """Who enters a conference hears its prompts first: it counts from the application's start (Asterisk 22)."""
        customer = call.customer
        together = leg.application == customer.application == "ConfBridge" and leg.data == customer.data
        return max(leg.busy_since, customer.busy_since) if together else at

    # --- transfers

    def _application(self, leg: Leg, row: CelRow) -> None:
        call = self._owner.get(leg)
        if call is None or leg in self._consulting:
            return
        if row.application == "Queue":
            call.real = True
            queue = leg.queues[-1]
            self._went(call, f"queue:{queue}", row.at)
            call.queues.append(queue)
        elif row.application == "ConfBridge":
            call.moved_from = ""

    def _blind_transfer(self, agent: Leg, row: CelRow) -> None:
        customer = self.legs.all.get(str(row.extra.get("transferee_channel_uniqueid")))
        call = (self._owner.get(customer) if customer is not None else None) or self._owner.get(agent)
        if call is None or agent.kind is not Kind.AGENT:
            return
        self._let_go(call, agent, customer, row.at)
        last = call.handovers[-1] if call.handovers else None
        if last is not None and last.from_agent == agent.endpoint and row.at - last.at < AT_ONCE_SECONDS:
            return  # the customer was quicker to arrive there than this row
        call.handovers.append(Handover(from_agent=agent.endpoint, to=str(row.extra.get("extension") or "") or None, at=row.at))

    def _attended_transfer(self, first: Leg, row: CelRow) -> None:
        second = self.legs.all.get(str(row.extra.get("channel2_uniqueid")), first)
        transferee = self.legs.all.get(str(row.extra.get("transferee_channel_uniqueid")))
        target = self.legs.all.get(str(row.extra.get("transfer_target_channel_uniqueid")))
        for agent, other, customer, to in ((first, second, transferee, target), (second, first, target, transferee)):
            call = self._customer_call_of(agent, row.at)
            if call is not None:
                if first is second and agent.bridge and agent.bridge == call.customer.bridge:
                    return  # a three-way call: the agent stays
                self._let_go(call, agent, customer, row.at)
                other.released = True
                call.handovers.append(
                    Handover(from_agent=agent.endpoint, to=self._whom(call, other, to), at=row.at, open=False),
                )
                self._let_other_go(call, other, row.at)
                break

    def _let_other_go(self, call: CallStory, leg: Leg, at: float) -> None:
        """Where the transferer's other line was another customer's call, that customer is let go of too, towards this one."""
        other = self._customer_call_of(leg, at)
        if other is not None and other is not call and other.customer is not leg:
            self._let_go(other, leg, None, at)
            to = call.customer.number or call.customer.endpoint
            other.handovers.append(Handover(from_agent=leg.endpoint, to=to, at=at, open=False))

    def _customer_call_of(self, agent: Leg, at: float) -> CallStory | None:
        """The call whose customer this leg talks to, or did until the transfer of this moment."""
        for call in self._open:
            talks = [talk for talk in call.talks if talk.ended is None or talk.ended > at - AT_ONCE_SECONDS]
            if call.real and talks and (call.customer is agent or any(talk.leg is agent for talk in talks)):
                return call
        return None

    def _whom(self, call: CallStory, consulting: Leg, target: Leg | None) -> str | None:
        """Whom the customer goes to: the party of the consultation, through Local channels; a queue that is still asked."""
        if target is None or target is call.customer:
            target = self._target.get(consulting) or next(
                (leg for leg in reversed(consulting.met) if leg is not call.customer), None
            )
        seen: set[Leg] = set()
        while target is not None and target.kind is Kind.LOCAL and target not in seen:
            seen.add(target)
            half = target.twin if target.twin is not None else target
            if half not in self._target:
                return f"queue:{half.queues[-1]}" if half.queues else target.endpoint
            target = self._target[half]
        if consulting.queues and (target is None or target.answered is None):
            return f"queue:{consulting.queues[-1]}"
        if target is None:
            return consulting.exten or None
        return target.number_dialled or target.number or target.endpoint if target.kind is Kind.TRUNK else target.endpoint

    def _let_go(self, call: CallStory, agent: Leg, customer: Leg | None, at: float) -> None:
        agent.released = True
        call.moved_from = ""
        for talk in call.open_talks:
            if talk.leg is agent:
                talk.ended, talk.let_go = at, True
        if call.customer is agent and customer is not None and customer is not agent:
            call.customer = customer  # the caller of an internal call transfers the called party: that one goes on

    def _parked(self, leg: Leg, at: float) -> None:
        call = self._owner.get(leg)
        if call is not None and leg is call.customer:
            call.moved_from = ""
            if call.handovers and call.handovers[-1].open and at - call.handovers[-1].at < AT_ONCE_SECONDS:
                call.handovers.pop()

    def _taken_away(self, leg: Leg) -> None:
        """The customer leaves the agent's bridge, and nobody hung up: a Redirect has no event of its own."""
        call = self._owner.get(leg)
        if call is not None and leg is call.customer and call.open_talks:
            here = [talk.leg for talk in call.open_talks if talk.leg.bridge and talk.left is None]
            call.moved_from = here[0].endpoint if here else ""

    def _went(self, call: CallStory, to: str, at: float, *, keep: bool = False) -> None:
        """`keep`: an open transfer already names its target; only a Redirect learns it here."""
        last = call.handovers[-1] if call.handovers else None
        if last is not None and last.open:
            last.open = False
            if not keep:
                last.to = to
        elif call.moved_from:
            for talk in call.talks:
                talk.let_go = talk.let_go or talk.ended is None or talk.leg.endpoint == call.moved_from
            call.handovers.append(Handover(from_agent=call.moved_from, to=to, at=at, open=False))
            call.moved_from = ""


def _is_party(leg: Leg) -> bool:
    """An agent, or somebody outside called for this customer; another customer in the same bridge has a call of their own."""
    if leg.spying or leg.released:
        return False
    return leg.kind is Kind.AGENT or (leg.kind is Kind.TRUNK and leg.dialled)


def talked_seconds(call: CallStory) -> Iterator[tuple[float, float]]:
    """The stretches in which anybody had the customer, joined."""
    last: tuple[float, float] | None = None
    for began, ended in sorted((talk.began, talk.ended) for talk in call.talks if talk.ended is not None):
        if last is not None and began <= last[1]:
            last = (last[0], max(last[1], ended))
        else:
            if last is not None:
                yield last
            last = (began, ended)
    if last is not None:
        yield last
