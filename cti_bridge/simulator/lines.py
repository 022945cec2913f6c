"""What the far ends of channels do: phones and customers answer, refuse, hold, transfer and hang up; AMI hangs up and redirects.

Each is told on AMI as the PBX would tell it on hearing of it, then handed to the dialplan that has the call.
"""

from cti_bridge.simulator.channels import (
    Answered,
    Channel,
    GivenAway,
    Gone,
    LegGone,
    LegMoved,
    Moved,
    Released,
    Replaced,
)
from cti_bridge.simulator.dialplan import Dialplan
from cti_bridge.simulator.switch import Switch
from cti_bridge.simulator.wire import State, prefixed


class CannotDoThat(Exception):
    """The channel is not in a state for it; the text is what Asterisk's answer would say."""


class Lines:
    def __init__(self, *, switch: Switch, dialplan: Dialplan) -> None:
        self._switch = switch
        self._dialplan = dialplan

    def answer(self, leg: Channel) -> None:
        if leg.state is not State.RINGING or leg.dialled_by is None or leg.ending:
            raise CannotDoThat(f"{leg.name} does not ring")
        self._switch.set_state(leg, State.UP)
        leg.dialled_by.put(Answered(leg))

    def refuse(self, leg: Channel, *, busy: bool = False) -> None:
        """The phone answers 486 Busy Here or 603 Decline."""
        if leg.state is not State.RINGING or leg.dialled_by is None or leg.ending:
            raise CannotDoThat(f"{leg.name} does not ring")
        leg.ending = True
        cause, leg.tech_cause = (17, 486) if busy else (21, 603)
        self._switch.hangup_request(leg, cause)
        leg.dialled_by.put(LegGone(leg, cause))

    def hang_up(self, channel: Channel) -> None:
        """The far end hangs up. While app_queue has the call, Asterisk tells the request without a cause (q_* traces)."""
        if channel.ending or channel.gone:
            return
        if channel.state is State.RING:
            # a caller who cancels an INVITE: 487, which Asterisk maps to cause 127 (did_abandon)
            channel.tech_cause = 487
        in_queue = channel.application in {"Queue", "AppQueue"}
        self._switch.hangup_request(channel, None if in_queue else 127 if channel.tech_cause == 487 else 16)
        self._end(channel, 16)

    def hang_up_by_pbx(self, channel: Channel, cause: int) -> None:
        """AMI's Hangup: no HangupRequest, as nobody at the far end asked; a leg in a bridge just leaves it (ami_hangup_agent)."""
        if channel.ending or channel.gone:
            return
        if channel.bridge is None:
            self._switch.soft_hangup(channel, cause)
        self._end(channel, cause)

    def hold(self, channel: Channel) -> None:
        other = self._other(channel)
        if channel.holding:
            raise CannotDoThat(f"{channel.name} holds already")
        self._switch.hold(channel, other)

    def resume(self, channel: Channel) -> None:
        other = self._other(channel)
        if not channel.holding:
            raise CannotDoThat(f"{channel.name} does not hold")
        self._switch.unhold(channel, other)

    def redirect(self, channel: Channel, context: str, exten: str) -> None:
        if channel.inbox is not None:
            channel.inbox.put(Moved(context, exten))
        elif channel.bridge is not None and channel.dialled_by is not None:
            channel.dialled_by.put(LegMoved(channel, context, exten))
        else:
            raise CannotDoThat("Redirect failed")

    def transfer(self, channel: Channel, context: str, exten: str) -> None:
        """Blind transfer by the party on `channel` (REFER, or AMI's BlindTransfer)."""
        bridge, other = channel.bridge, self._other(channel)
        if channel.ending or other.ending or bridge is None:
            raise CannotDoThat("Transfer not permitted")
        if self._dialplan.target(context, exten) is None:
            raise CannotDoThat("Transfer invalid")
        # Asterisk 22 tells an Unhold of the transferer first, held or not: xfer_blind_refer_agent, xfer_blind_ami
        self._switch.unhold(channel, other)
        headers = [
            ("Result", "Success"),
            *prefixed("Transferer", channel.snapshot()),
            *prefixed("Transferee", other.snapshot()),
            *bridge.snapshot(),
            ("IsExternal", "Yes"),
            ("Context", context),
            ("Extension", exten),
        ]
        self._switch.emit("BlindTransfer", "call", headers)
        channel.ending = True
        if channel.dialled_by is not None:
            channel.dialled_by.put(Moved(context, exten, transferred=True))
        elif channel.inbox is not None:
            channel.inbox.put(GivenAway(context, exten))

    def complete_transfer(self, first: Channel, second: Channel) -> None:
        """Attended transfer (REFER with Replaces): the party of `second`, the consultation, takes the place of `first`."""
        customer, target = self._other(first), self._other(second)
        bridge, consultation = first.bridge, second.bridge
        owner, consulting = first.dialled_by, second.inbox
        if bridge is None or consultation is None or owner is None or consulting is None:
            raise CannotDoThat("Transfer not permitted")
        if any(one.ending for one in (first, second, customer, target)):
            raise CannotDoThat("Transfer not permitted")
        switch = self._switch
        switch.unhold(first, customer)
        switch.unhold(second, None)
        told = [
            ("Result", "Success"),
            *prefixed("OrigTransferer", first.snapshot()),
            *prefixed("Orig", bridge.snapshot()),
            *prefixed("SecondTransferer", second.snapshot()),
            *prefixed("Second", consultation.snapshot()),
            *prefixed("Transferee", customer.snapshot()),
            *prefixed("TransferTarget", target.snapshot()),
            ("IsExternal", "No"),
            ("DestType", "Bridge"),
            ("DestBridgeUniqueid", bridge.uniqueid),
        ]
        switch.leave(target)
        switch.leave(first)
        switch.enter(bridge, target, instead_of=first)
        switch.set_connected(customer, target.number, target.caller_name)
        first.ending = second.ending = True
        switch.soft_hangup(second, 1)
        switch.emit("AttendedTransfer", "call", told)
        switch.set_connected(target, customer.number, customer.caller_name)
        target.dialled_by = owner

        def finish() -> None:
            switch.leave(second)
            switch.soft_hangup(second)
            switch.hang_up(first)
            switch.hang_up(second)
            consulting.put(Released())

        owner.put(Replaced(target, finish))

    def _other(self, channel: Channel) -> Channel:
        other = channel.bridge.other(channel) if channel.bridge else None
        if other is None or channel.gone:
            raise CannotDoThat(f"{channel.name} talks to nobody")
        return other

    def _end(self, channel: Channel, cause: int) -> None:
        channel.ending = True
        if channel.inbox is not None:
            channel.inbox.put(Gone())
        elif channel.dialled_by is not None:
            channel.dialled_by.put(LegGone(channel, cause))
