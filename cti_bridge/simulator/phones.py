"""An agent's phone: one endpoint, what rings on it, what is talked on it, and the buttons.

Whoever presses the buttons (the desktop by AMI, a test's script, the demo's habits) finds the phone in the same state.
"""

from cti_bridge.simulator.channels import Channel
from cti_bridge.simulator.dialplan import Dialplan
from cti_bridge.simulator.lines import CannotDoThat, Lines
from cti_bridge.simulator.switch import Switch
from cti_bridge.simulator.wire import State
from cti_bridge.simulator.world import INTERNAL_CONTEXT, Agent


class Phone:
    """The phone of `agent`; every button raises CannotDoThat where the phone is in no state for it."""

    def __init__(self, *, agent: Agent, switch: Switch, dialplan: Dialplan, lines: Lines) -> None:
        self.agent = agent
        self._switch = switch
        self._dialplan = dialplan
        self._lines = lines

    @property
    def channels(self) -> list[Channel]:
        return self._switch.lines(self.agent.extension)

    @property
    def ringing(self) -> Channel | None:
        return next((one for one in self.channels if one.state is State.RINGING and not one.ending), None)

    @property
    def talking(self) -> Channel | None:
        """The conversation in front: the newest that is not on hold, else the newest."""
        up = [one for one in self.channels if one.bridge is not None and not one.ending]
        return next((one for one in reversed(up) if not one.holding), up[-1] if up else None)

    async def rings(self) -> Channel:
        """Returns when the phone rings."""
        await self._switch.until(lambda: self.ringing is not None)
        return self._need(self.ringing, "does not ring")

    async def talks(self) -> Channel:
        """Returns when the phone is in a conversation."""
        await self._switch.until(lambda: self.talking is not None)
        return self._need(self.talking, "talks to nobody")

    async def idle(self) -> None:
        """Returns when the phone has no call."""
        await self._switch.until(lambda: not self.channels)

    def answer(self) -> None:
        self._lines.answer(self._need(self.ringing, "does not ring"))

    def reject(self, *, busy: bool = False) -> None:
        self._lines.refuse(self._need(self.ringing, "does not ring"), busy=busy)

    def hang_up(self) -> None:
        channels = [one for one in self.channels if not one.ending]
        self._lines.hang_up(self._need(self.talking or (channels[-1] if channels else None), "has no call"))

    def hold(self) -> None:
        self._lines.hold(self._need(self.talking, "talks to nobody"))

    def resume(self) -> None:
        held = next((one for one in self.channels if one.holding and not one.ending), None)
        self._lines.resume(self._need(held, "holds no call"))

    def dial(self, number: str) -> Channel:
        channel = self._switch.new_channel(
            self.agent.extension,
            state=State.RING,
            number=self.agent.extension,
            caller_name=self.agent.name,
            context=INTERNAL_CONTEXT,
            exten=number,
        )
        self._dialplan.start(channel, INTERNAL_CONTEXT, number)
        return channel

    def transfer(self, number: str) -> None:
        """Blind: lets go at once."""
        self._lines.transfer(self._need(self.talking, "talks to nobody"), INTERNAL_CONTEXT, number)

    def consult(self, number: str) -> Channel:
        """Holds the call and dials `number` on a second line."""
        self.hold()
        return self.dial(number)

    def complete_transfer(self) -> None:
        """Joins the held call with the consultation and leaves both."""
        held = next((one for one in self.channels if one.holding and not one.ending), None)
        self._lines.complete_transfer(self._need(held, "holds no call"), self._need(self.talking, "talks to nobody"))

    def notify(self, sip_event: str, channel: Channel | None = None) -> None:
        """A SIP NOTIFY with `Event: talk` or `Event: hold`, the remote buttons that desk phones offer a desktop.

        talk answers what rings, else takes the held call back; hold holds the conversation. A phone ignores what it cannot do.
        """
        try:
            match sip_event:
                case "talk" if self.ringing is not None and channel in {None, self.ringing}:
                    self.answer()
                case "talk":
                    self.resume()
                case "hold":
                    self.hold()
                case _:
                    return
        except CannotDoThat:
            return

    def _need(self, channel: Channel | None, otherwise: str) -> Channel:
        if channel is None:
            raise CannotDoThat(f"phone {self.agent.extension} {otherwise}")
        return channel
