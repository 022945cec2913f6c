"""Bytes of the PBX to call events: our codec and full tracker against two libraries that only turn bytes into dicts.

CPU time per event of the load trace, all in one thread. asterisk-ami reads from a socket that is already full, in its own
portions of 1 KiB; panoramisk and we are given portions of 4 KiB, as a busy link has them.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from statistics import median

from asterisk.ami import AMIClient, Event, Response
from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from bench.figures import Figure, Goal, in_turns, ratio_of
from bench.load_trace import INTERNAL, chunks, events, load_bytes
from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.phone_number import to_e164
from cti_bridge.tracking import tracker
from cti_bridge.tracking.tracker import CallTracker

CHUNK_BYTES = 4096
_SECONDS_A_CHUNK = 0.003
"""About the pace of the trace: 1.2 MB/s."""


def measure() -> list[Figure]:
    data = load_bytes()
    count = len(events(data))
    portions = chunks(data, CHUNK_BYTES)
    sides: dict[str, Callable[[], float]] = {
        "ours": lambda: _cpu_us(lambda: _ours(portions), count),
        "codec": lambda: _cpu_us(lambda: _codec(portions), count),
        "asterisk-ami": lambda: _cpu_us(lambda: _asterisk_ami(data, count), count),
        "match+read": lambda: _cpu_us(lambda: _match_and_read(data), count),
        "panoramisk": lambda: _cpu_us(lambda: _panoramisk(portions, count), count),
    }
    results = in_turns(sides)
    ours = f"{median(results['ours']):.2f} us/event"
    how = "C" if tracker.__file__.endswith(".so") else "Python"

    def against(name: str, words: str, goal: Goal | None) -> Figure:
        peer = f"{words} {median(results[name]):.2f} us/event"
        ratio = ratio_of(results[name], results["ours"])
        return Figure(name=f"parse and track ({how}) / {name}", ours=ours, peer=peer, ratio=ratio, goal=goal)

    return [
        against("asterisk-ami", "its reader", Goal(at_least=3, aim=4)),
        against("match+read", "only Event.match, Event.read", None),
        against("panoramisk", "its protocol, no callbacks", Goal(at_least=6, aim=8)),
        Figure(
            name=f"the codec's share ({how})",
            ours=f"{median(results['codec']):.2f} us/event",
            peer="codec and tracker",
            ratio=ratio_of(results["codec"], results["ours"]),
        ),
    ]


def _cpu_us(run: Callable[[], object], count: int) -> float:
    began = time.process_time()
    run()
    return (time.process_time() - began) / count * 1e6


def _codec(portions: Sequence[bytes]) -> None:
    codec = AmiCodec(expects=lambda _: False)
    for portion in portions:
        codec.receive(portion)


def _ours(portions: Sequence[bytes]) -> None:
    to_e164.cache_clear()  # callers are other people every time
    codec = AmiCodec(expects=lambda _: False)
    calls = CallTracker("main", region="GB", internal=INTERNAL)
    at = 1_795_314_390.0
    for portion in portions:
        at += _SECONDS_A_CHUNK
        for message in codec.receive(portion):
            if isinstance(message, AmiEvent):
                calls.feed(message, at)


class _FullSocket:
    """Gives what is there, as recv does while the peer is ahead."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def recv(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def close(self) -> None:
        pass


def _asterisk_ami(data: bytes, count: int) -> None:
    client = AMIClient()
    client._socket = _FullSocket(data)
    client.finished = threading.Event()
    heard = 0

    def on_event(event: Event, source: AMIClient) -> None:
        nonlocal heard
        heard += 1

    client.add_event_listener(on_event)
    client.listen()
    assert heard == count, (heard, count)


def _match_and_read(data: bytes) -> None:
    for block in data.split(b"\r\n\r\n"):
        pack = block.decode("utf-8", "replace")
        if not Response.match(pack) and Event.match(pack):
            Event.read(pack)


class _CountingManager(Manager):  # type: ignore[misc]
    heard = 0

    def dispatch(self, event: object) -> object:
        self.heard += 1
        return super().dispatch(event)


class _NoTransport:
    def close(self) -> None:
        pass


def _panoramisk(portions: Sequence[bytes], count: int) -> None:
    logging.getLogger("panoramisk").setLevel(logging.WARNING)
    protocol = AMIProtocol()
    protocol.connection_made(_NoTransport())
    protocol.factory = _CountingManager()
    protocol.factory.patterns.clear()  # its own one would send what waits for the login
    protocol.encoding = "utf8"
    for portion in portions:
        protocol.data_received(portion)
    assert protocol.factory.heard == count, (protocol.factory.heard, count)
