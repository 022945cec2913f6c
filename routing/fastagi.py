"""The FastAGI server: where a PBX asks for a queue, and is answered in time or not at all (stop 1 of the walk).

Fails open: whatever goes wrong, the connection is closed without a queue set, and the dialplan's default queue takes the call
(docs/routing.md). FastAGI knows no password: only peers of the allowed networks are heard, and nothing they say is stored but
the decision itself.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog

from cti_bridge.domain.decision import RoutingDecision
from routing.agi import MAX_LINE, MAX_LINES, AgiRefused, AgiRequest, answer_commands, is_done, read_request

log = structlog.get_logger(__name__)

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_COMPLAIN_EVERY_SECONDS = 60.0
"""One log line per kind and minute: a scanner must not fill the disk; the counters tell how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiLimits:
    """`decide_seconds`: from the last line of the question to the decision. `total_seconds`: the whole connection, so that a
    PBX that stalls holds no place. `connections`: at once; one more is closed at once, which Asterisk takes as no answer."""

    decide_seconds: float = 0.05
    total_seconds: float = 0.5
    connections: int = 256


class FastAgiServer:
    """`decide` answers one question, or None for no opinion; `withdraw` is told of each decision that did not reach the PBX.

    `counters`: asked, answered, and one for each way to fail.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        decide: Callable[[AgiRequest], Awaitable[RoutingDecision | None]],
        withdraw: Callable[[AgiRequest], None],
        peers: Sequence[IPv4Network | IPv6Network] = LOOPBACK,
        limits: AgiLimits = AgiLimits(),
    ) -> None:
        self._host = host
        self._port = port
        self._decide = decide
        self._withdraw = withdraw
        self._peers = tuple(peers)
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._complained: dict[str, float] = {}
        self.counters: Counter[str] = Counter()

    @property
    def port(self) -> int:
        """The port listened on (the system's choice where 0 was asked for); only between start and close."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listens. Raises OSError where the address is taken or not ours."""
        self._server = await asyncio.start_server(self._accept, self._host, self._port, limit=MAX_LINE, backlog=512)
        log.info("fastagi.listening", host=self._host, port=self.port)

    async def run(self) -> None:
        """Serves until cancelled; `start` must have been called."""
        assert self._server is not None
        await self._server.serve_forever()

    async def close(self) -> None:
        """Takes no more connections and lets those under way end, which `total_seconds` bounds."""
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._may_ask(writer):
            self._fail("peer_refused", "the peer is of no allowed network")
            writer.transport.abort()
        elif len(self._connections) >= self._limits.connections:
            self._fail("overloaded", f"{self._limits.connections} connections are open")
            writer.close()
        else:
            task = asyncio.create_task(self._serve(reader, writer), name="fastagi connection")
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    def _may_ask(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("peername")
        if not peer:
            return False
        address = ip_address(peer[0].partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._peers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its first byte to its end; never raises."""
        self.counters["asked"] += 1
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                await self._answer(reader, writer)
        except AgiRefused as refused:
            self._fail(refused.kind, str(refused))
        except TimeoutError:
            self._fail("stalled", "the PBX did not finish its part in time")
        except (OSError, asyncio.IncompleteReadError) as error:
            self._fail("cut_off", type(error).__name__)
        except Exception:
            # The rim of a connection: a mistake of ours must cost this call its rule, and no other call anything.
            self.counters["failed"] += 1
            log.exception("fastagi.failed")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = read_request(await _read_question(reader))
        decision = await self._decision(request)
        if decision is None:
            return
        is_delivered = False
        try:
            # One command at a time: Asterisk looks for the next only after it has answered.
            for command in answer_commands(decision):
                writer.write(command)
                reply = await _read_line(reader)
                if not is_done(reply):
                    raise AgiRefused("not_done", f"the PBX said {reply[:6]!r}")
            is_delivered = True
            self.counters["answered"] += 1
        finally:
            if not is_delivered:
                self._withdraw(request)

    async def _decision(self, request: AgiRequest) -> RoutingDecision | None:
        try:
            async with asyncio.timeout(self._limits.decide_seconds):
                decision = await self._decide(request)
        except TimeoutError:
            raise AgiRefused("late", f"no decision in {self._limits.decide_seconds:g} s") from None
        if decision is None:
            self.counters["undecided"] += 1
        return decision

    def _fail(self, kind: str, detail: str) -> None:
        self.counters[kind] += 1
        now = asyncio.get_running_loop().time()
        if now >= self._complained.get(kind, 0.0):
            self._complained[kind] = now + _COMPLAIN_EVERY_SECONDS
            log.warning("fastagi.not_answered", kind=kind, detail=detail, times=self.counters[kind])


async def _read_question(reader: asyncio.StreamReader) -> list[bytes]:
    lines: list[bytes] = []
    while line := await _read_line(reader):
        if len(lines) >= MAX_LINES:
            raise AgiRefused("oversized", f"more than {MAX_LINES} lines")
        lines.append(line)
    return lines


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """A line without its end; Asterisk ends lines with LF alone. Raises AgiRefused for a line over MAX_LINE."""
    try:
        return (await reader.readuntil(b"\n"))[:-1]
    except asyncio.LimitOverrunError:
        raise AgiRefused("oversized", f"a line over {MAX_LINE:,} bytes") from None
