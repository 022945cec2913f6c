"""The dialogue on one AMI connection, without the socket: greeting, login, actions under way, their answers.

Comes in: bytes from the PBX, actions to perform. Goes out: what happened (`News`) and bytes to send. Pure: no clock, no socket,
no randomness; the token that makes ActionIDs unguessable is an argument. Stands between `codec` (bytes to messages) and
`connection` (the socket).

    BANNER --banner--> CHALLENGE --digits--> LOGIN --Success--> OPEN
              (plain logins go from BANNER to LOGIN)   --Error--> REFUSED

An answer is one `Response`, or for a listing `Response` + `EventList: start`, items, and an event with `EventList: Complete`
(Asterisk 22; AMI.md 1.4). A listing of nothing is `Response: Error` for the conference lists, which is no refusal.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from asterisk.ami import Action, Response

from cti_bridge.ami import actions
from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent, AmiReply
from cti_bridge.domain.errors import AmiDisconnected

MAX_PENDING: Final = 500
"""Actions without an answer; more means that the PBX does not answer at all."""
MAX_LIST_ITEMS: Final = 100_000
"""Of one collected listing; the largest known site has some thousand queue members."""
_MAX_GREETING: Final = 200
_EMPTY_LISTS: Final = frozenset({"No active conferences."})


class Phase(Enum):
    BANNER = "waits for the greeting"
    CHALLENGE = "waits for the challenge"
    LOGIN = "waits for the login's answer"
    OPEN = "is signed in"
    REFUSED = "was refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """The PBX took the login; `banner` is its greeting, as `Asterisk Call Manager/11.0.0`."""

    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused:
    """The PBX did not take the login; it closes the connection itself."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to an action, or to a listing with its Complete event seen; `items` only where they were to be collected."""

    action_id: str
    action: str
    response: Response
    items: tuple[AmiEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The PBX answered `Response: Error`."""

    action_id: str
    action: str
    message: str


News = AmiEvent | LoggedIn | LoginRefused | Accepted | Refused


@dataclass(slots=True, kw_only=True)
class _Pending:
    action: str
    collect: bool
    listing: Response | None = None
    items: list[AmiEvent] = field(default_factory=list)


class Conversation:
    """One connection's dialogue; `receive` what was read, send what `data_to_send` gives, ask with `perform`.

    `token` must be unguessable (from the secrets module) and new for each connection: callers can write into the stream, and
    an answer counts only with the ActionID of an action under way. `events` is the event mask of the login. `ids` is what all its
    ActionIDs begin with.
    """

    def __init__(self, *, username: str, secret: str, auth: str, events: str, token: str) -> None:
        self._username = username
        self._secret = secret
        self._auth = auth
        self._events = events
        self.ids = f"cti-{token}-"
        self._count = 0
        self._phase = Phase.BANNER
        self._greeting = b""
        self._pending: dict[str, _Pending] = {}
        self._listings = 0
        self._late: OrderedDict[str, None] = OrderedDict()
        self._outbox: list[bytes] = []
        self._codec = AmiCodec(expects=self._expects)

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def banner(self) -> str:
        """The PBX's greeting; empty until it came."""
        return self._greeting.decode("ascii", "replace") if self._phase is not Phase.BANNER else ""

    @property
    def counters(self) -> dict[str, int]:
        """The codec's counters: events, skipped, malformed, forged …"""
        return self._codec.counters

    def data_to_send(self) -> bytes:
        """What is to be written now; empty when nothing is."""
        data = b"".join(self._outbox)
        self._outbox.clear()
        return data

    def receive(self, data: bytes) -> list[News]:
        """What these bytes tell, in their order. Never raises: what the PBX sends wrong is counted by the codec."""
        if self._phase is Phase.BANNER:
            self._greet(data)
        messages = self._codec.receive(data)
        news: list[News] = []
        for message in messages:
            if isinstance(message, AmiEvent):
                news.append(message)
                if self._listings:
                    news.extend(self._list_item(message))
            else:
                news.extend(self._reply(message))
        return news

    def perform(self, action: Action, *, collect: bool = False) -> str:
        """Queues the action for sending and gives its ActionID; with `collect` a listing's items come with its answer.

        Raises ValueError for what the encoder refuses, AmiDisconnected when not signed in or when too many go unanswered.
        """
        if self._phase is not Phase.OPEN:
            raise AmiDisconnected(f"the link to the PBX {self._phase.value}: {action.name} was not sent")
        return self._send(action, collect=collect)

    def forget(self, action_id: str) -> None:
        """The caller waits no longer; a late answer is then dropped, not taken for a forged one."""
        pending = self._pending.pop(action_id, None)
        if pending is None:
            return
        if pending.listing is not None:
            self._listings -= 1
        self._late[action_id] = None
        if len(self._late) > MAX_PENDING:
            self._late.popitem(last=False)

    def _expects(self, action_id: str) -> bool:
        return action_id in self._pending or action_id in self._late

    def _send(self, action: Action, *, collect: bool) -> str:
        if len(self._pending) >= MAX_PENDING:
            raise AmiDisconnected(f"{MAX_PENDING} actions have no answer yet: {action.name} was not sent")
        action_id = f"{self.ids}{self._count}"
        data = actions.encode(action, action_id)
        self._count += 1
        self._pending[action_id] = _Pending(action=action.name, collect=collect)
        self._outbox.append(data)
        return action_id

    def _greet(self, data: bytes) -> None:
        """Signs in once the greeting's line is whole; no blank line follows it, so the codec sees it only later."""
        self._greeting = (self._greeting + data)[:_MAX_GREETING]
        line, end, _ = self._greeting.partition(b"\r\n")
        if not (end and line.startswith(b"Asterisk Call Manager/")):
            return
        self._greeting = line
        if self._auth == "md5":
            self._phase = Phase.CHALLENGE
            self._send(actions.challenge(), collect=False)
        else:
            self._phase = Phase.LOGIN
            self._send(actions.login_plain(self._username, self._secret, events=self._events), collect=False)

    def _reply(self, reply: AmiReply) -> list[News]:
        action_id, response = reply.action_id, reply.response
        if self._late.pop(action_id, True) is None:
            return []
        pending = self._pending.get(action_id)
        if pending is None or pending.listing is not None:
            return []
        message = response.keys.get("Message", "")
        if response.is_error() and message not in _EMPTY_LISTS:
            del self._pending[action_id]
            return [self._refused(action_id, pending, message)]
        if response.keys.get("EventList", "").lower() == "start":
            pending.listing = response
            self._listings += 1
            return []
        del self._pending[action_id]
        return self._accepted(action_id, pending, response)

    def _accepted(self, action_id: str, pending: _Pending, response: Response) -> list[News]:
        match self._phase:
            case Phase.CHALLENGE:
                digest = hashlib.md5((response.keys.get("Challenge", "") + self._secret).encode(), usedforsecurity=False)
                self._phase = Phase.LOGIN
                self._send(actions.login_md5(self._username, digest.hexdigest(), events=self._events), collect=False)
                return []
            case Phase.LOGIN:
                self._phase = Phase.OPEN
                return [LoggedIn(banner=self.banner)]
            case _:
                return [Accepted(action_id=action_id, action=pending.action, response=response)]

    def _refused(self, action_id: str, pending: _Pending, message: str) -> News:
        if self._phase is Phase.OPEN:
            return Refused(action_id=action_id, action=pending.action, message=message or "refused without a reason")
        self._phase = Phase.REFUSED
        return LoginRefused(message=message or "refused without a reason")

    def _list_item(self, event: AmiEvent) -> list[News]:
        action_id = event.action_id
        pending = self._pending.get(action_id)
        if pending is None or pending.listing is None:
            return []
        if event.get("EventList").lower() != "complete":
            if not pending.collect:
                return []
            if len(pending.items) < MAX_LIST_ITEMS:
                pending.items.append(event)
                return []
            self.forget(action_id)
            return [Refused(action_id=action_id, action=pending.action, message=f"more than {MAX_LIST_ITEMS} items")]
        del self._pending[action_id]
        self._listings -= 1
        return [Accepted(action_id=action_id, action=pending.action, response=pending.listing, items=tuple(pending.items))]
