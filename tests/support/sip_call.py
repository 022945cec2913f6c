"""One call of a test phone: the SIP dialog (RFC 3261), hold by re-INVITE, and transfers by REFER (RFC 3515, 3891).

Stands behind `SipPhone`, which owns the socket. Nothing is repeated on the wire: the loopback loses nothing, and a request of
the PBX that comes twice gets the same answer twice.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.rtp import RtpStream
from tests.support.sip_message import ALLOW, USER_AGENT, SipMessage, encode, encode_response, media_target, sdp

if TYPE_CHECKING:
    from tests.support.sip_phone import SipPhone

REQUEST_SECONDS = 5.0


class CallState(Enum):
    CALLING = "calling"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class End(Enum):
    """How a call ended, seen from this phone."""

    HUNG_UP = "hung up here"
    HUNG_UP_THERE = "hung up there"
    CANCELLED = "the caller gave up, or another phone answered"
    REJECTED = "rejected here"
    REFUSED = "refused there"


@dataclass(slots=True, kw_only=True, eq=False)
class SipCall:
    """Test code reads `state`, `end` and `code`, awaits `rang`, `answered` and `ended`, and does what a hand on a phone does."""

    phone: "SipPhone"
    media: RtpStream
    call_id: str
    is_outgoing: bool
    local: str
    remote: str
    target: str
    invite_request: SipMessage | None = None
    state: CallState = CallState.CALLING
    end: End | None = None
    code: int | None = None
    """The final SIP code of an outgoing call that was refused or answered."""
    rang_at: float | None = None
    """When this phone began to ring, in Unix seconds."""
    progress: list[str] = field(default_factory=list)
    """What the PBX told about a transfer asked by `refer`: the first lines of its NOTIFY bodies."""
    _local_tag: str = field(default_factory=lambda: secrets.token_hex(6))
    _remote_tag: str | None = None
    _cseq: int = 100
    _invite_cseq: int = 0
    _invite_branch: str = ""
    _sdp_version: int = 0
    _direction: str = "sendrecv"
    _last_answer: tuple[int, bytes] | None = None
    _pending: dict[tuple[int, str], "asyncio.Future[SipMessage]"] = field(default_factory=dict)
    _rang: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def outgoing(cls, *, phone: "SipPhone", media: RtpStream, local: str, uri: str) -> "SipCall":
        call_id = f"{secrets.token_hex(8)}@{phone.address}"
        return cls(phone=phone, media=media, call_id=call_id, is_outgoing=True, local=local, remote=f"<{uri}>", target=uri)

    @classmethod
    def incoming(cls, *, phone: "SipPhone", media: RtpStream, invite: SipMessage) -> "SipCall":
        call = cls(
            phone=phone,
            media=media,
            call_id=invite.call_id,
            is_outgoing=False,
            local=invite.headers["to"],
            remote=invite.headers["from"].rsplit(";tag=", 1)[0],
            target=invite.contact or "",
            invite_request=invite,
        )
        call._remote_tag = invite.tag("from")
        return call

    async def rang(self, seconds: float = 10.0) -> None:
        await asyncio.wait_for(self._rang.wait(), seconds)

    async def answered(self, seconds: float = 10.0) -> None:
        await asyncio.wait_for(self._answered.wait(), seconds)

    async def ended(self, seconds: float = 10.0) -> End:
        await asyncio.wait_for(self._ended.wait(), seconds)
        assert self.end is not None
        return self.end

    # What a hand on the phone does.

    def ring(self) -> None:
        self.respond(self._request_of_caller(), 180)
        self.rang_at = time.time()
        self.state = CallState.RINGING
        self._rang.set()

    def answer(self) -> None:
        """Pick up; nothing happens where the caller has gone meanwhile."""
        if self.state is CallState.ENDED:
            return
        self.respond(self._request_of_caller(), 200, self._offer())
        self._talk()

    def reject(self, code: int = 486) -> None:
        if self.state is CallState.ENDED:
            return
        self.respond(self._request_of_caller(), code)
        self._finish(End.REJECTED)

    def hang_up(self) -> None:
        """Put down: BYE in a talk, CANCEL while calling, 603 while it rings here."""
        if self.state is CallState.TALKING:
            self._request("BYE")
            self._finish(End.HUNG_UP)
        elif self.state is not CallState.ENDED and self.is_outgoing:
            self._cancel()
            self._finish(End.HUNG_UP)
        else:
            self.reject(603)

    async def hold(self) -> None:
        await self._reoffer("sendonly")

    async def resume(self) -> None:
        await self._reoffer("sendrecv")

    async def press(self, keys: str) -> None:
        """Dial `keys` during the talk (RFC 4733)."""
        await self.media.press(keys)

    async def refer(self, extension: str, *, replaces: "SipCall | None" = None) -> int:
        """Transfer the far end to `extension`: blind, or attended onto the consultation `replaces`; returns the SIP code."""
        uri = f"sip:{extension}@{self.phone.pbx}"
        if replaces is not None:
            dialog = f"{replaces.call_id};to-tag={replaces._remote_tag};from-tag={replaces._local_tag}"
            uri += "?Replaces=" + quote(dialog, safe="")
        headers = (f"Refer-To: <{uri}>", f"Referred-By: <sip:{self.phone.user}@{self.phone.pbx}>")
        return (await self._ask("REFER", headers)).code

    # The dialog.

    def invite(self, headers: tuple[str, ...] = ()) -> None:
        """Send the first INVITE of an outgoing call."""
        self._invite_branch = _new_branch()
        self._invite_cseq = self._request("INVITE", headers, self._offer(), branch=self._invite_branch)

    def received(self, message: SipMessage) -> None:
        if message.is_response:
            self._take_response(message)
        else:
            self._take_request(message)

    def respond(self, request: SipMessage, code: int, body: str = "") -> None:
        """Answer `request`; the same request, should it come again, gets the same answer."""
        datagram = encode_response(request, code, tag=self._local_tag, headers=self._common(), body=body)
        if request.method == "INVITE":
            self._last_answer = (request.cseq, datagram)
        self.phone.send(datagram)

    def _take_request(self, request: SipMessage) -> None:
        match request.method:
            case "ACK":
                pass
            case "INVITE" if self._last_answer is not None and self._last_answer[0] == request.cseq:
                self.phone.send(self._last_answer[1])
            case "INVITE":
                self._learn(request)
                self.respond(request, 200, self._offer())
            case "UPDATE":
                self._learn(request)
                self.respond(request, 200, self._offer() if request.body else "")
            case "BYE":
                self.respond(request, 200)
                self._finish(End.HUNG_UP_THERE)
            case "CANCEL":
                self.respond(request, 200)
                if self.state is CallState.RINGING:
                    self.respond(self._request_of_caller(), 487)
                    self._finish(End.CANCELLED)
            case "NOTIFY":
                self.respond(request, 200)
                self._take_notify(request)
            case _:
                self.respond(request, 200)

    def _take_notify(self, request: SipMessage) -> None:
        """`refer` tells how a transfer goes; `talk` and `hold` are the remote control that desk phones obey."""
        event = request.headers.get("event", "").partition(";")[0]
        if event == "refer":
            self.progress.append(request.body.strip().split("\r\n")[0])
            if self.progress[-1].startswith("SIP/2.0 2"):
                self.hang_up()  # what desk phones do once the transfer is done
        elif event == "talk" and self.state is CallState.RINGING:
            self.answer()
        elif event in {"talk", "hold"} and self.state is CallState.TALKING:
            self._direction = "sendonly" if event == "hold" else "sendrecv"
            self._request("INVITE", body=self._offer())

    def _take_response(self, response: SipMessage) -> None:
        if response.method == "INVITE":
            self._take_invite_response(response)
        future = self._pending.get((response.cseq, response.method))
        if response.code >= 200 and future is not None and not future.done():
            future.set_result(response)

    def _take_invite_response(self, response: SipMessage) -> None:
        is_first = response.cseq == self._invite_cseq
        if response.code == 100:
            return
        self._remote_tag = response.tag("to") or self._remote_tag
        if response.code < 300:
            self._learn(response)
        if response.code < 200:
            if self.state is CallState.CALLING:
                self.state = CallState.RINGING
                self._rang.set()
            return
        if response.code < 300:
            self._request("ACK", cseq=response.cseq)
        else:
            # RFC 3261, 17.1.1.3: the ACK of a refusal belongs to the INVITE's own transaction.
            self._request("ACK", cseq=response.cseq, branch=response.branch)
        if is_first:
            self._take_outcome(response.code)

    def _take_outcome(self, code: int) -> None:
        self.code = code
        if self.state is CallState.ENDED:
            if code < 300:  # answered while our CANCEL was on its way
                self._request("BYE")
        elif code < 300:
            self._talk()
        else:
            self._finish(End.REFUSED)

    def _learn(self, message: SipMessage) -> None:
        if message.contact is not None:
            self.target = message.contact
        media = media_target(message.body)
        if media is not None and self.state is not CallState.ENDED:
            self.media.start(media)

    def _talk(self) -> None:
        if self.invite_request is not None:
            self._learn(self.invite_request)
        self.state = CallState.TALKING
        self._rang.set()
        self._answered.set()

    def _finish(self, end: End) -> None:
        if self.state is CallState.ENDED:
            return
        self.state = CallState.ENDED
        self.end = end
        self.media.close()
        self._ended.set()

    def _cancel(self) -> None:
        headers = [f"Via: {self._via(self._invite_branch)}", "Max-Forwards: 70", f"From: {self.local};tag={self._local_tag}"]
        headers += [f"To: {self.remote}", f"Call-ID: {self.call_id}", f"CSeq: {self._invite_cseq} CANCEL"]
        self.phone.send(encode(f"CANCEL {self.remote.strip('<>')} SIP/2.0", headers))

    async def _reoffer(self, direction: str) -> None:
        self._direction = direction
        self.media.muted = direction != "sendrecv"
        response = await self._ask("INVITE", body=self._offer())
        assert response.code == 200, response.first_line

    async def _ask(self, method: str, headers: tuple[str, ...] = (), body: str = "") -> SipMessage:
        cseq = self._request(method, headers, body)
        future = self._pending[(cseq, method)] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(future, REQUEST_SECONDS)
        finally:
            del self._pending[(cseq, method)]

    def _request(
        self, method: str, headers: tuple[str, ...] = (), body: str = "", *, cseq: int | None = None, branch: str | None = None
    ) -> int:
        if cseq is None:
            self._cseq += 1
            cseq = self._cseq
        tag = f";tag={self._remote_tag}" if self._remote_tag else ""
        lines = [f"Via: {self._via(branch or _new_branch())}", "Max-Forwards: 70", f"From: {self.local};tag={self._local_tag}"]
        lines += [f"To: {self.remote}{tag}", f"Call-ID: {self.call_id}", f"CSeq: {cseq} {method}"]
        lines += [*self._common(), *headers]
        self.phone.send(encode(f"{method} {self.target} SIP/2.0", lines, body))
        return cseq

    def _common(self) -> tuple[str, ...]:
        return (
            f"Contact: <sip:{self.phone.user}@{self.phone.address}:5060>",
            f"User-Agent: {USER_AGENT}",
            f"Allow: {ALLOW}",
            "Supported: replaces",
        )

    def _via(self, branch: str) -> str:
        return f"SIP/2.0/UDP {self.phone.address}:5060;branch={branch};rport"

    def _offer(self) -> str:
        self._sdp_version += 1
        return sdp(self.phone.address, self.media.port, self._sdp_version, self._direction)

    def _request_of_caller(self) -> SipMessage:
        assert self.invite_request is not None, "only an incoming call rings here"
        return self.invite_request


def _new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)
