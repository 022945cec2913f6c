"""Where a customer's numbers and names stand in what a PBX said: pure, over the bytes of whole events.

In: what the customer is known by (`Traces`), and a piece of the stream. Out: places to write over, each with a filler of the same
length, so that nothing moves. A number alone in its header becomes blank, which reads as a number withheld; within something
longer (a channel's name, a dial string) it becomes `x`, so that what belongs together still does.

A run of digits counts if it reads as one of the customer's numbers, as it would for a caller, with or without the digit that gets
an outside line. Short numbers and names that others may have too count in the customer's own calls only, and only where a header
holds nothing else. Headers that hold ids, times and counts are never touched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cti_bridge.domain.person import Traces
from cti_bridge.domain.phone_number import to_e164

_BLANK_LINE: Final = b"\r\n\r\n"
_HEADER: Final = re.compile(rb"([A-Za-z][A-Za-z0-9_()-]*):[ ]?([^\r\n]*)")
_RUN: Final = re.compile(rb"\+?[0-9]{7,}")
_NEVER: Final = re.compile(
    rb"(?i:.*(?:uniqueid|linkedid|actionid|sessionid|ssrc|lsr|ntp|time|timestamp|tv|lastcall|lastpause|lastreload|sequencenumber)"
    rb"|event|privilege|response|address)"
)
"""Headers of ids, times and counts."""
_NUMBER_ALONE: Final = re.compile(rb".*(?:CallerIDNum|ConnectedLineNum|Exten|Extension)")
_NAME_ALONE: Final = re.compile(rb"(.*)(CallerID|ConnectedLine)Name")
_FREE: Final = re.compile(rb".*(?:Value|AppData|DialString)")
"""Headers in which a name may stand within something longer."""
_ID: Final = re.compile(rb"id: ?([^\r\n]+)")
_CALL_ID: Final = re.compile(rb".*(?:Uniqueid|UniqueId|Linkedid)")
_CHANNEL_END: Final = re.compile(rb"-[0-9a-f]{8}(?:;[12])?$")
"""What makes a channel's name the only one: eight digits at times, and no number."""
_UNTOLD: Final = frozenset({b"", b"<unknown>"})
_TAIL_DIGITS: Final = 5
_SHORTEST_NAME: Final = 3
"""A shorter name may be a part of anything."""
_SHORTEST_SHOWN: Final = 5
"""What is shorter is an extension: it tells of a phone."""


class Place(NamedTuple):
    """`filler` goes over what stands at `offset`; it is of the same length."""

    offset: int
    filler: bytes


def cut_off(data: bytes, offset: int) -> Iterator[Place]:
    """The number or name in which a connection broke off, whoever's it is: it may be the beginning of the customer's, and nobody
    reads an event without an end. `data` ends where the connection did.
    """
    line = data[data.rfind(b"\r\n") + 2 :]
    header = _HEADER.fullmatch(line)
    if header and header[2].strip() and (_NUMBER_ALONE.fullmatch(header[1]) or _NAME_ALONE.fullmatch(header[1])):
        yield Place(offset + len(data) - len(header[2]), b" " * len(header[2]))


