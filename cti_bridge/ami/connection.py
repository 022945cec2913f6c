"""One TCP or TLS connection to a PBX: opened, signed in, kept alive, read without ever pausing.

Comes in: settings of one PBX. Goes out: each chunk as read, with its receive time and the news it completed, to one callback
that must not block. Asterisk cuts a reader that leaves its socket full for 100 ms (`writetimeout`, manager.c), so nothing here
waits for the consumer and the receive buffer is large. Neither side of AMI sends keep-alives: a peer that is gone without a FIN
shows only by silence, so an idle connection is pinged and a silent one given up.
"""

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from asterisk.ami import Action

from config.settings import PbxSettings
from cti_bridge.ami import actions
from cti_bridge.ami.conversation import Conversation, LoggedIn, LoginRefused, News
from cti_bridge.domain.errors import AmiDisconnected

RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024
"""About 10,000 events; the kernel may grant less (net.core.rmem_max)."""
_TCP_USER_TIMEOUT_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A moment on both clocks: `wall` in Unix seconds (jumps when the clock is set), `mono` in monotonic seconds."""

    wall: float
    mono: float


def system_clock() -> At:
    return At(wall=time.time(), mono=time.monotonic())


Clock = Callable[[], At]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, in seconds. A silent PBX is noticed within `dead`, pinged whenever idle for `idle`.

    `sweep`: how often the channels are listed anew (the listing of 2,000 is about 1.5 MB).
    """

    connect: float = 5.0
    login: float = 10.0
    idle: float = 3.0
    dead: float = 8.0
    resync: float = 60.0
    sweep: float = 60.0


class LoginFailed(Exception):
    """The PBX took the connection and refused the login; the text is its message."""


class Listener(Protocol):
    """Who is told what happens on the connections of a link; none of these may block or raise."""

    async def ready_to_connect(self) -> None:
        """Returns when a (new) connection makes sense."""

    def opened(self, connection: "AmiConnection", *, at: At, asked_at: At) -> None:
        """TCP (and TLS) is up, asked for at `asked_at`; nothing was read yet."""

    def received(self, at: At, data: bytes, news: Sequence[News]) -> None: ...

    def closed(self, at: At, reason: str) -> None:
        """Told exactly once for each `opened`."""


