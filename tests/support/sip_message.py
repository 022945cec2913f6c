"""SIP messages as a desk phone reads and writes them (RFC 3261): no sockets, no clock.

What comes in: one UDP datagram, or the parts of a message. What goes out: a `SipMessage`, or the datagram.
"""

import re
from dataclasses import dataclass

USER_AGENT = "cti-bridge test phone"
REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    480: "Temporarily Unavailable",
    481: "Call Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    603: "Decline",
}
ALLOW = "INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,REFER,UPDATE,INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class SipMessage:
    """One received message. `headers` has lower-case names and keeps the first of each; `vias` keeps all Via values in order."""

    first_line: str
    headers: dict[str, str]
    vias: tuple[str, ...]
    body: str

    @property
    def is_response(self) -> bool:
        return self.first_line.startswith("SIP/2.0")

    @property
    def code(self) -> int:
        return int(self.first_line.split()[1])

    @property
    def method(self) -> str:
        """The request's method, or for a response that of the request it answers."""
        return self.headers["cseq"].split()[1]

    @property
    def cseq(self) -> int:
        return int(self.headers["cseq"].split()[0])

    @property
    def call_id(self) -> str:
        return self.headers.get("call-id", "")

    @property
    def contact(self) -> str | None:
        found = re.search(r"<([^>]+)>", self.headers.get("contact", ""))
        return found.group(1) if found else None

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;]+)", self.vias[0])
        return found.group(1) if found else ""

    def tag(self, header: str) -> str | None:
        found = re.search(r";\s*tag=([^;>\s]+)", self.headers.get(header, "").rsplit(">", 1)[-1])
        return found.group(1) if found else None

    def user(self, header: str) -> str:
        """The user part of the header's SIP URI as it stands on the wire, still %-escaped; empty where there is none."""
        found = re.search(r"sips?:([^@;>]*)@", self.headers.get(header, ""))
        return found.group(1) if found else ""


def parse(datagram: bytes) -> SipMessage:
    """Read one datagram; folded lines are unfolded.

    Raises:
        ValueError: it has no CSeq, so it is not a SIP message.
    """
    head, _, body = datagram.decode("utf-8", "replace").partition("\r\n\r\n")
    first_line, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    headers: dict[str, str] = {}
    vias: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        if key == "via":
            vias.append(value.strip())
        headers.setdefault(key, value.strip())
    if "cseq" not in headers:
        raise ValueError(f"no CSeq in {first_line!r}")
    return SipMessage(first_line=first_line, headers=headers, vias=tuple(vias), body=body)


def encode(first_line: str, headers: list[str], body: str = "") -> bytes:
    """One datagram from its first line, its header lines and an SDP body."""
    payload = body.encode()
    content = ["Content-Type: application/sdp"] if payload else []
    lines = [first_line, *headers, *content, f"Content-Length: {len(payload)}", "", ""]
    return "\r\n".join(lines).encode() + payload


def encode_response(request: SipMessage, code: int, *, tag: str, headers: tuple[str, ...] = (), body: str = "") -> bytes:
    """The answer to `request`; `tag` marks our side of the dialog where the request does not."""
    to = request.headers["to"]
    if "tag=" not in to.rsplit(">", 1)[-1]:
        to += f";tag={tag}"
    lines = [f"Via: {via}" for via in request.vias]
    lines += [f"From: {request.headers['from']}", f"To: {to}", f"Call-ID: {request.call_id}", f"CSeq: {request.headers['cseq']}"]
    return encode(f"SIP/2.0 {code} {REASONS.get(code, 'Rejected')}", [*lines, *headers], body)


def sdp(address: str, port: int, version: int, direction: str) -> str:
    """An offer or answer of G.711 with RFC 4733 key tones; `direction` is sendrecv, sendonly, recvonly or inactive."""
    lines = (
        "v=0",
        f"o=- 1 {version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        f"a={direction}",
    )
    return "\r\n".join(lines) + "\r\n"


def media_target(body: str) -> tuple[str, int] | None:
    """Where the other side wants its RTP, or None where the body offers no audio."""
    port = re.search(r"^m=audio (\d+)", body, re.M)
    address = re.search(r"^c=IN IP4 (\S+)", body, re.M)
    return (address.group(1), int(port.group(1))) if port and address else None
