"""The laboratory's fixtures: one real Asterisk for the whole run, fresh phones and AMI sessions for each test."""

from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from tests.support.pbx import Pbx, PbxUnavailable, running_pbx
from tests.support.pbx_lab import Lab, open_lab
from tests.support.sipp import why_no_sipp

LAB = pytest.StashKey[Lab]()
LOG_CHARACTERS = 12_000


@pytest.fixture(scope="session")
def pbx() -> Iterator[Pbx]:
    """A real Asterisk on a loopback network of its own; skips, in one line, where this machine has none."""
    try:
        with running_pbx() as pbx:
            yield pbx
    except PbxUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def lab(pbx: Pbx, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """The PBX with nothing going on, and everything to make calls with."""
    async with open_lab(pbx) as lab:
        request.node.stash[LAB] = lab
        yield lab


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
