"""The link goes deaf: the PBX is there, nothing arrives, and no FIN says so. How long until the service knows, and is back?"""

import time
from dataclasses import dataclass

from tests.soak.figure import Figure
from tests.soak.site import Site, eventually
from tests.soak.truth import live_calls
from tests.support import crowd

DETECTED_SECONDS = 10.0
CONNECTIONS = 2
"""AMI connections of one service: events and actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`times` the link goes deaf, while calls go on."""

    times: int = 3


async def run(site: Site, plan: Plan) -> list[Figure]:
    """The worst of some times, with a call that goes on throughout."""
    detected, back = 0.0, 0.0
    async with crowd.phones_on(site.pbx.network, site.folder), crowd.calling(site.pbx, site.folder, calls=1, rate=1):
        await eventually(lambda: _sees(site, 1), seconds=20)
        for _ in range(plan.times):
            site.tell("link deaf", connections=site.link.go_deaf())
            began = time.monotonic()
            await eventually(lambda: _link_is(site, connected=False), seconds=30, every=0.02)
            detected = max(detected, time.monotonic() - began)
            await eventually(lambda: _link_is(site, connected=True), seconds=30, every=0.02)
            back = max(back, time.monotonic() - began)
            site.tell("link back", seconds=round(back, 3))
        live = live_calls(site.pbx.cel_csv, since=site.cel_from)
        unknown = {call.call_id for call in live} ^ await site.call_ids()
    return [
        Figure(label="until the deaf link was noticed", value=detected, unit="s", most=DETECTED_SECONDS),
        Figure(label="until all was known again", value=back, unit="s"),
        Figure(label="live calls wrong afterwards", value=len(unknown), most=0),
    ]


async def _sees(site: Site, calls: int) -> bool:
    return len(await site.call_ids()) == calls


async def _link_is(site: Site, *, connected: bool) -> bool:
    (link,) = (await site.get("/links"))["items"]
    if not connected:
        return bool(link["state"] != "connected")
    return bool(link["state"] == "connected" and "complete" in link["detail"] and site.link.connections >= CONNECTIONS)
