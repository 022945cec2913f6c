"""The soak in small: a minute of calls and mishaps on a real Asterisk. `make soak` tells the same stories at full size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.soak import half_open, loss, restart, store_away
from tests.soak.figure import Figure, table
from tests.soak.site import open_site
from tests.support import crowd
from tests.support.pbx import Pbx, PbxUnavailable, running_pbx

pytestmark = [pytest.mark.pbx, pytest.mark.usefixtures("sipp")]


@pytest.fixture(scope="module")
def crowded() -> Iterator[Pbx]:
    """A PBX of its own: its crowd of phones and queues would stand in the way of other tests."""
    try:
        with running_pbx() as pbx:
            crowd.add_to(pbx)
            yield pbx
    except PbxUnavailable as reason:
        pytest.skip(str(reason))


def check(title: str, figures: Sequence[Figure]) -> None:
    """Fails with the whole table where a goal is not met."""
    assert [figure for figure in figures if not figure.is_good] == [], f"\n{table(title, figures)}"


async def test_no_call_is_lost_while_everything_breaks(crowded: Pbx, tmp_path: Path) -> None:
    async with open_site(crowded, tmp_path) as site:
        verdict = await loss.run(site, loss.Plan(calls=60, rate=5.0, kills=3, cuts=1))
        figures = [*verdict.figures(), *await loss.audited(site)]

    check(f"loss\n{verdict.differences}", figures)


async def test_deaf_link_is_noticed(crowded: Pbx, tmp_path: Path) -> None:
    async with open_site(crowded, tmp_path, agents=()) as site:
        figures = await half_open.run(site, half_open.Plan(times=1))

    check("half-open", figures)


async def test_state_is_right_soon_after_a_restart_amid_calls(crowded: Pbx, tmp_path: Path) -> None:
    async with open_site(crowded, tmp_path) as site:
        figures = await restart.run(site, restart.Plan(calls=30, times=1))

    check("restart", figures)


async def test_calls_and_pops_go_on_while_the_store_is_locked(crowded: Pbx, tmp_path: Path) -> None:
    async with open_site(crowded, tmp_path) as site:
        plan = store_away.Plan(seconds=10, around_seconds=2)
        figures = await store_away.run(site, plan, lambda: store_away.sqlite_locked(tmp_path / "cti.db"))

    check("store locked", figures)
