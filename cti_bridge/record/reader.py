"""The PBX's own record of a stretch of time, as calls: the one door to this package for audit and backfill.

In: the settings of one PBX's record (CEL, CDR, queue_log; files or tables) and a window of time. Out: the calls in it, which
sources told of them, and what could not be read. It reads in a thread, from near the window's beginning on, and keeps only
the calls.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from config.settings import RecordSettings
from cti_bridge.domain.errors import RecordUnreadable
from cti_bridge.domain.recorded_call import RecordedCall, RecordSource
from cti_bridge.record.columns import WrongColumns
from cti_bridge.record.past_calls import PastCalls
from cti_bridge.record.rows import Problems, RecordProblem, moment
from cti_bridge.record.sources import sources_of
from cti_bridge.record.tail import RotatedMeanwhile

MARGIN_SECONDS = 4 * 3600.0
"""How far before and after the window is read, so that calls that touch it are whole."""
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRead:
    """`calls` touch the window, and are whole as far as the record reaches.

    `oldest` and `newest` are the times of the first and last row read: outside of them nothing can be said (None: no row).
    `problems` names the first of what could not be read, `problem_count` counts all of it.
    """

    calls: tuple[RecordedCall, ...]
    sources: frozenset[RecordSource]
    problems: tuple[RecordProblem, ...]
    problem_count: int
    oldest: datetime | None
    newest: datetime | None


class PbxRecord:
    """The record of one PBX. `internal` tells agents' phones from trunks by endpoint name, `region` reads national numbers."""

    def __init__(self, pbx: str, settings: RecordSettings, *, internal: re.Pattern[str], region: str | None) -> None:
        self._pbx = pbx
        self._settings = settings
        self._internal = internal
        self._region = region

    async def calls(self, since: datetime, until: datetime) -> RecordRead:
        """The calls that began before `until` and had not ended before `since`; both aware.

        A source that cannot be read is a problem as long as another one can.

        Raises:
            RecordUnreadable: no source can be read, or none is set.
        """
        return await asyncio.to_thread(self._calls, since, until)

    def _calls(self, since: datetime, until: datetime) -> RecordRead:
        failed: dict[RecordSource, str] = {}
        for _ in range(TRIES):
            try:
                return self._read(since, until, failed)
            except (RotatedMeanwhile, _SourceFailed):
                continue  # what was read of it may be half of it: from the beginning, without what failed
        raise RecordUnreadable(f"{self._pbx}: the files of the PBX's record are rotated faster than they can be read")

    def _read(self, since: datetime, until: datetime, failed: dict[RecordSource, str]) -> RecordRead:
        problems, past = Problems(), PastCalls(self._pbx, internal=self._internal, region=self._region)
        spans: dict[RecordSource, tuple[float, float]] = {}
        read: set[RecordSource] = set()
        start, end = since.timestamp() - MARGIN_SECONDS, until.timestamp() + MARGIN_SECONDS
        for one in sources_of(self._settings):
            source = one.source
            if source in failed:
                problems.add(RecordProblem(file=source.value, line=None, what=failed[source]))
                continue
            try:
                for row in one.read(start, end, problems):
                    at = past.feed(row)
                    first, last = spans.get(source, (at, at))
                    spans[source] = min(first, at), max(last, at)
            except (OSError, SQLAlchemyError, WrongColumns) as cause:
                failed[source] = str(cause).partition("\n")[0]  # behind it a database's error has the query
                raise _SourceFailed from cause
            read.add(source)
        if not read:
            reasons = "; ".join(f"{source.value}: {why}" for source, why in failed.items()) or "no source is set (pbx.record)"
            raise RecordUnreadable(f"the record of PBX {self._pbx} cannot be read: {reasons}")
        best = (
            spans.get(RecordSource.CEL) or (min(s[0] for s in spans.values()), max(s[1] for s in spans.values()))
            if spans
            else None
        )
        calls = [call for call in past.calls() if call.started_at < until and (call.ended_at is None or call.ended_at >= since)]
        return RecordRead(
            calls=tuple(calls),
            sources=frozenset(read),
            problems=tuple(problems.named),
            problem_count=problems.count,
            oldest=None if best is None else moment(best[0]),
            newest=None if best is None else moment(best[1]),
        )


class _SourceFailed(Exception):
    """A source could not be read, or not to its end."""
