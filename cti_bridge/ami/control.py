"""The actions connection: sends an action, waits for its answer, never sends it twice.

A second connection beside the events one (login with `Events: off`), because Asterisk runs a session's actions in one thread: a
long action would hold up the events. Whoever sends learns one of four things: done, refused, not sent, or not known; what is not
known is never repeated, or a customer would be dialled twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from asterisk.ami import Action, Response

from cti_bridge.ami import actions
from cti_bridge.ami.connection import AmiConnection, At
from cti_bridge.ami.conversation import Accepted, News, Refused
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.errors import AmiDisconnected, AmiRefused, AmiTimeout

ANSWER_SECONDS: Final = 5.0


class AmiControl:
    """Sends actions to one PBX. The listener of its link; `ready` says when connecting makes sense."""

    def __init__(self, *, username: str, ready: Callable[[], Awaitable[None]]) -> None:
        self._username = username
        self._ready = ready
        self._connection: AmiConnection | None = None
        self._waiting: dict[str, asyncio.Future[Accepted | Refused]] = {}

    async def send(self, action: Action, *, timeout_seconds: float = ANSWER_SECONDS) -> Response:
        """Sends the action once; `keys["ActionID"]` of the answer is that of the events it causes (OriginateResponse).

        Raises ValueError (a value that must not be sent), AmiDisconnected (nothing was sent), AmiRefused (the PBX said no),
        AmiTimeout (it may or may not have been done).
        """
        return (await self._perform(action, collect=False, timeout_seconds=timeout_seconds)).response

    async def list_of(self, action: Action, *, timeout_seconds: float = 30.0) -> tuple[AmiEvent, ...]:
        """Sends a listing action and gives its items when all are in. Raises as `send`."""
        return (await self._perform(action, collect=True, timeout_seconds=timeout_seconds)).items

    async def _perform(self, action: Action, *, collect: bool, timeout_seconds: float) -> Accepted:
        connection = self._connection
        if connection is None:
            raise AmiDisconnected(f"the link to the PBX is down: {action.name} was not sent")
        action_id = connection.perform(action, collect=collect)
        answer: asyncio.Future[Accepted | Refused] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = answer
        try:
            async with asyncio.timeout(timeout_seconds):
                outcome = await answer
        except TimeoutError:
            raise AmiTimeout(
                f"no answer to {action.name} within {timeout_seconds:g} s: it may or may not have been done"
            ) from None
        finally:
            del self._waiting[action_id]
            connection.forget(action_id)
        if isinstance(outcome, Refused):
            raise AmiRefused(explained(outcome.action, outcome.message, username=self._username))
        return outcome

    async def ready_to_connect(self) -> None:
        await self._ready()

    def opened(self, connection: AmiConnection, *, at: At, asked_at: At) -> None:
        self._connection = connection

    def received(self, at: At, data: bytes, news: Sequence[News]) -> None:
        for item in news:
            if isinstance(item, Accepted | Refused) and (answer := self._waiting.get(item.action_id)) and not answer.done():
                answer.set_result(item)

    def closed(self, at: At, reason: str) -> None:
        self._connection = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(AmiTimeout(f"{reason} before the answer: the action may or may not have been done"))


def explained(action: str, message: str, *, username: str) -> str:
    """The PBX's words, and where they mean a missing right or module, what to change there."""
    if "permission denied" in message.lower() and action in actions.WRITE_CLASS:
        return f"{message}: {action} needs {actions.WRITE_CLASS[action]} in write= of [{username}] in manager.conf"
    if "unknown command" in message.lower():
        return f"the PBX has no action {action}: load {actions.MODULE.get(action, 'its module')}"
    return message
