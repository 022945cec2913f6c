"""All relations judged soon after the start and each night, whatever the store says."""

import asyncio
from datetime import datetime
from functools import partial
from itertools import pairwise

from cti_bridge.domain.errors import StorageError
from cti_bridge.housekeeping import SETTLED_SECONDS, every_night, judge_relations
from tests.support.virtual_time import run_in_virtual_time

DAY_SECONDS, LONGEST_DAY_SECONDS = 86_400.0, 90_000.0


class Nights:
    """Judges nothing, notes when it should; the store is away the first time."""

    def __init__(self) -> None:
        self.judged_at: list[float] = []

    async def judge_all(self, *, now: datetime) -> int:
        assert now.tzinfo is not None
        self.judged_at.append(asyncio.get_running_loop().time())
        if len(self.judged_at) == 1:
            raise StorageError("the store is away")
        return 0


def test_relations_are_judged_after_the_start_and_each_night_also_after_a_failure() -> None:
    nights = Nights()

    async def two_days() -> None:
        task = asyncio.create_task(every_night("04:30", partial(judge_relations, nights)))
        await asyncio.sleep(SETTLED_SECONDS + 2 * DAY_SECONDS + 1)
        assert not task.done()
        task.cancel()

    run_in_virtual_time(two_days())

    assert nights.judged_at[0] == SETTLED_SECONDS
    assert len(nights.judged_at) >= 3
    assert all(later - earlier <= LONGEST_DAY_SECONDS for earlier, later in pairwise(nights.judged_at))
