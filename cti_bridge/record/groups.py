"""Rows of one PBX, sorted into groups that have nothing to do with each other, as soon as each group is complete.

A group is what Linkedid, bridges, transfers, pick-ups, Local pairs or one phone's lines at the same time tie together: one
call in most cases, several where customers met. It is complete when none of its channels lives. So a file of any size is read
with the memory of the calls that are up at one time. Pure.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from cti_bridge.record.rows import CelRow, birth_of

SETTLING_SECONDS = 5.0
"""Rows of different channels may come in another order than their times (CEL keeps the order within a channel only)."""

_TIES = ("channel2_uniqueid", "transferee_channel_uniqueid", "transfer_target_channel_uniqueid", "pickup_channel_uniqueid")
_NUMBERED = re.compile(r"(?:PJSIP|SIP)/.+-([0-9a-f]{8})", re.DOTALL)
"""Channels whose names are counted through the process (Asterisk 22)."""
_NOBODY = "N/A"
_OUT_OF_ORDER = 100
"""Channels that begin at once may be numbered in any order, and then the younger may carry the older second."""
_FIRST = (0, 0)
"""The counts of the first channel of an Asterisk process, in its Uniqueid and in its name."""
_GLUE = "holding_bridge"
"""Technology of parking lots and waiting rooms: whoever is in one at the same time does not hear the others."""


@dataclass(slots=True)
class Group:
    """`live`: channels without an end. `broken_off`: the PBX went down in it, no end will come."""

    number: int
    rows: list[CelRow] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    newest: float = 0.0
    broken_off: bool = False


class Groups:
    """Feed rows in the order of the file; `rest` at the end gives the groups with calls that still go on.

    `agent_of` tells the agent's extension from a channel's name, None for all other channels.
    """

    def __init__(self, agent_of: Callable[[str], str | None]) -> None:
        self._agent_of = agent_of
        self._by_key: dict[str, Group] = {}
        self._over: dict[int, Group] = {}
        self._numbers = count()
        self._phones: dict[str, set[str]] = {}
        self._last_start: tuple[int, int, int] | None = None

    def feed(self, row: CelRow) -> Iterator[Group]:
        """The groups that are complete now that `row` has come."""
        if row.type == "CHAN_START":
            if self._restarted(row):
                yield from self._broken_off()
            if (agent := self._agent_of(row.channel)) is not None:
                self._phones.setdefault(agent, set()).add(row.uniqueid)
        group = self._group_of(row)
        group.rows.append(row)
        group.newest = max(group.newest, row.at)
        if row.type == "CHAN_START":
            group.live.add(row.uniqueid)
        elif row.type in {"HANGUP", "CHAN_END"}:
            group.live.discard(row.uniqueid)
            self._hung_up(row)
        if group.live:
            self._over.pop(group.number, None)
        else:
            self._over[group.number] = group
        for over in [over for over in self._over.values() if over.newest < row.at - SETTLING_SECONDS]:
            self._forget(over)
            yield over

    def rest(self) -> Iterator[Group]:
        groups = {group.number: group for group in self._by_key.values()}
        for number in sorted(groups):
            yield groups[number]

    def _group_of(self, row: CelRow) -> Group:
        keys = self._keys_of(row)
        found = {group.number: group for key in keys if (group := self._by_key.get(key)) is not None}
        if not found:
            group = Group(next(self._numbers))
        else:
            group = max(found.values(), key=lambda one: len(one.rows))
            for other in found.values():
                if other is not group:
                    self._merge(group, other)
        for key in keys:
            self._by_key[key] = group
            group.keys.add(key)
        return group

    def _keys_of(self, row: CelRow) -> set[str]:
        keys = {f"id:{row.uniqueid}", f"id:{row.linkedid or row.uniqueid}"}
        keys.update(f"id:{row.extra[tie]}" for tie in _TIES if row.extra.get(tie, _NOBODY) != _NOBODY)
        bridge = row.extra.get("bridge_id")
        if bridge and row.extra.get("bridge_technology") != _GLUE and row.type in {"BRIDGE_ENTER", "BRIDGE_EXIT"}:
            keys.add(f"bridge:{bridge}")
        if row.channel.startswith("Local/"):
            keys.add(row.channel[:-2])
        elif row.type == "CHAN_START" and (agent := self._agent_of(row.channel)) is not None:
            keys.update(f"id:{other}" for other in self._phones.get(agent, ()))
        return keys

    def _merge(self, group: Group, other: Group) -> None:
        group.rows.extend(other.rows)
        group.live |= other.live
        group.newest = max(group.newest, other.newest)
        group.keys |= other.keys
        for key in other.keys:
            self._by_key[key] = group
        self._over.pop(other.number, None)

    def _hung_up(self, row: CelRow) -> None:
        agent = self._agent_of(row.channel)
        if agent is not None and (lines := self._phones.get(agent)) is not None:
            lines.discard(row.uniqueid)
            if not lines:
                del self._phones[agent]

    def _forget(self, group: Group) -> None:
        self._over.pop(group.number, None)
        for key in group.keys:
            if self._by_key.get(key) is group:
                del self._by_key[key]

    def _restarted(self, row: CelRow) -> bool:
        """True where Uniqueids and channel names are counted anew while the clock goes on: another process writes here now.

        Both, as ids may also be assigned (Originate, ARI).
        """
        birth, name = birth_of(row.uniqueid), _NUMBERED.fullmatch(row.channel)
        if birth is None or name is None:
            return False
        now = (*birth, int(name[1], 16))
        last, self._last_start = self._last_start, now
        if last is None or not (now[1] < last[1] and now[2] < last[2]):
            return False
        if now[0] <= last[0]:
            return False
        return now[0] > last[0] + 1 or now[1:] == _FIRST or now[1] < last[1] - _OUT_OF_ORDER

    def _broken_off(self) -> Iterator[Group]:
        for group in list(self.rest()):
            group.broken_off = bool(group.live)
            self._forget(group)
            yield group
        self._phones.clear()
