"""A SIP phone for tests, with real SIP on the wire: it stands for an agent's desk phone or for the carrier.

`SipPhone` owns the UDP socket and hands each call to its `SipCall` (tests.support.sip_call), which test code drives.
"""

import asyncio
import secrets
from types import TracebackType
from urllib.parse import quote

from tests.support.rtp import RtpStream
from tests.support.sip_call import CallState, SipCall
from tests.support.sip_message import SipMessage, encode_response, parse

SIP_PORT = 5060


class SipPhone(asyncio.DatagramProtocol):
    """A phone named `user` at `address`:5060, known to the PBX at `pbx`.

    Use as an async context. Incoming calls ring and wait in `next_call`, unless `rejects` holds a SIP code.
    """

    def __init__(self, *, address: str, user: str, pbx: str) -> None:
        self.address = address
        self.user = user
        self.pbx = pbx
        self.rejects: int | None = None
        self._calls: dict[str, SipCall] = {}
        self._incoming: asyncio.Queue[SipCall] = asyncio.Queue(maxsize=100)
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> "SipPhone":
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, SIP_PORT))
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up, and gives the address free."""
        for call in self._calls.values():
            call.hang_up()
            call.media.close()
        if self._transport is not None:
            self._transport.close()

    def call(
        self,
        target: str,
        *,
        number: str | None = None,
        name: str | None = None,
        from_header: str | None = None,
        headers: tuple[str, ...] = (),
    ) -> SipCall:
        """Dial `target`. `number` and `name` are what the callee sees; `from_header` replaces both and goes out byte for byte."""
        shown = f'"{_quoted(name)}" ' if name is not None else ""
        local = from_header if from_header is not None else f"{shown}<sip:{number or self.user}@{self.address}>"
        uri = f"sip:{quote(target, safe='*+')}@{self.pbx}"
        call = SipCall.outgoing(phone=self, media=RtpStream(self.address), local=local, uri=uri)
        self._calls[call.call_id] = call
        call.invite(headers)
        return call

    async def next_call(self, seconds: float | None = 10.0) -> SipCall:
        """The next incoming call, ringing here; one whose caller has gone already is passed over.

        Raises:
            TimeoutError: nobody called within `seconds`; None waits as long as it takes.
        """
        async with asyncio.timeout(seconds):
            while True:
                call = await self._incoming.get()
                if call.state is not CallState.ENDED:
                    return call

    def put_back(self, call: SipCall) -> None:
        """Undo a `next_call`."""
        self._incoming.put_nowait(call)

    def send(self, datagram: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram, (self.pbx, SIP_PORT))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip():
            return  # a keep-alive
        message = parse(data)
        call = self._calls.get(message.call_id)
        if call is not None:
            call.received(message)
        elif message.is_response or message.method == "ACK":
            return
        elif message.method == "INVITE":
            self._take(message)
        else:
            # OPTIONS and NOTIFY come without a call; anything else belongs to a call that this phone no longer has.
            code = 200 if message.method in {"OPTIONS", "NOTIFY"} else 481
            self.send(encode_response(message, code, tag=secrets.token_hex(6)))

    def _take(self, invite: SipMessage) -> None:
        call = SipCall.incoming(phone=self, media=RtpStream(self.address), invite=invite)
        self._calls[call.call_id] = call
        if self.rejects is not None:
            call.reject(self.rejects)
            return
        call.ring()
        self._incoming.put_nowait(call)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
