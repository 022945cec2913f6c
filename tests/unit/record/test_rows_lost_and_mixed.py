"""CEL keeps the order of each channel's rows only, and rows may be missing: no rule may fall over that."""

import csv
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti_bridge.domain.recorded_call import RecordedCall
from cti_bridge.record.cel import NAMES, SAMPLE_COLUMNS, cel_row
from cti_bridge.record.cel_outcomes import CelCalls
from cti_bridge.record.columns import columns_of
from cti_bridge.record.rows import CelRow
from tests.support.record_samples import INTERNAL, cel_of, recorded_names

SCENARIOS = [name for name in recorded_names() if name != "burst_40"]


@cache
def rows_of(name: str) -> tuple[CelRow, ...]:
    columns = columns_of(SAMPLE_COLUMNS, NAMES)
    with cel_of(name).open(newline="", encoding="utf-8", errors="replace") as file:
        return tuple(cel_row(row, columns, None) for row in csv.reader(file))


def calls_of(rows: list[CelRow]) -> list[RecordedCall]:
    reader = CelCalls("main", internal=INTERNAL, region=None)
    calls = [call for row in rows for call in reader.feed(row)]
    return sorted([*calls, *reader.finish()], key=lambda call: call.call_id)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_row_may_be_missing(name: str) -> None:
    """No exception; a call is named after its first channel or not at all; nobody appears who was not in it."""
    rows = rows_of(name)
    whole = calls_of(list(rows))
    ids = {call.call_id for call in whole}
    agents = {agent for call in whole for agent in (*(call.offered_to or ()), *(call.answered_by or ()))}
    uniqueids = {row.uniqueid for row in rows}

    for index in range(0, len(rows), 2):
        calls = calls_of([*rows[:index], *rows[index + 1 :]])
        assert {call.call_id.partition(":")[2] for call in calls} <= uniqueids
        if rows[index].type not in {"CHAN_START", "APP_START", "PICKUP", "BRIDGE_ENTER", "PARK_END", "ATTENDEDTRANSFER"}:
            assert {call.call_id for call in calls} == ids
        assert {agent for call in calls for agent in call.answered_by or ()} <= agents | {row.channel[6:10] for row in rows}


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_row_may_be_doubled(name: str) -> None:
    rows = rows_of(name)

    assert calls_of([row for row in rows for _ in range(2)]) == calls_of(list(rows))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SCENARIOS), st.randoms(use_true_random=False))
def test_rows_of_different_channels_may_be_written_in_another_order(name: str, random: object) -> None:
    """Each row up to a second late."""
    rows = rows_of(name)
    late = {id(row): row.at + random.random() for row in rows}  # type: ignore[attr-defined]
    for channel in {row.uniqueid for row in rows}:
        own = [row for row in rows if row.uniqueid == channel]
        for earlier, later in pairwise(own):
            late[id(later)] = max(late[id(later)], late[id(earlier)])

    mixed = sorted(rows, key=lambda row: late[id(row)])

    assert calls_of(mixed) == calls_of(list(rows))
