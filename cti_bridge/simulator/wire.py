"""How Asterisk 22.10.1 writes channels, bridges and events on AMI: header names, their order, escaping. Pure.

In come values, out go header lists and blocks of bytes. The traces under tests/traces are the reference for every list here.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum

Header = tuple[str, str]
UNKNOWN = "<unknown>"


class State(IntEnum):
    """Asterisk's channel states that occur here; DESCRIPTIONS has their wire names."""

    DOWN = 0
    RING = 4
    RINGING = 5
    UP = 6


DESCRIPTIONS = {State.DOWN: "Down", State.RING: "Ring", State.RINGING: "Ringing", State.UP: "Up"}

CAUSES = {
    0: "Unknown",
    1: "Unallocated (unassigned) number",
    3: "No route to destination",
    16: "Normal Clearing",
    17: "User busy",
    19: "User alerting, no answer",
    20: "Subscriber absent",
    21: "Call Rejected",
    26: "Answered elsewhere",
    34: "Circuit/channel congestion",
    127: "Interworking, unspecified",
}
"""Q.850 hang-up causes with Asterisk's texts (`Cause-txt`)."""

# Names are escaped by C rules, numbers are not: a caller's number reaches AMI raw (Asterisk 16 to 22).
_ESCAPES = str.maketrans(
    {
        "\\": r"\\",
        '"': r"\"",
        "'": r"\'",
        "?": r"\?",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\a": r"\a",
        "\b": r"\b",
        "\f": r"\f",
        "\v": r"\v",
    }
)


def escaped(name: str) -> str:
    """A caller's or agent's name as channel snapshots carry it."""
    return name.translate(_ESCAPES)


def prefixed(prefix: str, headers: Iterable[Header]) -> list[Header]:
    """The headers of a second party, as `DestChannel`, `TransfereeUniqueid`, `OrigBridgeUniqueid`."""
    return [(prefix + key, value) for key, value in headers]


def block(headers: Iterable[Header]) -> bytes:
    """One message. Line ends inside a value stay: Asterisk does not guard against them either."""
    return ("".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n").encode("utf-8", "surrogateescape")


def event(name: str, event_class: str, timestamp: float, headers: Sequence[Header]) -> bytes:
    """A live event, stamped as with `timestampevents = yes`."""
    lead = [("Event", name), ("Privilege", f"{event_class},all"), ("Timestamp", f"{timestamp:.6f}")]
    return block([*lead, *headers])
