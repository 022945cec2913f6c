"""The service dies amid many live calls. How long from its start until every call, agent and queue is right again?"""

import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

from tests.soak.figure import Figure
from tests.soak.site import Site, eventually
from tests.soak.truth import TrueCall, live_calls
from tests.support import crowd

RIGHT_SECONDS = 3.0
DIALLING_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Calls that are alive at once, and how often the service is killed among them."""

    calls: int = 200
    times: int = 3


async def run(site: Site, plan: Plan) -> list[Figure]:
    """The worst of some times; callers talk and wait, and nothing moves meanwhile."""
    worst, cards, talking = 0.0, 0, 0
    rate = plan.calls / DIALLING_SECONDS
    async with (
        crowd.phones_on(site.pbx.network, site.folder),
        crowd.calling(site.pbx, site.folder, calls=plan.calls, rate=rate),
    ):
        live = await _all_in(site, plan.calls)
        site.tell("all callers are in", calls=len(live), talking=sum(bool(call.talking) for call in live))
        for _ in range(plan.times):
            starts = len(site.service.started_at)
            site.tell("service killed", pid=site.service.kill())
            await eventually(partial(_knows, site, live, starts), seconds=60, every=0.02)
            worst = max(worst, time.monotonic() - site.service.started_at[-1])
            site.tell("state right", seconds=round(worst, 3))
        pages = {page.extension: page for page in site.browsers}
        talks = [(agent, call.call_id) for call in live for agent in call.talking if agent in pages]
        await eventually(lambda: _is_live(site), seconds=10)
        talking, cards = len(talks), sum(call_id in pages[agent].cards for agent, call_id in talks)
    return [
        Figure(label="live calls", value=plan.calls),
        Figure(label="from the start until all is right", value=worst, unit="s", most=RIGHT_SECONDS),
        Figure(label="agents talking", value=talking),
        Figure(label="  whose card did not come back", value=talking - cards, most=0),
    ]


async def _all_in(site: Site, calls: int) -> list[TrueCall]:
    """The live calls, once all have come, every free agent has one, and the service knows."""
    most_talking = min(calls, len(crowd.QUEUES["rush"][2]))
    live: list[TrueCall] = []

    async def all_in() -> bool:
        nonlocal live
        live = [call for call in live_calls(site.pbx.cel_csv, since=site.cel_from) if call.queues]
        talking = sum(bool(call.talking) for call in live)
        return len(live) == calls and talking == most_talking and await _knows(site, live, 0)

    if not await eventually(all_in, seconds=40):
        raise AssertionError(f"{len(live)} of {calls} calls came in, {sum(bool(call.talking) for call in live)} talk")
    return live


async def _knows(site: Site, live: list[TrueCall], starts: int) -> bool:
    """Whether calls, agents and queues over REST are what the PBX has; `starts` the number of starts that must be past."""
    if len(site.service.started_at) <= starts:
        return False
    calls = {call["call_id"]: (call["queue"], call["talking"]) for call in await site.items("/calls")}
    if calls != {call.call_id: (call.queues[0], list(call.talking)) for call in live}:
        return False
    busy = {agent["agent"]: agent["call_id"] for agent in await site.items("/agents") if agent["activity"] == "talking"}
    if busy != {agent: call.call_id for call in live for agent in call.talking}:
        return False
    waiting = {queue["queue"]: queue["waiting"] for queue in await site.items("/queues") if queue["waiting"]}
    return waiting == Counter(call.queues[0] for call in live if not call.talking)


async def _is_live(site: Site) -> bool:
    return all(page.is_live for page in site.browsers)
