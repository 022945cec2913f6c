"""The laboratory's fixtures: fresh phones and AMI sessions for each test, and the service on the real PBX."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.support.pbx import Pbx
from tests.support.pbx_lab import Lab, open_lab
from tests.support.service import Service, Site, running_service
from tests.support.sipp import why_no_sipp

LAB = pytest.StashKey[Lab]()
LOG_CHARACTERS = 12_000


@pytest.fixture
async def lab(pbx: Pbx, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """The PBX with nothing going on, and everything to make calls with."""
    async with open_lab(pbx) as lab:
        request.node.stash[LAB] = lab
        yield lab


@pytest.fixture
def site(lab: Lab, store: Path, tmp_path: Path) -> Site:
    """A service set up for this PBX with the least-privilege account, not started yet."""
    site = Site(folder=tmp_path, network=lab.network)
    site.set_up(store)
    return site


@pytest.fixture
async def service(lab: Lab, site: Site) -> AsyncIterator[Service]:
    """The service, connected to the PBX."""
    async with running_service(lab, site) as service:
        await service.connected()
        yield service


@pytest.fixture
def sipp() -> None:
    """Asks for SIPp; skips, in one line, where it is not installed."""
    reason = why_no_sipp()
    if reason is not None:
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what Asterisk logged meanwhile."""
    report = yield
    lab = item.stash.get(LAB, None)
    if report.failed and lab is not None:
        report.sections.append((f"Asterisk's log ({lab.pbx.log})", lab.log()[-LOG_CHARACTERS:]))
    return report
