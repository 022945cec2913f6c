"""Two real PBXs in one service, with calls of one and the same Uniqueid: two calls, two decisions, two records."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.load import load_settings
from cti_bridge.app import Application
from cti_bridge.demo import PASSWORD
from cti_bridge.doctor.examination import examine
from cti_bridge.doctor.finding import Severity
from tests.support.cti_client import Person, sign_in, until
from tests.support.pbx import Pbx, PbxUnavailable, running_pbx
from tests.support.pbx_config import changed
from tests.support.pbx_lab import Lab, open_lab
from tests.support.service import Site

pytestmark = pytest.mark.pbx

NAMES = ("north", "south")
GOLD, NOBODY = "02079460018", "02079460099"
TRIES = 10
"""Both PBXs count their channels alike; the two calls must only begin in one second."""


@contextmanager
def a_later_pbx() -> Iterator[Pbx]:
    """Started in another second than the one before: on one machine, only that tells two unnamed PBXs apart from outside."""
    time.sleep(1.01)
    with running_pbx() as pbx:
        yield pbx


@pytest.fixture(scope="module")
def pbxs() -> Iterator[tuple[Pbx, ...]]:
    """Two fresh PBXs whose dialplans ask one service, each under its name."""
    try:
        with ExitStack() as stack:
            both = tuple(stack.enter_context(a_later_pbx()) for _ in NAMES)
            agi = f"agi://{both[0].network.service}:4573"
            for name, pbx in zip(NAMES, both, strict=True):
                ours = {
                    f"agi://{pbx.network.service}:4573": agi,
                    "/route?did=${EXTEN}&": f"/route?did=${{EXTEN}}&pbx={name}&",
                }
                stack.enter_context(changed(pbx, {"extensions.conf": ours}))
            yield both
    except PbxUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def labs(pbxs: tuple[Pbx, ...]) -> AsyncIterator[tuple[Lab, ...]]:
    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(open_lab(pbx)) for pbx in pbxs])


@pytest.fixture
async def site(pbxs: tuple[Pbx, ...], store: Path, tmp_path: Path) -> Site:
    """A service for both, with one customer who is gold."""
    site = Site(folder=tmp_path, network=pbxs[0].network)
    site.set_up(store)
    head, found, section = site.config.read_text().partition("[[pbx]]")
    sections = [
        (found + section).replace('name = "main"', f'name = "{name}"').replace(pbxs[0].network.pbx, pbx.network.pbx)
        for name, pbx in zip(NAMES, pbxs, strict=True)
    ]
    site.config.write_text("\n".join([head, *sections]))
    await site.customer("Zoë", GOLD)
    return site


@dataclass(frozen=True)
class Running:
    """The service, and who watches it."""

    base: str
    stack: AsyncExitStack

    async def person(self, username: str) -> Person:
        return await self.stack.enter_async_context(sign_in(self.base, username, PASSWORD))


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Running]:
    """The service with both links up."""
    application = Application(load_settings(site.config, {}))
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        tasks.create_task(application.run())
        try:
            await application.started.wait()
            running = Running(f"http://127.0.0.1:{application.port}", stack)
            supervisor = await running.person("sam")

            async def both_are_up() -> bool:
                links = (await supervisor.get("/links"))["items"]
                return [(link["state"], "complete" in link["detail"]) for link in links] == [("connected", True)] * 2

            await until(both_are_up)
            yield running
        finally:
            await stack.aclose()
            application.stop()


async def two_calls(labs: tuple[Lab, ...], eva: Person, alice: Person) -> list[dict[str, Any]]:
    """A gold customer calls north, which its rule sends to sales; nobody known calls south, which is support. Gives the pops."""
    carriers = [await lab.carrier() for lab in labs]
    callers = [carrier.call("8500", number=number) for carrier, number in zip(carriers, (GOLD, NOBODY), strict=True)]
    pops = [await person.event("pop") for person in (eva, alice)]
    for caller in callers:
        caller.hang_up()
    return pops


async def test_equal_uniqueids_stay_two_calls(labs: tuple[Lab, ...], site: Site) -> None:
    north, south = labs
    await north.only("sales", "1005")
    await south.only("support", "1001")
    await north.phone("1005")
    await south.phone("1001")
    async with serving(site) as service:
        supervisor = await service.person("sam")
        for _ in range(TRIES):
            eva, alice = await service.person("eva"), await service.person("alice")
            pops = await two_calls(labs, eva, alice)
            ids = [pop["call"]["call_id"].partition(":") for pop in pops]
            stored = [await supervisor.stored(pop["call"]["call_id"]) for pop in pops]
            if ids[0][2] == ids[1][2]:
                break
        else:
            pytest.fail(f"no two calls began in the same second: {ids}")

    assert [(pbx, call["pbx"]) for (pbx, _, _), call in zip(ids, stored, strict=True)] == [("north", "north"), ("south", "south")]
    assert [(pop["routing"]["rule"], pop["call"]["queue"]) for pop in pops] == [
        ("best-customers-first", "sales"),
        ("default", "support"),
    ]
    assert [(call["presented_number"], call["queue"], call["outcome"]) for call in stored] == [
        (GOLD, "sales", "abandoned"),
        (NOBODY, "support", "abandoned"),
    ]


async def test_doctor_asks_both_and_wants_names(pbxs: tuple[Pbx, ...], site: Site) -> None:
    report = await examine(load_settings(site.config, {}), now=datetime.now(UTC), listen_seconds=0)

    assert [wrong(pbx.findings) for pbx in report.pbxes] == [set(), set()]
    assert wrong(report.together) == {"connection.system_name"}


async def test_doctor_wants_a_dialplan_to_say_which_pbx_asks(pbxs: tuple[Pbx, ...], site: Site) -> None:
    with (
        changed(pbxs[0], {"extensions.conf": {"&pbx=north": "&pbx=south"}}),
        changed(pbxs[1], {"extensions.conf": {"&pbx=south": ""}}),
    ):
        report = await examine(load_settings(site.config, {}), now=datetime.now(UTC), listen_seconds=0)

    assert [wrong(pbx.findings) for pbx in report.pbxes] == [{"dialplan.agi_which_pbx"}] * 2


async def test_system_names_keep_the_ids_apart(pbxs: tuple[Pbx, ...], site: Site) -> None:
    """Set after the fact, which needs a restart of Asterisk; ids from then on begin with the name."""
    for name, pbx in zip(NAMES, pbxs, strict=True):
        config = pbx.folder / "etc" / "asterisk.conf"
        config.write_text(config.read_text().replace("[options]\n", f"[options]\nsystemname = {name}-pbx\n"))
        pbx.stop()
        pbx.start()
    report = await examine(load_settings(site.config, {}), now=datetime.now(UTC), listen_seconds=0)
    async with AsyncExitStack() as stack, serving(site) as service:
        labs = [await stack.enter_async_context(open_lab(pbx)) for pbx in pbxs]
        await labs[0].only("sales", "1005")
        await labs[1].only("support", "1001")
        await labs[0].phone("1005")
        await labs[1].phone("1001")
        pops = await two_calls(tuple(labs), await service.person("eva"), await service.person("alice"))

    assert (report.exit_code, wrong(report.together)) == (0, set())
    assert [pop["call"]["call_id"].rpartition("-")[0] for pop in pops] == ["north:north-pbx", "south:south-pbx"]
    assert [pop["routing"]["rule"] for pop in pops] == ["best-customers-first", "default"]


def wrong(findings: Any) -> set[str]:
    return {finding.code for finding in findings if finding.severity is not Severity.OK}
