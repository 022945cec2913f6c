"""Named places at which a test kills this very process, as a power cut would: nothing is flushed, nothing is said.

`CTI_KILLPOINT=store.committed:3` kills it when the place is reached for the third time. Without the variable a place costs one
comparison. For tests of recovery only (tests/system/test_kill_points.py, `make soak`).
"""

import os
import signal
from collections.abc import Mapping
from typing import Final, Literal, get_args

KillPoint = Literal[
    "journal.write",
    "journal.erase",
    "journal.erased",
    "tracker.fed",
    "store.commit",
    "store.committed",
    "pop.sent",
    "wrap_up.received",
    "wrap_up.committed",
]
"""Half of a chunk is in the journal; an erasure in it is planned, and half done; a chunk was fed to the tracker; before and after
a group of calls is committed; a pop was handed to its agent; a wrap-up came in; it is stored, and not acknowledged yet."""


class KillPoints:
    """Counts down to the one place that is armed. Raises ValueError for a text that is not `NAME:COUNT`."""

    def __init__(self, text: str) -> None:
        name, _, count = text.partition(":")
        if text and (name not in get_args(KillPoint) or not count.isdigit() or int(count) < 1):
            raise ValueError(f"CTI_KILLPOINT={text!r} is not one of {', '.join(get_args(KillPoint))} with a count, as pop.sent:3")
        self.armed: str | None = name or None
        self._left = int(count) if name else 0

    def reached(self, name: KillPoint) -> None:
        """Does not return where this is the armed place and it is reached for the last time."""
        if name != self.armed:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def from_environment(environment: Mapping[str, str]) -> KillPoints:
    return KillPoints(environment.get("CTI_KILLPOINT", ""))


kill_points: Final = from_environment(os.environ)
"""This process's own."""
