"""The AMI port: banner, login, actions in turn, events by class; and the cutting of clients that do not read.

As manager.c of Asterisk 22: a session's events wait while one of its actions is answered, a wrong secret costs a second
and the connection, and nothing is kept for a client that is away.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import structlog

from cti_bridge.simulator import actions, wire
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.request import Message, Request, error, success
from cti_bridge.simulator.wire import Header

log = structlog.get_logger()

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
CLASSES = frozenset(
    {"system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf"}
    | {"reporting", "cdr", "dialplan", "originate", "agi", "cc", "aoc", "test", "security"}
)
LOGIN_SECONDS = 30.0
"""`authtimeout`."""
REFUSAL_SECONDS = 1.0
"""How long Asterisk sleeps before it says that a secret is wrong."""
MOST_SESSIONS = 100
UNREAD_BYTES = 1 << 20
"""A client with more than this unread is cut, as Asterisk cuts one whose socket stays full for `writetimeout`."""
LONGEST_LINE = 1024
MOST_LINES = 128
_READ_LIMIT = 1 << 16


_SESSION_COMMANDS = {
    "Challenge": "Generate Challenge for MD5 Auth.",
    "Events": "Control Event Flow.",
    "ListCommands": "List available manager commands.",
    "Login": "Login Manager.",
    "Logoff": "Logoff Manager.",
    "Ping": "Keepalive command.",
}
_COMMANDS: tuple[Header, ...] = tuple(
    sorted(
        [(name, f"{synopsis}  (Priv: <none>)") for name, synopsis in _SESSION_COMMANDS.items()]
        + [(name, f"{known.synopsis}  (Priv: {known.privilege})") for name, known in actions.ACTIONS.items()]
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The one user of this PBX's manager.conf, with read and write of every class."""

    username: str
    secret: str = field(repr=False)


