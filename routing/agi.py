"""The FastAGI protocol as pure functions: the PBX's question in, its commands out (Asterisk 22, res_agi.c).

Asterisk prints the caller's number and name into the question unescaped, and a SIP caller can put line ends into the number
(`%0D%0A` in the From user). A forged line shows as a doubled name, or as missing names where an empty line cut the question
short: such a question is refused whole, and the dialplan's default takes the call. `GET VARIABLE CALLERID(num)` would be no
way out: its answer carries the same raw bytes.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from cti_bridge.domain.decision import RoutingDecision
from cti_bridge.domain.phone_number import is_withheld

MAX_LINE = 2_048
"""Bytes; Asterisk's own values stay under 1,024 (`agi_request` is the longest)."""
MAX_LINES = 160
"""Asterisk sends 23 lines and one for each of at most 127 arguments."""

_LINE = re.compile(r"(agi_[a-z0-9_]{1,60}): ?(.*)", re.DOTALL)
_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")
_CUSTOMER = re.compile(r"[0-9]{1,20}")
"""A customer number as a telephone's keys can type it."""
_PBX = re.compile(r"[A-Za-z0-9_-]{1,40}")
_UNIQUEID = re.compile(r"[\x21-\x7e]{1,150}")
_NEEDED = frozenset(
    {
        "agi_network_script",
        "agi_request",
        "agi_channel",
        "agi_uniqueid",
        "agi_callerid",
        "agi_calleridname",
        "agi_callingpres",
        "agi_callingani2",
        "agi_callington",
        "agi_callingtns",
        "agi_dnid",
        "agi_rdnis",
        "agi_context",
        "agi_extension",
        "agi_priority",
        "agi_enhanced",
        "agi_accountcode",
    }
)
"""Sent by every Asterisk since 1.4. Those after the caller's number are together longer than a SIP user part can be, so that
no caller can write a whole question of his own (Asterisk cuts the number at 79 bytes)."""
_PRESENTATION_MASK, _RESTRICTED = 0x60, 0x20


class AgiRefused(Exception):
    """The question was not understood; `kind` is the counter it goes to."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiRequest:
    """The PBX asks where a call should go. `caller` as presented, None where the caller showed or wants to show none.

    `customer`: the customer number that the caller typed (`?customer=`), digits only; it proves nothing.
    `pbx`: which one asks, by its name in the settings, where the dialplan says it (`?pbx=`): two PBXs may give two calls the same
    Uniqueid. Nothing else tells it: the address may be the same for both, or another than the one they are reached at.
    """

    uniqueid: str
    did: str
    caller: str | None
    pbx: str | None = None
    customer: str | None = None


def read_request(lines: list[bytes]) -> AgiRequest:
    """The question out of its lines (without their ends). Raises AgiRefused."""
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        found = _LINE.fullmatch(line)
        if found is None or "\r" in line or "\0" in line or found[1] in fields:
            raise AgiRefused("forged", "a line that Asterisk does not send, or a name sent twice")
        fields[found[1]] = found[2]
    if missing := _NEEDED - fields.keys():
        raise AgiRefused("forged", f"no {min(missing)}")
    script, _, query = fields["agi_network_script"].partition("?")
    if script.strip("/") != "route":
        raise AgiRefused("unknown_script", "only agi://HOST/route is answered")
    given = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
    pbx, customer = given.get("pbx", ""), given.get("customer", "")
    return AgiRequest(
        uniqueid=_uniqueid(fields),
        did=_dialled(unquote(given.get("did", "")), fields),
        caller=_caller(fields),
        pbx=pbx if _PBX.fullmatch(pbx) else None,
        customer=customer if _CUSTOMER.fullmatch(customer) else None,
    )


def answer_commands(decision: RoutingDecision) -> tuple[bytes, ...]:
    """What to tell the PBX. The queue is last: a call that ends half-way through the answer has no queue, so the default.

    All three values are of `[A-Za-z0-9_-]`, which the rules file is checked for.
    """
    return tuple(
        f'SET VARIABLE {name} "{value}"\n'.encode("ascii")
        for name, value in (
            ("CTI_RULE", decision.rule),
            ("CTI_PRIORITY", decision.priority),
            ("CTI_QUEUE", decision.queue),
        )
    )


def is_done(reply: bytes) -> bool:
    """Whether the PBX did the command; HANGUP, 510 (not a command) and 511 (channel dead) mean no."""
    return reply.startswith(b"200 result=1")


def _uniqueid(fields: dict[str, str]) -> str:
    if not _UNIQUEID.fullmatch(fields["agi_uniqueid"]):
        raise AgiRefused("garbage", "no usable agi_uniqueid")
    return fields["agi_uniqueid"]


def _dialled(did: str, fields: dict[str, str]) -> str:
    """`?did=` of the dialplan, else the number the trunk gave, else the extension (which inside a subroutine is no number)."""
    for number in (did, fields["agi_dnid"], fields["agi_extension"]):
        if _DIALLED.fullmatch(number):
            return number
    raise AgiRefused("garbage", "no number was dialled: pass ?did=${EXTEN}")


def _caller(fields: dict[str, str]) -> str | None:
    number, presentation = fields["agi_callerid"], fields["agi_callingpres"]
    wants_none = presentation.isascii() and presentation.isdigit() and int(presentation[:9]) & _PRESENTATION_MASK == _RESTRICTED
    return None if wants_none or is_withheld(number) else number