class _Field(NamedTuple):
    key: bytes
    value: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds one customer in one PBX's stream; `region` reads national numbers."""

    traces: Traces
    pbx: str
    region: str | None
    _tails: re.Pattern[bytes] = field(init=False)
    """How the customer's numbers end: what an event must hold to be worth reading, or the id of a call."""
    _calls: frozenset[bytes] = field(init=False)
    _shown: frozenset[bytes] = field(init=False)
    _names: frozenset[bytes] = field(init=False)
    _read: dict[bytes, bool] = field(init=False, default_factory=dict)
    """Whether a run of digits is the customer's: the same ones come again and again."""

    def __post_init__(self) -> None:
        traces = self.traces
        ids = (call_id.partition(":") for call_id in traces.calls)
        calls = frozenset(uniqueid.encode() for pbx, _, uniqueid in ids if pbx == self.pbx)
        tails = sorted({number[-_TAIL_DIGITS:].encode() for number in traces.numbers})
        object.__setattr__(self, "_tails", re.compile(b"|".join(map(re.escape, tails)) if tails else rb"(?!)"))
        object.__setattr__(self, "_calls", calls)
        shown = frozenset(one.encode() for one in traces.shown if len(one) >= _SHORTEST_SHOWN)
        object.__setattr__(self, "_shown", shown)
        object.__setattr__(self, "_names", frozenset(_as_written(one) for one in traces.names))

    def places(self, data: bytes, offset: int) -> Iterator[Place]:
        """The customer's places in `data`, which begins and ends with an event and stands at `offset`; in order, none twice."""
        hits = [hit.start() for hit in self._tails.finditer(data)]
        if self._calls:
            hits += [hit.start() for hit in _ID.finditer(data) if hit[1] in self._calls]
        end = 0
        for hit in sorted(hits):
            if hit < end:
                continue
            border = data.rfind(_BLANK_LINE, end, hit)
            start = end if border < 0 else border + len(_BLANK_LINE)
            border = data.find(_BLANK_LINE, hit)
            end = len(data) if border < 0 else border + len(_BLANK_LINE)
            yield from self._of_event(data[start:end], offset + start)

    def _of_event(self, event: bytes, offset: int) -> Iterator[Place]:
        fields = [_Field(one[1], one[2], offset + one.start(2)) for one in _HEADER.finditer(event)]
        in_own_call = any(one.value in self._calls for one in fields if _CALL_ID.fullmatch(one.key))
        told = {one.key: one.value for one in fields}
        for one in fields:
            if one.value in _UNTOLD or _NEVER.fullmatch(one.key):
                continue
            if self._is_whole(one, in_own_call=in_own_call, told=told):
                yield Place(one.at, b" " * len(one.value))
            else:
                yield from self._within(one, in_own_call=in_own_call, told=told)

    def _is_whole(self, one: _Field, *, in_own_call: bool, told: dict[bytes, bytes]) -> bool:
        """Whether the header holds nothing but a number or name of the customer's."""
        if name := _NAME_ALONE.fullmatch(one.key):
            number = told.get(name[1] + name[2] + b"Num", b"")
            # A caller who showed no number may have shown a name: that of the channel that the call is named by.
            is_callers = name[2] == b"CallerID" and told.get(name[1] + b"Uniqueid") in self._calls
            return self._is_own(number) or is_callers or (in_own_call and (one.value in self._names or self._is_shown(number)))
        is_number = _NUMBER_ALONE.fullmatch(one.key) is not None
        return is_number and (self._is_own(one.value) or (in_own_call and self._is_shown(one.value)))

    def _within(self, one: _Field, *, in_own_call: bool, told: dict[bytes, bytes]) -> Iterator[Place]:
        """The numbers, and in free text the names, that stand within a longer value."""
        last = _CHANNEL_END.search(one.value)
        spans = [
            run.span()
            for run in _RUN.finditer(one.value, 0, last.start() if last else len(one.value))
            if self._is_own(run[0]) or (in_own_call and self._is_shown(run[0]))
        ]
        if _FREE.fullmatch(one.key):
            spans += self._names_within(one.value, in_own_call=in_own_call, told=told)
        end = 0
        for start, stop in sorted(spans):
            if start >= end:
                yield Place(one.at + start, b"x" * (stop - start))
                end = stop

    def _names_within(self, value: bytes, *, in_own_call: bool, told: dict[bytes, bytes]) -> Iterator[tuple[int, int]]:
        names = self._names if in_own_call else frozenset[bytes]()
        for key, name in told.items():
            found = _NAME_ALONE.fullmatch(key)
            if found and name not in _UNTOLD and self._is_own(told.get(found[1] + found[2] + b"Num", b"")):
                names |= {name}
        for name in names:
            if len(name) >= _SHORTEST_NAME:
                for hit in re.finditer(rb"(?<![A-Za-z0-9])%b(?![A-Za-z0-9])" % re.escape(name), value):
                    yield hit.span()

    def _is_shown(self, text: bytes) -> bool:
        """Whether the customer's calls showed it, as it is or behind the digit that gets an outside line."""
        return text in self._shown or (len(text) > _SHORTEST_SHOWN and text[:1].isdigit() and text[1:] in self._shown)

    def _is_own(self, text: bytes) -> bool:
        """Whether it reads as a number of the customer's alone, as presented or as dialled."""
        known = self._read.get(text)
        if known is None:
            known = self._read[text] = self._reads_as_own(text)
        return known

    def _reads_as_own(self, text: bytes) -> bool:
        number = text.decode(errors="replace")
        ways = (number,) if number.startswith("+") else (number, f"+{number}", number[1:])
        return any(to_e164(way, self.region) in self.traces.numbers for way in ways if way.strip())


def _as_written(name: str) -> bytes:
    """A name as Asterisk's C-escaping writes it into a header (ast_escape_c)."""
    return name.translate(_ESCAPED).encode(errors="replace")


_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "?": "\\?", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
