"""One websocket from hello to close: the last stop of the walk to the browser, and the first of the way back.

In: a signed-in person's socket; out: a welcome with a snapshot, then every event after it, in order and without holes, and
live states. Each client message is checked for shape and role before anything is done. Whatever a browser does ends at most
its own link, with a close code that says why (docs/protocol.md).
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from cti_bridge.domain.errors import StorageError, WireError
from screen_pop import wire
from screen_pop.hub import Connection, Hub
from screen_pop.metrics import WebMetrics
from screen_pop.outbox import Gap, OutboxEvent
from screen_pop.ports import LiveState, User
from screen_pop.visible import snapshot_of, user_document

log = structlog.get_logger()

PATIENT_MESSAGE_BYTES = 1 << 20
"""Up to here a message is read to its end, so that the client gets to see 4409 rather than a reset."""

_OUR_CODES: Mapping[int, int] = {
    WSCloseCode.MESSAGE_TOO_BIG: wire.CLOSE_TOO_LARGE,
    WSCloseCode.PROTOCOL_ERROR: wire.CLOSE_NOT_THE_PROTOCOL,
    WSCloseCode.INVALID_TEXT: wire.CLOSE_NOT_THE_PROTOCOL,
}
"""What aiohttp's parser closes with by itself, in the words of our protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Seconds and counts; the defaults suit browsers."""

    hello_seconds: float = 5.0
    ping_seconds: float = 20.0
    """Silence after which we ping (proxies cut at 60 s); the same again without a sign of life ends the link."""
    close_seconds: float = 5.0
    recheck_seconds: float = 60.0
    """How often the session is looked up again: expiry, a changed role."""
    messages_per_second: float = 50.0
    message_burst: int = 200
    refused_messages: int = 10
    """Refused messages after which the client is taken not to speak the protocol."""


class SessionSocket(web.WebSocketResponse[Literal[False]]):
    """aiohttp's websocket with our close codes for what its parser refuses by itself."""

    def __init__(self, limits: SessionLimits) -> None:
        super().__init__(
            protocols=(wire.SUBPROTOCOL,),
            timeout=limits.close_seconds,
            autoping=False,  # pongs are counted as signs of life by the session
            compress=False,  # 14 -> 108 kB of memory for each client, and a bomb's fuse (PERF 3)
            max_msg_size=PATIENT_MESSAGE_BYTES,
            decode_text=False,
        )

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        return await super().close(code=_OUR_CODES.get(code, code), message=message, drain=drain)


