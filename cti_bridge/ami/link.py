"""Keeps one connection to a PBX up: connects, signs in, begins again with backoff when it ends, and says plainly how it is.

Comes in: settings, and a `Listener` that is told what happens. Goes out: `LinkStatus` for the admin's page and one log line for
each change. Never gives up, never loops tightly: after a refused login the waits are long at once, because Asterisk allows only
50 unauthenticated sessions (`authlimit`) and another client could be locked out.
"""

import asyncio
import socket
import ssl
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import structlog

from config.settings import PbxSettings
from cti_bridge.ami.connection import AmiConnection, Clock, Limits, Listener, LoginFailed, open_connection, system_clock
from cti_bridge.backoff import Backoff
from cti_bridge.domain.errors import AmiDisconnected

log = structlog.get_logger()

SETTLED_SECONDS: Final = 5.0
"""A connection that lived this long was a success: the next failure starts with a short wait again."""


class LinkState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """How a link stands, since when, and in `detail` what to do about it. `version` is Asterisk's, where known."""

    state: LinkState
    since: datetime
    detail: str
    version: str | None
    counters: dict[str, int]


class AmiLink:
    """One link that stays up; `run` it. `events` is the event mask of its logins."""

    def __init__(
        self,
        settings: PbxSettings,
        secret: str,
        *,
        role: str,
        events: str,
        listener: Listener,
        limits: Limits | None = None,
        clock: Clock = system_clock,
        backoff: Backoff | None = None,
        refused_backoff: Backoff | None = None,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._role = role
        self._events = events
        self._listener = listener
        self._limits = limits or Limits()
        self._clock = clock
        self._backoff = backoff or Backoff(first_seconds=0.2, most_seconds=30)
        self._refused_backoff = refused_backoff or Backoff(first_seconds=10, most_seconds=30, floor=0.8)
        self._connection: AmiConnection | None = None
        self._up = asyncio.Event()
        self._counted: Counter[str] = Counter()
        self._status = LinkStatus(
            state=LinkState.CONNECTING, since=self._now(), detail="first attempt", version=None, counters={}
        )

    def status(self) -> LinkStatus:
        """How the link stands now, with the counters of all its connections."""
        counters = self._counted + Counter(self._connection.counters if self._connection else {})
        return replace(self._status, counters=dict(counters))

    async def connected(self) -> None:
        """Returns when the link is up (at once where it is)."""
        await self._up.wait()

    def note(self, detail: str, *, version: str | None, complete: bool) -> None:
        """Takes what was learnt on the standing link; `complete` means that nothing is missing."""
        self._stand(LinkState.CONNECTED, detail)
        self._status = replace(self._status, version=version or self._status.version)
        emit = log.info if complete else log.warning
        emit("ami.resynced", pbx=self._settings.name, link=self._role, detail=detail, version=version)

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        while True:
            await self._listener.ready_to_connect()
            await asyncio.sleep(await self._attempt())

    async def _attempt(self) -> float:
        """One connection from its opening to its end; gives the seconds to wait before the next."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            connection = await open_connection(
                self._settings,
                self._secret,
                events=self._events,
                limits=self._limits,
                clock=self._clock,
                listener=self._listener,
            )
        except OSError as error:
            self._change(LinkState.DISCONNECTED, why_unreachable(error, self._settings))
            return self._backoff.next()
        self._connection = connection
        self._counted["connections"] += 1
        try:
            banner = await connection.signed_in()
            self._refused_backoff.reset()
            if self._status.state is not LinkState.CONNECTED:  # else the listings were quicker
                self._change(LinkState.CONNECTED, banner)
            self._change(LinkState.DISCONNECTED, await connection.lived())
        except LoginFailed as error:
            self._change(LinkState.REFUSED, why_refused(str(error), self._settings))
            return self._refused_backoff.next()
        except AmiDisconnected as error:
            self._change(LinkState.DISCONNECTED, str(error))
        finally:
            await connection.leave("this service ended the connection")
            self._connection = None
            self._counted += Counter(connection.counters)
        if loop.time() - began >= SETTLED_SECONDS:
            self._backoff.reset()
        return self._backoff.next()

    def _change(self, state: LinkState, detail: str) -> None:
        """Logged once for each change, not once for each attempt."""
        if (state, detail) == (self._status.state, self._status.detail):
            return
        self._stand(state, detail)
        emit = log.info if state is LinkState.CONNECTED else log.warning
        emit(f"ami.{state.value}", pbx=self._settings.name, link=self._role, detail=detail)

    def _stand(self, state: LinkState, detail: str) -> None:
        since = self._status.since if state is self._status.state else self._now()
        self._status = replace(self._status, state=state, since=since, detail=detail)
        if state is LinkState.CONNECTED:
            self._up.set()
        else:
            self._up.clear()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock().wall, UTC)


def why_unreachable(error: OSError, settings: PbxSettings) -> str:
    """Why no connection came about, and where to look."""
    where = f"{settings.host}:{settings.port}"
    match error:
        case ConnectionRefusedError():
            return f"nothing listens at {where}: is Asterisk up, and are enabled, port and bindaddr right in manager.conf?"
        case TimeoutError():
            return f"{where} does not answer: the PBX is away, or a firewall is in between"
        case socket.gaierror():
            return f"the name {settings.host} is not known: check host in the settings, and DNS"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {where} is not accepted: {error.verify_message}; set tls_ca to the authority that signed it"
            )
        case ssl.SSLError() | ConnectionResetError():
            return f"no TLS with {where}: is this the port of tlsbindaddr in manager.conf? ({error.strerror or error})"
        case _:
            return f"no connection to {where}: {error.strerror or error}"


def why_refused(message: str, settings: PbxSettings) -> str:
    """What to mend after a refused login; Asterisk does not tell a wrong secret from an address that is not permitted."""
    user = settings.username
    if "already" in message.lower():
        return (
            f"[{user}] is signed in elsewhere and allowmultiplelogin is no: set it to yes, or give each service a user of its own"
        )
    if "authentication" in message.lower():
        return (
            f"login refused: check username and secret against [{user}] in manager.conf, and that its deny, permit and acl "
            "let this machine in"
        )
    return f"login refused: {message}"
