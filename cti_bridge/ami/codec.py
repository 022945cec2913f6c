"""Bytes from the PBX become checked messages: sans-I/O, never raises, never holds more than one event in memory.

Splits on CR LF only (values may hold U+2028, U+0085 or a bare LF), skips by name what nobody needs, checks the structure of the
rest (shapes.py), restores events that a caller's number split, and counts everything it throws away.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from cti_bridge.ami.messages import AmiEvent, AmiReply, response_of
from cti_bridge.ami.shapes import LISTED, SHAPES, Shape, restored

AmiMessage = AmiEvent | AmiReply

MAX_EVENT_BYTES: Final = 256 * 1024
"""A longer event is thrown away and counted; the largest genuine one seen is 3 KiB."""
_MAX_JOINED_BLOCKS: Final = 6
_PREFIX: Final = 24
"""Bytes that tell events apart: the name and, behind a short one, that a Privilege follows, as list items have none."""
_Check = tuple[str, Callable[[str], re.Match[str] | None], str, tuple[bytes, ...]]
_PLAIN: Final[dict[bytes, _Check | None]] = {
    (b"Event: " + name + b"\r\nPrivilege: ")[:_PREFIX]: (shape.name, shape.strict.match, shape.no_more, shape.only_with)
    for name, shape in SHAPES.items()
}
"""Events by how they begin: name, check of the structure, what must not follow, marks of which one must be there."""
_MAX_LEARNT: Final = 200
_USELESS: Final = re.compile(rb"Event: \w{4,40}\r\nPrivilege: [a-z]{3,12}(?:,[a-z]{3,12})*,all\r\n")
"""The beginning of an event that nobody needs: too long to stand in a number behind a forged end of an event."""
_SNAPSHOT_END: Final = b"Linkedid: "
_CUT_HEAD: Final = re.compile(rb"(?:CallerIDNum|ConnectedLineNum|AccountCode|Exten): ?[^\r\n]*\Z")
"""A block that ends right behind an unescaped value: the head of an event that an injected blank line split."""


class AmiCodec:
    """One connection's decoder. `expects(action_id)` tells whether an action of ours is waiting for that id.

    `counters`: events, skipped, replies, unexpected (a reply nobody waits for), malformed, oversized, and forged: what a caller
    tried to inject; anything above 0 there is an alarm.
    """

    def __init__(self, *, expects: Callable[[str], bool]) -> None:
        self.banner: str | None = None
        self.counters: Counter[str] = Counter()
        self._expects = expects
        self._buffer = b""
        self._discarding = False
        self._head: list[bytes] = []
        self._head_shape: Shape | None = None
        self._plain = dict(_PLAIN)
        """What each event is checked against; None for those that nobody needs, learnt as they come."""

    def receive(self, data: bytes) -> list[AmiMessage]:
        """The messages completed by `data`, in order."""
        data = self._buffer + data
        blocks = data.split(b"\r\n\r\n")
        self._buffer = blocks.pop()
        if len(self._buffer) > MAX_EVENT_BYTES:
            # Keep the last bytes: the blank line that ends the event may be cut between two reads.
            self._buffer = self._buffer[-3:]
            if not self._discarding:
                self.counters["oversized"] += 1
            self._discarding = True
        if self._discarding and blocks:
            blocks = blocks[1:]
            self._discarding = False
        out = None if self._head else self._all_plain(blocks)
        if out is None:
            out = self._with_care(blocks)
        self.counters["events"] += len(out)
        return out

    def _all_plain(self, blocks: list[bytes]) -> list[AmiMessage] | None:
        """The hot loop: what genuine live events say; None where there is anything else among them."""
        plain = self._plain
        out: list[AmiMessage] = []
        try:
            for block in blocks:
                check = plain[block[:_PREFIX]]
                if check is None:
                    continue
                name, match, no_more, marks = check
                if marks and block.rfind(marks[0]) < 0 and (len(marks) == 1 or block.rfind(marks[1]) < 0):
                    continue
                text = block.decode("utf-8", "replace")
                checked = match(text)
                if checked is None or (no_more and text.find(no_more, checked.end()) >= 0):
                    return None
                out.append(AmiEvent(name, block, checked))
        except KeyError:
            return None
        self.counters["skipped"] += len(blocks) - len(out)
        return out

    def _with_care(self, blocks: list[bytes]) -> list[AmiMessage]:
        """The messages of any blocks, in order. A number can hold the end of its own event and a blank line behind it, so that
        the genuine end stands alone some blocks later: then all of it is one event.
        """
        out: list[AmiMessage] = []
        at = 0
        while at < len(blocks):
            length = self._split_in(blocks[at : at + _MAX_JOINED_BLOCKS])
            out.extend(self._unusual(b"\r\n\r\n".join(blocks[at : at + length])))
            at += length
        return out

    def _split_in(self, blocks: list[bytes]) -> int:
        """How many of these blocks are the first one's event; 1 where it is whole or no event that is acted upon."""
        shape = _shape_of(blocks[0])
        if shape is None or self._head or _checked(shape, blocks[0]) is None:
            return 1
        for count, block in enumerate(blocks[1:], 2):
            other = _shape_of(block)
            if _SNAPSHOT_END not in block or _USELESS.match(block):
                continue
            if other is not None and _checked(other, block) is not None:
                return 1
            whole = _restored(shape, b"\r\n\r\n".join(blocks[:count]))
            if whole is not None and b"\r\n\r\n" not in whole.block:
                return count
        return 1

    def _learn(self, block: bytes) -> None:
        """An event that nobody needs is passed over by its first bytes from now on."""
        if len(self._plain) < len(_PLAIN) + _MAX_LEARNT and _USELESS.match(block):
            self._plain.setdefault(block[:_PREFIX], None)

    def _unusual(self, block: bytes) -> list[AmiMessage]:
        """Whatever may come: events too, but also the banner, replies, list items, forgeries and rubbish."""
        if block.startswith(b"\r\n"):  # some events of 22.10.1 end with three line ends (MixMonitorStart, ConfbridgeJoin)
            block = block.lstrip(b"\r\n")
        if self._head:
            return self._continue_head(block)
        if block.startswith(b"Asterisk Call Manager/"):
            line, _, block = block.partition(b"\r\n")
            self.banner = line.decode("ascii", "replace")
        if block.startswith(b"Response: "):
            return self._reply(block)
        if block.startswith(b"Event: "):
            return self._event(block)
        if block.strip():
            self._reject(block)
        return []

    def _reply(self, block: bytes) -> list[AmiMessage]:
        response = response_of(block)
        action_id = str(response.keys.get("ActionID", ""))
        if not self._expects(action_id):
            self.counters["unexpected"] += 1
            return []
        self.counters["replies"] += 1
        return [AmiReply(response, action_id)]

    def _event(self, block: bytes) -> list[AmiMessage]:
        name = _name_of(block)
        listed = LISTED.get(name)
        if listed is not None and not block[7 + len(name) :].startswith(b"\r\nPrivilege: "):
            if not self._expects(AmiEvent(listed.name, block).action_id):
                self._reject(block)
                return []
            event = _checked(listed, block)
            return [event] if event else self._suspect(block, listed)
        shape = SHAPES.get(name)
        if shape is None:
            self._learn(block)
        if shape is None or (shape.only_with and not any(mark in block for mark in shape.only_with)):
            self.counters["skipped"] += 1
            return []
        event = _checked(shape, block)
        return [event] if event else self._suspect(block, shape)

    def _suspect(self, block: bytes, shape: Shape) -> list[AmiMessage]:
        if event := _restored(shape, block):
            self.counters["forged"] += 1
            return [event]
        if _CUT_HEAD.search(block):
            self._head, self._head_shape = [block], shape
            return []
        self._reject(block)
        return []

    def _continue_head(self, block: bytes) -> list[AmiMessage]:
        """Looks for the tail of a split event; a genuine event in between shows that there is none."""
        assert self._head_shape is not None
        self._head.append(block)
        if event := _restored(self._head_shape, b"\r\n\r\n".join(self._head)):
            self._head, self._head_shape = [], None
            self.counters["forged"] += 1
            return [event]
        shape = _shape_of(block)
        genuine = shape is not None and _checked(shape, block) is not None
        if genuine or len(self._head) >= _MAX_JOINED_BLOCKS:
            self.counters["malformed"] += len(self._head) - genuine
            self._head, self._head_shape = [], None
            return self._unusual(block) if genuine else []
        return []

    def _reject(self, block: bytes) -> None:
        """Nothing is acted upon; what carries the mark of an injection is an alarm, the rest is only counted."""
        forged = b"\r\nCallerIDName: " in block or b"\r\nConnectedLineName: " in block or not block.startswith(b"Event: ")
        self.counters["forged" if forged or b"\r\nPrivilege: " not in block else "malformed"] += 1


def _shape_of(block: bytes) -> Shape | None:
    return SHAPES.get(_name_of(block)) if block.startswith(b"Event: ") else None


def _name_of(block: bytes) -> bytes:
    return block[7:].partition(b"\r\n")[0]


def _checked(shape: Shape, block: bytes, *, tampered: bool = False) -> AmiEvent | None:
    """The event; None where it is not of this shape, or a snapshot's end stands in it once more than it should."""
    text = block.decode("utf-8", "replace")
    checked = shape.strict.match(text)
    if checked is None or (shape.no_more and text.find(shape.no_more, checked.end()) >= 0):
        return None
    return AmiEvent(shape.name, block, checked, tampered=tampered)


def _restored(shape: Shape, block: bytes) -> AmiEvent | None:
    clean = restored(shape, block)
    return None if clean is None else _checked(shape, clean, tampered=True)