class Session:
    """The life of one link. `still` gives the session's user again, or None when it is over."""

    def __init__(
        self,
        socket: SessionSocket,
        transport: asyncio.Transport | None,
        connection: Connection,
        *,
        hub: Hub,
        live: LiveState,
        still: Callable[[], Awaitable[User | None]],
        metrics: WebMetrics,
        now: Callable[[], datetime],
        limits: SessionLimits,
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._connection = connection
        self._hub = hub
        self._live = live
        self._still = still
        self._metrics = metrics
        self._now = now
        self._limits = limits
        self._refused = 0
        self._allowance = float(limits.message_burst)
        self._last_message_at = time.monotonic()

    async def run(self) -> WireError:
        """Serves the link until it ends and closes it; gives the reason, for the log."""
        ended = WireError("client-gone", "the client closed the link")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_end())
                tasks.create_task(self._recheck_loop())
                await self._welcome(await self._hello())
                tasks.create_task(self._write_loop())
                await self._read_loop()
        except* WireError as group:
            ended = next(error for error in group.exceptions if isinstance(error, WireError))
        except* ConnectionError:
            pass  # the browser vanished while we wrote to it: the same as closing
        except* Exception as group:
            # The rim of a session: a defect ends this link only, and is seen in the log.
            log.error("websocket.failed", user=self._connection.user.user_id, exc_info=group.exceptions[0])
            ended = WireError("internal-error", "internal error", close_code=wire.CLOSE_INTERNAL)
        await self._close(ended)
        return ended

    async def _hello(self) -> wire.Hello:
        try:
            async with asyncio.timeout(self._limits.hello_seconds):
                message = wire.decode(await self._receive(), self._connection.user.role)
        except TimeoutError as error:
            raise _not_the_protocol("no hello in time") from error
        except WireError as error:
            raise error if error.close_code else _not_the_protocol(error.detail) from error
        if not isinstance(message, wire.Hello):
            raise _not_the_protocol("the first message is hello")
        return message

    async def _welcome(self, hello: wire.Hello) -> None:
        """Takes the place in the outbox and the snapshot in one step of the loop: nothing falls between, nothing comes twice."""
        connection = self._connection
        resumed, missed = False, None
        if connection.receiver:
            outbox = connection.receiver.outbox
            if hello.last_event_id:
                missed = outbox.next_after(hello.last_event_id)
                resumed = not isinstance(missed, Gap)
            connection.cursor = hello.last_event_id if resumed else outbox.newest_id
        user = connection.user
        welcome = wire.welcome(
            resumed=resumed,
            event_id=connection.cursor,
            at=self._now(),
            user=user_document(user),
            snapshot=snapshot_of(self._hub.view_of(user), self._live),
        )
        self._hub.opened(connection)
        connection.wake.set()
        self._metrics.ws_resumed.labels("gap" if isinstance(missed, Gap) else "resumed" if resumed else "fresh").inc()
        if isinstance(missed, Gap):
            await self._send(wire.gap(missed.reason))
        await self._send(welcome)

    async def _read_loop(self) -> None:
        while True:
            try:
                message = wire.decode(await self._receive(), self._connection.user.role)
                self._do(message)
            except WireError as refused:
                if refused.close_code is not None or refused.kind == "client-gone":
                    raise
                await self._refuse(refused)

    def _do(self, message: wire.ClientMessage) -> None:
        match message:
            case wire.Hello():
                raise WireError("wrong-shape", "hello was said already")
            case wire.Ack(id=event_id):
                self._hub.acknowledge(self._connection, event_id)
            case wire.Shown(pop_id=pop_id):
                self._hub.shown(self._connection.user, pop_id)
            case _:
                assert_never(message)

    async def _refuse(self, refused: WireError) -> None:
        self._metrics.ws_refused.labels(refused.kind).inc()
        self._refused += 1
        if self._refused > self._limits.refused_messages:
            raise _not_the_protocol("too many wrong messages") from refused
        await self._send(wire.error(refused))

    async def _receive(self) -> bytes:
        """The next text frame. Answers pings, pings after silence, and ends the link with 4408 when nothing comes back."""
        pinged = False
        while True:
            try:
                frame = await self._socket.receive(timeout=self._limits.ping_seconds)
            except TimeoutError as error:
                if pinged:
                    raise WireError("silent", "no sign of life", close_code=wire.CLOSE_SILENT) from error
                pinged = True
                await self._socket.ping()
                continue
            pinged = False
            self._spend_allowance()
            match frame.type:
                case WSMsgType.TEXT:
                    return bytes(frame.data)
                case WSMsgType.PING:
                    await self._socket.pong(frame.data)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.BINARY:
                    raise _not_the_protocol("frames are text")
                case _:
                    raise WireError("client-gone", "the client closed the link")

    def _spend_allowance(self) -> None:
        now = time.monotonic()
        earned = (now - self._last_message_at) * self._limits.messages_per_second
        self._last_message_at = now
        self._allowance = min(float(self._limits.message_burst), self._allowance + earned) - 1
        if self._allowance < 0:
            raise WireError("too-many-messages", "too many messages", close_code=wire.CLOSE_TOO_SLOW)

    async def _write_loop(self) -> None:
        connection = self._connection
        while True:
            await connection.wake.wait()
            connection.wake.clear()
            await self._send_events()
            while states := connection.latest.take():
                type_, documents = states
                await self._send(wire.live_state(type_, self._now(), documents))
                await self._send_events()

    async def _send_events(self) -> None:
        connection = self._connection
        while connection.receiver:
            match connection.receiver.outbox.next_after(connection.cursor):
                case OutboxEvent(event_id=event_id, body=body):
                    connection.cursor = event_id
                    await self._send(wire.numbered(event_id, body))
                case Gap():
                    raise WireError("too-slow", "too far behind", close_code=wire.CLOSE_TOO_SLOW)
                case None:
                    return

    async def _send(self, frame: bytes) -> None:
        await self._socket.send_frame(frame, WSMsgType.TEXT)

    async def _watch_end(self) -> None:
        raise await self._connection.ended

    async def _recheck_loop(self) -> None:
        while True:
            await asyncio.sleep(self._limits.recheck_seconds)
            try:
                user = await self._still()
            except StorageError:
                log.warning("websocket.recheck_failed", user=self._connection.user.user_id)
                continue  # calls go on while the store is away, and so do the pops of those already let in
            known = self._connection.user
            if user is None or (user.role, user.extension) != (known.role, known.extension):
                raise WireError("not-signed-in", "the session is over", close_code=wire.CLOSE_NOT_SIGNED_IN)

    async def _close(self, ended: WireError) -> None:
        if ended.close_code is not None:
            await close_socket(self._socket, self._transport, ended, self._metrics, seconds=self._limits.close_seconds)


async def close_socket(
    socket: SessionSocket, transport: asyncio.Transport | None, ended: WireError, metrics: WebMetrics, *, seconds: float
) -> None:
    """Says goodbye with the code and, where the browser does not read on, cuts the link after `seconds`."""
    code = ended.close_code or WSCloseCode.OK
    metrics.ws_closed.labels(str(int(code))).inc()
    with contextlib.suppress(TimeoutError):  # then the transport is cut below
        async with asyncio.timeout(seconds):
            await socket.close(code=code, message=ended.kind.encode())
    if transport and socket.close_code == WSCloseCode.ABNORMAL_CLOSURE:
        transport.abort()


def _not_the_protocol(detail: str) -> WireError:
    return WireError("not-the-protocol", detail, close_code=wire.CLOSE_NOT_THE_PROTOCOL)