@dataclass(slots=True, kw_only=True)
class _Life:
    """What the loop waits for: the login's outcome and the end with its reason."""

    login: asyncio.Future[LoggedIn | LoginRefused] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    end: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class AmiConnection(asyncio.Protocol):
    """One connection. Made by `open_connection`; then `signed_in`, then `lived` until it ends."""

    def __init__(self, conversation: Conversation, *, limits: Limits, clock: Clock, listener: Listener) -> None:
        self._conversation = conversation
        self._limits = limits
        self._clock = clock
        self._listener = listener
        self._asked_at = clock()
        self._transport: asyncio.Transport | None = None
        self._life = _Life()
        self._reason = ""
        self._heard = asyncio.get_running_loop().time()

    @property
    def counters(self) -> dict[str, int]:
        return self._conversation.counters

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What TLS agreed on; None without TLS, or before the connection is made."""
        return self._transport.get_extra_info("ssl_object") if self._transport is not None else None

    @property
    def ids(self) -> str:
        """What the ActionIDs of this connection begin with."""
        return self._conversation.ids

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.opened(self, at=self._clock(), asked_at=self._asked_at)

    def data_received(self, data: bytes) -> None:
        at = self._clock()
        self._heard = asyncio.get_running_loop().time()
        news = self._conversation.receive(data)
        self._flush()
        if not self._life.login.done():
            self._note_login(news)
        self._listener.received(at, data, news)

    def connection_lost(self, exc: Exception | None) -> None:
        reason = self._reason or _ending(exc)
        self._life.end.set_result(reason)
        self._listener.closed(self._clock(), reason)

    async def signed_in(self) -> str:
        """Waits for the login; gives the banner. Raises LoginFailed, AmiDisconnected (closed, or no answer in time)."""
        outcomes: set[asyncio.Future[Any]] = {self._life.login, self._life.end}
        try:
            async with asyncio.timeout(self._limits.login):
                await asyncio.wait(outcomes, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            phase = self._conversation.phase
            self.drop(f"the login {phase.value} since {self._limits.login:g} s: is this an Asterisk manager port?")
            raise AmiDisconnected(self._reason) from None
        if not self._life.login.done():
            raise AmiDisconnected(f"{await self.ended()} before the login was answered")
        match self._life.login.result():
            case LoginRefused(message=message):
                raise LoginFailed(message)
            case LoggedIn(banner=banner):
                return banner

    async def lived(self) -> str:
        """Pings while idle, gives up on silence; returns why the connection ended."""
        loop = asyncio.get_running_loop()
        limits = self._limits
        pinged = loop.time()
        while not self._life.end.done():
            now = loop.time()
            if now - self._heard >= limits.dead:
                self.drop(f"no bytes for {limits.dead:g} s")
                break
            if now - max(self._heard, pinged) >= limits.idle:
                pinged = now
                with contextlib.suppress(AmiDisconnected):  # too many unanswered: the silence decides
                    self.perform(actions.ping())
            wake = min(self._heard + limits.dead, max(self._heard, pinged) + limits.idle)
            await asyncio.wait({self._life.end}, timeout=max(0.0, wake - now))
        return await self.ended()

    async def ended(self) -> str:
        """Waits for the end; gives its reason."""
        return await asyncio.shield(self._life.end)

    def perform(self, action: Action, *, collect: bool = False) -> str:
        """Sends the action and gives its ActionID. Raises ValueError for a value not to be sent, AmiDisconnected when down."""
        if self._transport is None or self._transport.is_closing():
            raise AmiDisconnected(f"the link to the PBX is down: {action.name} was not sent")
        action_id = self._conversation.perform(action, collect=collect)
        self._flush()
        return action_id

    def forget(self, action_id: str) -> None:
        self._conversation.forget(action_id)

    def drop(self, reason: str) -> None:
        """Ends the connection at once, on purpose; `lived` returns the reason."""
        if not self._reason:
            self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    async def leave(self, reason: str, *, seconds: float = 1.0) -> None:
        """Ends the connection in order: TLS says goodbye, which Asterisk's log would miss; a peer that does not is dropped."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ended()
        self.drop("the PBX did not let go")
        await self.ended()

    def _flush(self) -> None:
        data = self._conversation.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)

    def _note_login(self, news: list[News]) -> None:
        for item in news:
            if isinstance(item, LoginRefused):
                self._reason = f"login refused: {item.message}"
            if isinstance(item, LoggedIn | LoginRefused):
                self._life.login.set_result(item)
                return


def _ending(exc: Exception | None) -> str:
    match exc:
        case None:
            return "the PBX closed the connection"
        case ConnectionResetError():
            return "the connection was reset"
        case TimeoutError():
            return "the network no longer delivers"
        case _:
            return f"the connection broke: {exc}"


async def open_connection(
    settings: PbxSettings, secret: str, *, events: str, limits: Limits, clock: Clock, listener: Listener
) -> AmiConnection:
    """Connects (and makes TLS); the login then goes on by itself. Raises OSError, which TimeoutError and ssl.SSLError are."""
    conversation = Conversation(
        username=settings.username, secret=secret, auth=settings.auth, events=events, token=secrets.token_hex(12)
    )
    context = ssl.create_default_context(cafile=settings.tls_ca) if settings.tls else None
    loop = asyncio.get_running_loop()
    connection = AmiConnection(conversation, limits=limits, clock=clock, listener=listener)
    async with asyncio.timeout(limits.connect):
        sock = await _connected_socket(settings.host, settings.port)
        try:
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=context, server_hostname=settings.host if context else None
            )
        except BaseException:
            connection.drop("the connection was given up while it was made")
            sock.close()
            raise
    return connection


async def _connected_socket(host: str, port: int) -> socket.socket:
    """Tries each address of the host. The receive buffer is set before connecting, or the window could not grow to it."""
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(sock)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure or OSError(f"{host} has no address")


def _keep_alive(sock: socket.socket) -> None:
    """TCP's own keep-alive: a second net below the Ping, where the platform has these options."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 5),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", _TCP_USER_TIMEOUT_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
