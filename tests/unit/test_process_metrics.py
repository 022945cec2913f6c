"""What Prometheus reads of the process itself."""

from datetime import UTC, datetime, timedelta

import pytest

from cti_bridge.domain.call_events import CallArrived
from cti_bridge.live.board import Board
from cti_bridge.state import STUCK, ProcessMetrics
from tests.support.stores import a_call


@pytest.mark.parametrize(("age", "stuck"), [(STUCK - timedelta(minutes=1), 0), (STUCK + timedelta(minutes=1), 1)])
def test_a_call_that_the_pbx_holds_for_hours_is_counted_as_stuck(age: timedelta, stuck: int) -> None:
    now = datetime.now(UTC)
    board = Board(since=now, service_level_seconds=20, short_abandon_seconds=5, wrap_up_seconds=0)
    for number, started_at in enumerate((now, now - age)):
        board.feed(CallArrived(call=a_call(f"main:{number}", started_at=started_at), at=now))

    values = {family.name: family.samples[0].value for family in ProcessMetrics(board, {}, {}).collect() if family.samples}

    assert (values["cti_calls_live"], values["cti_calls_stuck"]) == (2, stuck)
