"""The story of a run: many calls, many mishaps, then quiet, and the question whether every call is on record, once and right.

calls      customers call the real PBX at a rate: answered, abandoned, missed and taken by the next, direct, busy, transferred
mishaps    meanwhile the service is killed, its link cut, the PBX killed, all at random moments
quiescence the last call has ended, the service has its PBX, and nothing moves any more
verdict    the store and the agents' screens, held against the PBX's CEL
"""

import asyncio
import random
import sys
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.soak.figure import Figure
from tests.soak.site import Site, eventually
from tests.soak.truth import live_calls, read_truth
from tests.soak.verdict import Verdict, judge
from tests.support import crowd

QUIET_SECONDS = 60.0
"""How long the last calls may take to end, and the service to put down all of them."""
SETTLED_SECONDS = 120.0
"""How long the audits of the gaps may take to bring in what was missed: they wait for calls to end, and for the record."""
STILL_SECONDS = 3.0
"""So long nothing may change before it counts as quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of what. `seed` fixes the moments of the mishaps."""

    calls: int
    rate: float
    kills: int
    cuts: int
    pbx_kills: int = 0
    seed: int = 1

    @property
    def seconds(self) -> float:
        """How long customers keep calling."""
        return self.calls / self.rate


async def run(site: Site, plan: Plan) -> Verdict:
    """The whole story; leaves mishaps.jsonl and the logs in the site's folder."""
    async with crowd.phones_on(site.pbx.network, site.folder):
        async with asyncio.TaskGroup() as story:
            story.create_task(everybody_calls(site, plan), name="calls")
            story.create_task(everything_breaks(site, plan), name="mishaps")
        await quiescence(site)
        return await verdict(site)


async def everybody_calls(site: Site, plan: Plan) -> None:
    """All customers, each kind at its share of the rate."""
    async with asyncio.TaskGroup() as calls:
        for kind in crowd.KINDS:
            number = max(1, round(plan.calls * kind.share))
            folder = site.folder
            calls.create_task(
                crowd.call_in(site.pbx.network, folder, kind, calls=number, rate=number / plan.seconds), name=kind.name
            )
    site.tell("the last customer has called", customers=plan.calls)


async def everything_breaks(site: Site, plan: Plan) -> None:
    """Each mishap at its moment: at random, but for the PBX's death in the middle of it all."""
    dice = random.Random(plan.seed)
    moments: list[tuple[float, Callable[[Site], Awaitable[None]]]] = []
    moments += [(dice.uniform(0.05, 0.95), kill_service) for _ in range(plan.kills)]
    moments += [(dice.uniform(0.05, 0.95), cut_link) for _ in range(plan.cuts)]
    moments += [(dice.uniform(0.4, 0.6), kill_pbx) for _ in range(plan.pbx_kills)]
    began = time.monotonic()
    for moment, mishap in sorted(moments, key=lambda one: one[0]):
        await asyncio.sleep(max(0.0, began + moment * plan.seconds - time.monotonic()))
        await mishap(site)


async def kill_service(site: Site) -> None:
    site.tell("service killed", pid=site.service.kill())


async def cut_link(site: Site) -> None:
    site.tell("link cut", connections=site.link.cut())


async def kill_pbx(site: Site) -> None:
    """Asterisk dies as in a power cut, and is started again at once; its calls are gone."""
    live = len(live_calls(site.pbx.cel_csv, since=site.cel_from))
    site.tell("PBX killed", calls=live)
    await asyncio.to_thread(site.pbx.kill)
    await asyncio.to_thread(site.pbx.start)
    site.tell("PBX back")


async def quiescence(site: Site) -> None:
    """Returns when the PBX has no channel, every gap is settled, and nothing has changed for a while; says so if never."""

    async def pbx_is_quiet() -> bool:
        return await site.channels() == 0

    async def gaps_are_settled() -> bool:
        return all(gap["settled_at"] for gap in await site.items("/gaps"))

    seen: tuple[int, int] = (-1, -1)
    since = time.monotonic()

    async def nothing_moves() -> bool:
        nonlocal seen, since
        now = hash(str(await site.items("/interactions"))), len(await site.call_ids())
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > STILL_SECONDS

    quiet = await eventually(pbx_is_quiet, seconds=QUIET_SECONDS, every=0.5)
    await site.service.ready()
    began = time.monotonic()
    settled = await eventually(gaps_are_settled, seconds=SETTLED_SECONDS, every=0.5)
    seconds = round(time.monotonic() - began, 1)
    still = await eventually(nothing_moves, seconds=QUIET_SECONDS, every=0.5)
    site.tell("quiescence", pbx_is_quiet=quiet, gaps_are_settled=settled, settled_seconds=seconds, store_is_still=still)


async def verdict(site: Site) -> Verdict:
    """What is on record and on the screens, held against what happened."""
    truth = read_truth(site.pbx.cel_csv, since=site.cel_from)
    stored = await site.items("/interactions")
    return judge(stored, truth, still_live=await site.call_ids(), browsers=site.browsers)


async def audited(site: Site) -> list[Figure]:
    """What `cti-bridge audit` says: the service's own judgement, beside that of this rig."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti_bridge", "audit", "--config", str(site.service.config), "--json", stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    (site.folder / "audit.out").write_bytes(output)
    return [Figure(label="cti-bridge audit, exit code", value=await process.wait(), most=0)]
