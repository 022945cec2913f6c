"""What people may make the PBX do, and what they write about a call: checked, sent at most once, answered in plain words.

In: an agent, a call, an intention. Out: an action on the PBX's actions connection, or `CommandRefused` with the reason.
AMI has no "answer" and no "hold": a desk phone is asked by SIP NOTIFY (events `talk` and `hold`), which the phone must support.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from asterisk.ami import Action

from config.settings import PbxSettings
from cti_bridge.ami import actions
from cti_bridge.ami.control import AmiControl
from cti_bridge.domain.call import Call, CallId, CallState, Extension
from cti_bridge.domain.errors import AmiDisconnected, AmiRefused, AmiTimeout
from cti_bridge.domain.interaction import Interaction
from cti_bridge.kill_points import kill_points
from cti_bridge.live.board import Board
from screen_pop.ports import CommandRefused, Interactions
from screen_pop.visible import agents_of, talked_in
from storage.recorder import Recorder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pbx:
    """One PBX as commands see it."""

    settings: PbxSettings
    control: AmiControl


class Commands:
    """Call control (`CallCommands`). `pbxes` by name; click-to-call goes to the first one."""

    def __init__(self, pbxes: Mapping[str, Pbx], board: Board) -> None:
        self._pbxes = pbxes
        self._board = board

    async def dial(self, agent: Extension, to: str) -> str:
        """Rings the agent's phone first, then the number. The request's id is the channel's Uniqueid."""
        pbx = next(iter(self._pbxes.values()))
        request_id = f"cti-{secrets.token_hex(8)}"
        digits = "".join(char for char in to if char not in " -().\u00a0")
        await self._send(
            pbx,
            lambda: actions.originate(
                channel=f"{pbx.settings.agent_technology}/{agent}",
                context=pbx.settings.click_to_call_context,
                exten=digits,
                caller_id=digits,
                channel_id=request_id,
            ),
        )
        log.info("command.dial", agent=agent, request_id=request_id)
        return request_id

    async def answer(self, agent: Extension, call_id: CallId) -> None:
        """Asks the ringing phone to answer."""
        call, channel = self._own(agent, call_id)
        if agent not in call.ringing:
            raise CommandRefused("not-ringing", "your phone does not ring for this call any more")
        await self._send(self._pbxes[call.pbx], lambda: actions.phone_talk(channel))

    async def hang_up(self, agent: Extension, call_id: CallId) -> None:
        """Ends the agent's leg; the PBX ends the customer's."""
        call, channel = self._own(agent, call_id)
        await self._send(self._pbxes[call.pbx], lambda: actions.hangup(channel))

    async def hold(self, agent: Extension, call_id: CallId, *, on: bool) -> None:
        """Asks the phone to hold, or to resume."""
        call, channel = self._own(agent, call_id)
        if (call.state is CallState.HELD) == on:
            raise CommandRefused("nothing-to-do", "the call is on hold already" if on else "the call is not on hold")
        if agent not in call.talking:
            raise CommandRefused("not-talking", "you are not talking in this call")
        await self._send(self._pbxes[call.pbx], lambda: actions.phone_hold(channel) if on else actions.phone_talk(channel))

    async def transfer(self, agent: Extension, call_id: CallId, to: str) -> None:
        """Blind transfer to an extension, a queue's number, or an outside number."""
        call, channel = self._own(agent, call_id)
        if agent not in call.talking:
            raise CommandRefused("not-talking", "only a call that you talk in can be transferred")
        pbx = self._pbxes[call.pbx]
        await self._send(pbx, lambda: actions.blind_transfer(channel, context=pbx.settings.transfer_context, exten=to.strip()))
        log.info("command.transfer", agent=agent, call_id=call_id)

    async def set_state(self, agent: Extension, *, paused: bool, reason: str | None) -> None:
        """Pauses the agent in every queue, or makes the agent ready; ready also ends wrap-up."""
        members = self._board.members_of(agent)
        if not members:
            raise CommandRefused("not-a-member", "this agent is a member of no queue")
        for pbx_name, interface in sorted({(member.pbx, member.interface) for member in members}):
            await self._send(self._pbxes[pbx_name], partial(actions.queue_pause, interface, paused=paused, reason=reason))
        if not paused:
            self._board.wrapped_up(agent)

    def _own(self, agent: Extension, call_id: CallId) -> tuple[Call, str]:
        """The live call and the agent's channel in it."""
        call = self._board.call(call_id)
        if call is None:
            raise CommandRefused("call-over", "this call is over")
        channel = dict(call.agent_channels).get(agent)
        if channel is None:
            raise CommandRefused("not-in-this-call", "you have no part in this call")
        return call, channel

    async def _send(self, pbx: Pbx, build: Callable[[], Action]) -> None:
        try:
            await pbx.control.send(build())
        except ValueError as error:
            raise CommandRefused("not-a-number", f"this cannot be dialled or sent: {error}") from error
        except AmiDisconnected as error:
            raise CommandRefused("pbx-away", "the PBX cannot be reached; use the phone itself") from error
        except AmiTimeout as error:
            raise CommandRefused("not-known", "the PBX did not answer: look at the phone before trying again") from error
        except AmiRefused as error:
            raise CommandRefused("pbx-refused", f"the PBX refused: {error}") from error


class WrapUpDesk:
    """What agents write about a call (`WrapUps`): stored when `save` returns, whether the call is over or not."""

    def __init__(self, recorder: Recorder, interactions: Interactions, board: Board) -> None:
        self._recorder = recorder
        self._interactions = interactions
        self._board = board

    async def save(self, call_id: CallId, agent: Extension, changes: dict[str, Any]) -> Interaction:
        """Only agents who have or had the call may label it. Raises CommandRefused, StorageError."""
        kill_points.reached("wrap_up.received")
        call = self._board.call(call_id)
        if call is not None:
            allowed = agent in agents_of(call)
        else:
            stored = await self._interactions.by_call(call_id)
            if stored is None:
                raise CommandRefused("not-stored-yet", "no such call is known")
            allowed = agent in talked_in(stored)
        if not allowed:
            raise CommandRefused("not-in-this-call", "you had no part in this call")
        try:
            saved = await self._recorder.set_wrap_up(call_id, changes, call=call, now=datetime.now(UTC))
        except ValueError as error:
            raise CommandRefused("wrong-value", str(error)) from error
        kill_points.reached("wrap_up.committed")
        return saved
