"""What the PBX says, as types: an `AmiEvent` that reads its headers on demand, and asterisk-ami's `Response`.

Events parse lazily because most of them are skipped by name alone, and speed is decided there (bench/parse.py).
Keys keep Asterisk's own spelling. Values are the caller's words in many places: hostile until shown as text.
"""

import re
from dataclasses import dataclass
from typing import Final

from asterisk.ami import Response

from cti_bridge.ami.shapes import CAPTURED

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class AmiEvent:
    """One event. `block` is its bytes without the blank line that ends it.

    `tampered` marks an event whose number values held line breaks (a forgery attempt by the caller): its structure was restored,
    the control characters in those values are C-escaped in `block`, and `number` gives them back.
    """

    __slots__ = ("_checked", "block", "name", "tampered")

    def __init__(self, name: str, block: bytes, checked: re.Match[str] | None = None, *, tampered: bool = False) -> None:
        self.name = name
        self.block = block
        self.tampered = tampered
        self._checked = checked
        """What the check of its structure found on its way: the headers that are asked for most (shapes.CAPTURED)."""

    def __repr__(self) -> str:
        return f"<AmiEvent {self.name}, {len(self.block)} bytes{', tampered' if self.tampered else ''}>"

    def get(self, key: str) -> str:
        """The first value of a header as text, undecodable bytes replaced; empty where the header is absent or empty."""
        checked = self._checked
        if checked is not None and key in CAPTURED:
            try:
                return checked[key] or ""
            except IndexError:
                pass  # of another shape
        text = self.block.decode("utf-8", "replace") if checked is None else checked.string
        needle = f"\r\n{key}: "
        start = text.find(needle)
        if start < 0:
            return _without_blank(text, key)
        start += len(needle)
        end = text.find("\r\n", start)
        return text[start:] if end < 0 else text[start:end]

    def several(self, *keys: str) -> tuple[str | None, ...]:
        """As `get` for each key, at the cost of one; None for an absent optional header.

        Raises ValueError where the event's structure was not checked, IndexError for a key that is not captured.
        """
        if self._checked is None:
            raise ValueError(f"{self.name} was not checked")
        return self._checked.group(*keys)

    def number(self, key: str) -> str:
        """A number header: `get`, with the line breaks of a tampered event given back."""
        value = self.get(key)
        return unescape(value) if self.tampered else value

    def caller_name(self, key: str) -> str:
        """A CallerIDName or ConnectedLineName header: Asterisk C-escapes these, and only these (22.10.1, manager_channels.c)."""
        value = self.get(key)
        return unescape(value) if "\\" in value else value

    @property
    def action_id(self) -> str:
        """The ActionID where the event belongs to an action of ours (a list item, OriginateResponse); else empty."""
        return self.get("ActionID")


@dataclass(frozen=True, slots=True)
class AmiReply:
    """The answer to an action of ours."""

    response: Response
    action_id: str


def _without_blank(text: str, key: str) -> str:
    """The rare header that has no blank behind its colon, or is not there at all."""
    _, found, rest = text.partition(f"\r\n{key}:")
    return rest.partition("\r\n")[0].strip(" ") if found else ""


def unescape(value: str) -> str:
    r"""Undoes Asterisk's C escapes (`\\`, `\"`, `\'`, `\?`, `\n` …; ast_escape_c); an unknown escape stays as it is."""
    if "\\" not in value:
        return value
    out: list[str] = []
    rest = iter(value)
    for char in rest:
        if char != "\\":
            out.append(char)
            continue
        escaped = next(rest, "")
        out.append(_ESCAPES.get(escaped, escaped if escaped in "\\\"'?" else "\\" + escaped))
    return "".join(out)


def response_of(block: bytes) -> Response:
    """Reads a `Response:` block into asterisk-ami's type. Lines end at CR LF only, so U+2028 in a value stays in it;
    repeated keys (`Output`) are joined by a line feed, as asterisk-ami does.
    """
    status = ""
    keys: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if not colon:
            continue
        value = value.strip(" ")
        if key == "Response" and not status:
            status = value
        else:
            keys[key] = f"{keys[key]}\n{value}" if key in keys else value
    return Response(status, keys, [])
