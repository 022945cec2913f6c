"""The service is killed at every step of what it does, while calls go on: no call is lost or doubled, no pop is shown twice, no
wrap-up that was acknowledged is gone. `CTI_TEST_KILLS` times at each step (2; `make soak`: 20).
"""

import asyncio
import os
from collections import Counter
from random import Random

import pytest

from cti_bridge.simulator.pbx import SimulatedPbx
from tests.support.mortal_service import Desk, MortalService, mortal_service
from tests.support.running import ZOE, call_centre
from tests.support.simulated_pbx import a_pbx

KILLS = int(os.environ.get("CTI_TEST_KILLS", "2"))
STEPS = {
    "journal.write": range(8, 40),
    "tracker.fed": range(8, 40),
    "store.commit": range(1, 3),
    "store.committed": range(1, 3),
    "pop.sent": range(1, 3),
    "wrap_up.received": range(1, 3),
    "wrap_up.committed": range(1, 3),
}
"""How often each step is reached before it kills: from login and listings on."""


async def one_call(pbx: SimulatedPbx, desk: Desk) -> str:
    """A call from its ring to its wrap-up. The service knows of it before it ends: what lives and dies while nobody looks is for
    the PBX's own record to tell.
    """
    call = await pbx.call_in("8100", ZOE)
    call_id = f"main:{call.uniqueid}"
    await desk.sees(f"{call_id}/1001/1")
    pbx.phone("1001").answer()
    await desk.knows(call_id, lambda seen: seen["talking"] == ["1001"])
    call.hang_up()
    await desk.wraps_up(call_id, f"done {call_id}")
    await pbx.phone("1001").idle()
    return call_id


async def calls_until(stop: asyncio.Event, pbx: SimulatedPbx, desk: Desk) -> list[str]:
    calls = []
    while not stop.is_set():
        calls.append(await one_call(pbx, desk))
    return calls


@pytest.mark.timeout(90 + 30 * KILLS)
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_loses_doubles_and_shows_nothing_twice(tmp_path, template, step: str):
    random = Random(step)
    async with a_pbx(call_centre()) as pbx, mortal_service(tmp_path, template, pbx) as (service, desk):
        listening = asyncio.create_task(desk.run())
        stop = asyncio.Event()
        calling = asyncio.create_task(calls_until(stop, pbx, desk))

        for _ in range(KILLS):
            await service.start(kill_point=f"{step}:{random.choice(STEPS[step])}")
            assert await service.dead() == -9
        await service.start()
        stop.set()
        calls = await calling
        await all_stored(service, calls)
        listening.cancel()

    stored = service.stored()
    assert Counter(row["call_id"] for row in stored) == dict.fromkeys(calls, 1)
    assert {row["outcome"] for row in stored} == {"answered"}
    assert {row["agent"] for row in stored} == {"1001"}
    assert {row["account_id"] is not None for row in stored} == {True}
    assert {row["call_id"]: row["disposition"] for row in stored} == desk.acknowledged
    assert Counter(desk.shown) == Counter(f"{call_id}/1001/1" for call_id in calls)
    assert set(desk.sent.values()) <= {1}
    assert desk.resumed[1:] == [False] * (len(desk.resumed) - 1)


async def all_stored(service: MortalService, calls: list[str]) -> None:
    """Waits until every call is on record as over."""
    async with asyncio.timeout(20):
        while {row["call_id"] for row in service.stored() if row["ended_at"]} != set(calls):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
