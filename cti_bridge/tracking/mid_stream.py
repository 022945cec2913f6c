"""A stream that is told again from its middle: what was half over there must not come up as calls of its own.

The stream begins where the oldest channel begins that still matters (`CallTracker.needed_from`, as it was noted). Whatever is
heard of, until the note, without its beginning was over by then and is on record: its events are left out. Told by the second
half of its story, such a call would be a ghost, or worse, would replace the right record. What came up all the same (a leg that
an unheard call had dialled) is forgotten at the note, which names the genuine calls. Behind the note a channel that is heard of
without its beginning is taken as ever: its beginning is lost.
"""

import re
from collections.abc import Collection
from typing import Final

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId
from cti_bridge.domain.call_events import TrackerEvent
from cti_bridge.tracking.rebuild import seconds_of
from cti_bridge.tracking.tracker import CallTracker

_UNIQUEID: Final = re.compile(rb"\r\n([A-Za-z]*)Uniqueid: ?([^\r\n]+)")


class MidStream:
    """Feeds a fresh tracker. `lost`: when the PBX had last been lost sight of before the stream begins, None where never.
    `is_whole`: it is told from its very beginning, and everything in it is taken as it was when it was live.
    """

    def __init__(self, tracker: CallTracker, *, lost: float | None, is_whole: bool = False) -> None:
        self._tracker = tracker
        self._lost = lost
        self._is_before_note = not is_whole
        self._left_out: set[str] = set()
        if lost is not None:
            tracker.disconnected(lost)

    def feed(self, event: AmiEvent, at: float) -> list[TrackerEvent]:
        """What this event means, as the tracker says; nothing where it tells of what was half over."""
        if self._is_before_note and event.name != "Newchannel":
            if event.name == "CoreShowChannel":
                self._listed(event, at)
            else:
                self._learn(event)
        if self._left_out and event.name != "CoreShowChannel" and not self._left_out.isdisjoint(_uniqueids(event)):
            if dialled := event.get("DestUniqueid"):
                self._leave_out(dialled)  # a leg of such a call; without its caller it would begin one
            return []
        return self._tracker.feed(event, at)

    def disconnected(self, at: float) -> list[TrackerEvent]:
        """The link broke within the stream."""
        self._lost = at
        return self._tracker.disconnected(at)

    def noted(self, calls: Collection[CallId]) -> None:
        """The note that named the beginning of the stream was written here; of the calls of then, these are genuine."""
        self._is_before_note = False
        for call_id in self._tracker.live_ids():
            if call_id not in calls:
                self._left_out.update(self._tracker.forget(call_id))

    def finish(self) -> None:
        """The stream goes on live: a channel that lives after all (older than a replay goes back) comes by a listing."""
        for uid in self._left_out:
            self._tracker.take_in(uid)

    def _learn(self, event: AmiEvent) -> None:
        for uid in _uniqueids(event):
            if not self._tracker.knows(uid):
                self._leave_out(uid)

    def _listed(self, event: AmiEvent, at: float) -> None:
        """A listing shows what is alive: new to us only if it began while nobody looked."""
        uid = event.get("Uniqueid")
        if self._tracker.knows(uid):
            return
        if self._lost is None or at - seconds_of(event.get("Duration")) < self._lost:
            self._leave_out(uid)

    def _leave_out(self, uid: str) -> None:
        self._left_out.add(uid)
        self._tracker.leave_out(uid)


def _uniqueids(event: AmiEvent) -> list[str]:
    """Of the channels that the event tells of; bridges have such headers too."""
    found = _UNIQUEID.findall(event.block)
    return [uid.decode("utf-8", "replace") for name, uid in found if not name.endswith(b"Bridge")]
