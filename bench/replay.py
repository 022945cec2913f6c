"""The load trace through `replay`: every call in it is found, none twice. A count, not a speed (tests/test_load_trace.py).

The peer is the trace itself, read with a plain search: the channels that came in over the trunk, and their queue events.
"""

import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Goal
from bench.load_trace import INTERNAL, arrivals, load_bytes
from cti_bridge.replay import replay_calls


def measure() -> list[Figure]:
    data = load_bytes()
    there = list(arrivals(data))
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "load.ami"
        trace.write_bytes(data)
        began = time.monotonic()
        found = [call["call_id"] for call in replay_calls(trace, None, pbx="main", region="GB", internal=INTERNAL)]
        seconds = time.monotonic() - began
    right = set(found) == {f"main:{uid.decode()}" for uid in there}
    return [
        Figure(
            name="replay, calls found" if right else "replay, OTHER calls found",
            ours=f"{len(set(found))} calls, {len(found) / seconds:.0f}/s",
            peer=f"in the trace {len(there)}",
            ratio=len(set(found)) / len(there),
            goal=Goal(at_least=1, at_most=1),
        ),
        Figure(
            name="replay, documents a call",
            ours=f"{len(found)} documents",
            peer=f"{len(set(found))} calls",
            ratio=len(found) / len(set(found)),
            goal=Goal(at_least=1, at_most=1),
        ),
    ]
