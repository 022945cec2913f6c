"""A page says that there is more only where there is."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.paging import page_of, time_key_of

T0 = datetime(2026, 11, 22, tzinfo=UTC)
ROWS = [(T0 - timedelta(minutes=number), f"id-{number}") for number in range(4)]


@pytest.mark.parametrize(("found", "more"), [(0, False), (2, False), (3, False), (4, True)])
def test_the_next_page_begins_after_the_last_row_and_only_where_there_is_one(found: int, more: bool) -> None:
    page = page_of(ROWS[:found], 3, lambda row: row)

    assert page.items == tuple(ROWS[:3][:found])
    assert (time_key_of(page.next) if page.next else None) == (ROWS[2] if more else None)