class AmiPort:
    """Serves AMI for one exchange. `publish` is the exchange's `emit`."""

    def __init__(self, *, username: str, secret: str, random: Random) -> None:
        self.account = Account(username=username, secret=secret)
        self._random = random
        self._sessions: set[_Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._exchange: Exchange | None = None
        self._server: asyncio.Server | None = None
        self.clients_cut = 0

    @property
    def exchange(self) -> Exchange:
        assert self._exchange is not None, "open() comes first"
        return self._exchange

    async def open(self, exchange: Exchange, host: str, port: int) -> int:
        """Listens, and gives the port number (of the system's choice where `port` is 0)."""
        self._exchange = exchange
        self._server = await asyncio.start_server(self._serve, host, port, limit=_READ_LIMIT)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def cut_clients(self) -> None:
        """Drops every connection without a word, as a network fault would."""
        for session in list(self._sessions):
            session.cut()

    def publish(self, name: str, event_class: str, headers: Sequence[Header]) -> None:
        if not self._sessions:
            return
        data = wire.event(name, event_class, self.exchange.now(), headers)
        for session in list(self._sessions):
            if event_class in session.classes and not session.deliver(data):
                self.clients_cut += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "the server runs its handlers as tasks"
        self._tasks.add(task)
        session = _Session(self, reader, writer, challenge=str(self._random.randrange(100_000_000, 1_000_000_000)))
        try:
            if len(self._sessions) < MOST_SESSIONS:
                self._sessions.add(session)
                await session.run()
        except (ConnectionError, asyncio.LimitOverrunError, TimeoutError):
            log.debug("simulator.ami_client_gone")
        except asyncio.CancelledError:
            session.cut()
        finally:
            self._sessions.discard(session)
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class _Session:
    def __init__(
        self,
        port: AmiPort,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        challenge: str,
    ) -> None:
        self._exchange = port.exchange
        self._account = port.account
        self._reader = reader
        self._writer = writer
        self._challenge = challenge
        self._waiting: bytearray | None = None
        self._authenticated = False
        self.classes: frozenset[str] = frozenset()

    async def run(self) -> None:
        self._writer.write(BANNER)
        async with asyncio.timeout(LOGIN_SECONDS):
            while not self._authenticated:
                if not await self._log_in():
                    return
        while (request := await self._read()) is not None:
            if not self._answer(request):
                return
            await asyncio.sleep(0)

    def deliver(self, data: bytes) -> bool:
        """Sends or keeps an event; False where the client was cut for not reading."""
        if self._writer.is_closing():
            return True  # the client has gone; its task will hear of it
        if self._waiting is not None:
            self._waiting += data
            return True
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES:
            log.warning("simulator.ami_client_cut", unread_bytes=self._writer.transport.get_write_buffer_size())
            self.cut()
            return False
        self._writer.write(data)
        return True

    def cut(self) -> None:
        self.classes = frozenset()
        self._writer.transport.abort()

    def _send(self, *messages: Message) -> None:
        self._writer.write(b"".join(wire.block(message) for message in messages))

    # -- before login

    async def _log_in(self) -> bool:
        """One request of a client not yet known; False ends the connection."""
        request = await self._read()
        if request is None:
            return False
        match request.get("Action").lower():
            case "challenge" if request.get("AuthType").upper() == "MD5":
                self._send(success(request, None, ("Challenge", self._challenge)))
            case "challenge":
                self._send(error(request, "Must specify AuthType"))
            case "logoff":
                self._send(_goodbye(request))
                return False
            case "login":
                return await self._check(request)
            case "":
                self._send(error(request, "Missing action in request"))
            case _:
                self._send(error(request, "Permission denied"))
        return True

    async def _check(self, request: Request) -> bool:
        if not self._knows(request):
            await asyncio.sleep(REFUSAL_SECONDS)
            self._send(error(request, "Authentication failed"))
            await self._writer.drain()
            return False
        self._authenticated = True
        self._send(success(request, "Authentication accepted"))
        self.classes = _mask(request.get("Events") or "on")
        if "system" in self.classes:
            uptime = str(int(self._exchange.now() - self._exchange.started_at))
            booted = [("Uptime", uptime), ("LastReload", uptime), ("Status", "Fully Booted")]
            self._send([("Event", "FullyBooted"), ("Privilege", "system,all"), *booted])
        return True

    def _knows(self, request: Request) -> bool:
        if request.get("AuthType").upper() == "MD5":
            digest = hashlib.md5((self._challenge + self._account.secret).encode(), usedforsecurity=False).hexdigest()
            proved = hmac.compare_digest(digest, request.get("Key").lower().encode("ascii", "replace").decode())
        else:
            proved = hmac.compare_digest(self._account.secret.encode(), request.get("Secret").encode("utf-8", "surrogateescape"))
        return proved and request.get("Username") == self._account.username

    # -- after login

    def _answer(self, request: Request) -> bool:
        """Answers one action; this session's events wait until the answer is out. False ends the connection."""
        name = request.get("Action").lower()
        if name == "logoff":
            self._send(_goodbye(request))
            return False
        self._waiting = bytearray()
        self._send(*self._act(name, request))
        held, self._waiting = bytes(self._waiting), None
        if held:
            self._writer.write(held)
        return True

    def _act(self, name: str, request: Request) -> list[Message]:
        match name:
            case "":
                message = error(request, "Missing action in request")
            case "login":
                message = error(request, "Already authenticated")
            case "ping":
                message = success(request, None, ("Ping", "Pong"), ("Timestamp", f"{self._exchange.now():.6f}"))
            case "events":
                self.classes = _mask(request.get("EventMask"))
                message = success(request, None, ("Events", "On" if self.classes else "Off"))
            case "listcommands":
                message = success(request, None, *_COMMANDS)
            case _ if (known := actions.find(name)) is not None:
                return known.act(self._exchange, request)
            case _:
                hint = "Use Action: ListCommands to show available commands."
                message = error(request, f"Invalid/unknown command: {request.get('Action')}. {hint}")
        return [message]

    # -- reading

    async def _read(self) -> Request | None:
        """The next action; None at the end. What breaks Asterisk's limits is answered and passed over."""
        headers: list[Header] = []
        problem = ""
        lines = 0
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return None
            text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            if not text:
                if problem:
                    self._send(error(Request(tuple(headers)), problem))
                if headers and not problem:
                    return Request(tuple(headers))
                headers, problem, lines = [], "", 0
                continue
            lines += 1
            if len(line) > LONGEST_LINE:
                problem = "Failed to parse message: line too long"
            elif lines > MOST_LINES:
                problem = "Too many lines in message or allocation failure"
            else:
                key, _, value = text.partition(":")
                headers.append((key.strip(), value.strip()))


def _goodbye(request: Request) -> Message:
    return [("Response", "Goodbye"), *request.tag, ("Message", "Thanks for all the fish.")]


def _mask(text: str) -> frozenset[str]:
    """The classes of `Events` and `EventMask`; as in Asterisk, unknown names count for nothing."""
    match text.strip().lower():
        case "on" | "all" | "yes" | "true" | "-1":
            return CLASSES
        case names:
            return CLASSES & {name.strip() for name in names.split(",")}
