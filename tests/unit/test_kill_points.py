"""The places at which a test kills the service: only the one named, only for the last time asked for."""

import subprocess
import sys

import pytest

from cti_bridge.kill_points import KillPoints, from_environment


def test_without_the_variable_nothing_is_armed():
    points = from_environment({})

    points.reached("pop.sent")
    assert points.armed is None


@pytest.mark.parametrize("text", ["nowhere:1", "pop.sent", "pop.sent:0", "pop.sent:x", ":1"])
def test_a_mistake_is_told(text: str):
    with pytest.raises(ValueError, match=r"CTI_KILLPOINT=.* is not one of journal\.write"):
        KillPoints(text)


def test_the_process_is_killed_when_the_place_is_reached_often_enough():
    script = """
from cti_bridge.kill_points import KillPoints
points = KillPoints("store.committed:2")
for place in ("store.committed", "pop.sent", "pop.sent", "store.committed", "store.committed"):
    print(place, flush=True)
    points.reached(place)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == -9
    assert done.stdout.split() == ["store.committed", "pop.sent", "pop.sent", "store.committed"]
