"""A recorded trace with something wrong: an event lost, doubled, swapped with its neighbour, or threads that ran otherwise.

Pure; what comes out are steps as `tests.support.replayed` reads them, with times that never go backwards.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from cti_bridge.ami.messages import AmiEvent
from tests.support.replayed import Step, calls_of, events_of

IDENTITY = (
    "direction", "customer_number", "did", "queue", "queues", "offered_to", "rang_no_answer", "answered_by", "outcome",
    "transfers", "hung_up_by", "held", "parked", "recorded", "conference",
)  # fmt: skip
"""What a call is, beside its times."""
LISTING = ("CoreShowChannel", "QueueEntry", "QueueMember", "QueueParams", "QueueStatusComplete", "FullyBooted", "Shutdown")
"""Answers and marks of one connection, written by one thread: they keep their place."""
_NAMED = re.compile(r"\r\n[A-Za-z]*Unique[iI]d: (\S+)")


class Disturbed(NamedTuple):
    """What was done at which step, and the steps that come of it; `event` is the disturbed one, `other` its neighbour."""

    index: int
    event: AmiEvent
    steps: list[Step]
    other: AmiEvent | None = None


def lost(steps: list[Step]) -> Iterator[Disturbed]:
    """Each event missing once."""
    for index, (_, event) in enumerate(steps):
        if isinstance(event, AmiEvent):
            yield Disturbed(index, event, [*steps[:index], *steps[index + 1 :]])


def doubled(steps: list[Step]) -> Iterator[Disturbed]:
    """Each event twice in a row, once."""
    for index, (_, event) in enumerate(steps):
        if isinstance(event, AmiEvent):
            yield Disturbed(index, event, [*steps[: index + 1], *steps[index:]])


def swapped(steps: list[Step]) -> Iterator[Disturbed]:
    """Each two neighbours in the other order, once; the moments stay where they were."""
    for index in range(len(steps) - 1):
        (at, event), (then, other) = steps[index : index + 2]
        if isinstance(event, AmiEvent) and isinstance(other, AmiEvent):
            yield Disturbed(index, event, [*steps[:index], (at, other), (then, event), *steps[index + 2 :]], other)


def interleaved(steps: list[Step], random: Random, *, within: float) -> list[Step]:
    """Another order that Asterisk's threads might have written: events that name a common channel or bridge keep theirs, the rest
    changes places by up to `within` seconds.
    """
    out: list[Step] = []
    stretch: list[tuple[float, AmiEvent]] = []
    for at, what in steps:
        if isinstance(what, AmiEvent) and not what.name.startswith(LISTING):
            stretch.append((at, what))
        else:
            out += [*_reordered(stretch, random, within), (at, what)]
            stretch = []
    return out + _reordered(stretch, random, within)


def _reordered(stretch: list[tuple[float, AmiEvent]], random: Random, within: float) -> list[Step]:
    followers: list[list[int]] = [[] for _ in stretch]
    waits_for = [0] * len(stretch)
    last: dict[str, int] = {}
    for index, (_, event) in enumerate(stretch):
        for named in names_in(event):
            if named in last:
                followers[last[named]].append(index)
                waits_for[index] += 1
            last[named] = index
    free = [index for index, count in enumerate(waits_for) if not count]
    undone = dict.fromkeys(range(len(stretch)))
    out: list[Step] = []
    for at, _ in stretch:
        latest = stretch[next(iter(undone))][0] + within
        chosen = random.choice([index for index in free if stretch[index][0] <= latest])
        free.remove(chosen)
        del undone[chosen]
        out.append((at, stretch[chosen][1]))
        for follower in followers[chosen]:
            waits_for[follower] -= 1
            if not waits_for[follower]:
                free.append(follower)
    return out


def names_in(event: AmiEvent) -> set[str]:
    """The channels and bridges that an event tells of; an event of neither (a queue member's) belongs to itself."""
    text = event.block if isinstance(event.block, str) else event.block.decode("utf-8", "replace")
    named = set(_NAMED.findall(text)) - {"<none>", "<unknown>"}
    return named or {event.name + event.get("Queue") + event.get("Interface")}


def identity(steps: list[Step]) -> dict[str, dict[str, Any]]:
    """What the tracker makes of the calls in these steps; fails where one does not end, or ends twice."""
    return {call["call_id"]: {key: call[key] for key in IDENTITY} for call in calls_of(events_of(steps))}


def differing(whole: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> set[str]:
    """The fields that are not as in `whole`, of any call; `calls` where there are more calls, or fewer."""
    if whole.keys() != other.keys():
        return {"calls"}
    return {key for call_id, call in whole.items() for key in IDENTITY if other[call_id][key] != call[key]}
