"""The comparison: the calls in the store against those that the PBX's own record tells of. Pure, and no code of the tracker's.

In: the recorded calls of a window, then every stored call of it, in any order, one by one (`Comparison.feed`): of a day of
100,000 stored calls only those are kept that differ. Out: the differences, each with what is needed to mend it.

What is not compared, so that nothing false is found: fields that the record does not tell; calls still going on where the record
ends; calls that ended a moment ago; recorded calls whose beginning lies before what was read of the record; stored calls that the
record could not tell of (CDR alone does not know unanswered calls, queue_log only those that waited in a queue) or that lie
before its first row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from cti_bridge.domain.audit import StoredCall, StoredSpan
from cti_bridge.domain.call import CallId, Direction, Outcome
from cti_bridge.domain.recorded_call import Finding, FindingKind, RecordedCall, RecordSource
from cti_bridge.record.fields import FIELDS, TOLERANCE_SECONDS, compare_fields, shown_time

SETTLING_SECONDS: Final = 10.0
"""After its end a call may take this long to be in the store, and in the record."""
BATCH_SECONDS: Final = 330.0
"""As SETTLING_SECONDS where the record is CDR alone: Asterisk may write it in batches, every 300 s by default."""
FIRST_ROW_SECONDS: Final = 5.0
"""A call whose first row comes so much later than its channel was made began before what was read of the record."""
ENOUGH_CALLS_FOR_A_CLOCK: Final = 8
MOST_ELSEWHERE: Final = 20
_LONG_BEFORE: Final = timedelta(hours=4)
"""What is read of the record before a window, so that the calls in it are whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is wrong with one call, by the name it has (or will have) in the store.

    `recorded` is None for a ghost, `stored` where nothing of it is to be put right. `fields` are those to be put right; without
    findings they are estimates that the record knows better. `extras`: the other stored calls that are this one.
    """

    call_id: CallId
    findings: tuple[Finding, ...]
    recorded: RecordedCall | None = None
    stored: StoredCall | None = None
    fields: frozenset[str] = frozenset()
    extras: tuple[CallId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is compared: calls that lived between `since` and `until`.

    The rows that were read begin at `oldest` and end at `newest` (None: there are none). All times are of the service's clock;
    `now` is the time of looking.
    """

    since: datetime
    until: datetime
    oldest: datetime | None
    newest: datetime | None
    now: datetime


@dataclass(slots=True)
class _Entry:
    """A recorded call, and the stored calls that turned out to be it. `kept` is held only where it differs."""

    recorded: RecordedCall
    is_of_window: bool
    found: list[CallId] = field(default_factory=list)
    best: tuple[bool, bool, str] | None = None
    kept: StoredCall | None = None
    findings: tuple[Finding, ...] = ()
    fields: frozenset[str] = frozenset()


class Comparison:
    """`feed` every stored call once; then `missing`, whose rows may lie elsewhere in time, are fed too; then `differences`."""

    def __init__(self, recorded: Iterable[RecordedCall], window: Window, *, sources: frozenset[RecordSource]) -> None:
        self._window = window
        self._sources = sources
        self._entries: list[_Entry] = []
        self._by_id: dict[str, _Entry] = {}
        self._by_channel: dict[str, _Entry] = {}
        self._ghosts: list[StoredCall] = []
        self.stored = 0
        """Stored calls of the window."""
        self.unjudged = 0
        """Stored calls of the window, older than the record, of which it cannot tell."""
        for call in recorded:
            self._enter(call, is_of_window=_lived_in(call, window) and _began_in_time(call))

    @property
    def calls(self) -> int:
        """Recorded calls of the window."""
        return sum(entry.is_of_window for entry in self._entries)

    @property
    def going_on(self) -> int:
        """Recorded calls of the window that have no end yet, or ended a moment ago."""
        return sum(entry.is_of_window and not self._is_settled(entry.recorded) for entry in self._entries)

    def feed(self, stored: StoredCall) -> None:
        """Compares one stored call."""
        lives_in_window = stored.started_at < self._window.until and (
            stored.ended_at is None or stored.ended_at >= self._window.since
        )
        self.stored += lives_in_window
        entry = self._by_id.get(stored.call_id) or self._by_channel.get(stored.call_id)
        if entry is not None:
            self._take(stored, entry)
        elif lives_in_window and not stored.is_ghost:
            self._judge_unknown(stored)

    def elsewhere(self) -> Sequence[datetime]:
        """When the channels of ghosts were made, where that was not within the window: the record of that time may know them."""
        made = {_made_at(ghost.call_id) for ghost in self._ghosts}
        window = self._window
        times = sorted(datetime.fromtimestamp(at, UTC) for at in made if at is not None)
        return [at for at in times if not window.since - _LONG_BEFORE <= at <= window.until][:MOST_ELSEWHERE]

    def learn(self, recorded: Iterable[RecordedCall]) -> None:
        """Takes calls of another time, of which the store has wrong times: they are no ghosts."""
        ghosts = {ghost.call_id: ghost for ghost in self._ghosts}
        for call in recorded:
            channels = {call.call_id, *(f"{call.pbx}:{uniqueid}" for uniqueid in call.uniqueids)}
            if channels & ghosts.keys() and call.call_id not in self._by_id:
                self._enter(call, is_of_window=True)
        known = [ghost for ghost in self._ghosts if ghost.call_id in self._by_id or ghost.call_id in self._by_channel]
        self._ghosts = [ghost for ghost in self._ghosts if ghost not in known]
        for ghost in known:
            self._take(ghost, self._by_id.get(ghost.call_id) or self._by_channel[ghost.call_id])

    def _enter(self, call: RecordedCall, *, is_of_window: bool) -> None:
        entry = _Entry(call, is_of_window)
        self._entries.append(entry)
        self._by_id[call.call_id] = entry
        for uniqueid in call.uniqueids:
            self._by_channel.setdefault(f"{call.pbx}:{uniqueid}", entry)

    def _take(self, stored: StoredCall, entry: _Entry) -> None:
        rank = (stored.call_id == entry.recorded.call_id, stored.is_written_on, stored.call_id)
        entry.found.append(stored.call_id)
        if entry.best is None or rank > entry.best:
            entry.best = rank
            findings, fields = self._compare(stored, entry.recorded)
            entry.findings, entry.fields = findings, fields
            entry.kept = stored if findings or fields else None

    def missing(self) -> Sequence[CallId]:
        """By what names the recorded calls not found so far may stand in the store."""
        return [
            CallId(f"{entry.recorded.pbx}:{uniqueid}")
            for entry in self._entries
            if not entry.found and entry.is_of_window
            for uniqueid in sorted(entry.recorded.uniqueids | {entry.recorded.call_id.partition(":")[2]})
        ]

    def differences(self) -> Sequence[Difference]:
        """Everything found, by the time of the calls."""
        out: list[tuple[datetime, Difference]] = []
        for entry in self._entries:
            if entry.is_of_window:
                difference = self._difference(entry)
                if difference is not None:
                    out.append((entry.recorded.started_at, difference))
        for ghost in self._ghosts:
            finding = Finding(kind=FindingKind.GHOST, call_id=ghost.call_id)
            out.append((ghost.started_at, Difference(call_id=ghost.call_id, findings=(finding,), stored=ghost)))
        return [difference for _, difference in sorted(out, key=lambda pair: pair[0])]

    def _difference(self, entry: _Entry) -> Difference | None:
        recorded = entry.recorded
        if entry.best is None:
            if not self._is_settled(recorded):
                return None
            lost = Finding(kind=FindingKind.LOST, call_id=recorded.call_id, recorded=shown_time(recorded.started_at))
            return Difference(call_id=recorded.call_id, findings=(lost,), recorded=recorded)
        keep = CallId(entry.best[2])
        extras = tuple(sorted(call_id for call_id in entry.found if call_id != keep))
        doubled = tuple(Finding(kind=FindingKind.DOUBLED, call_id=extra, stored=extra, recorded=keep) for extra in extras)
        if not (doubled or entry.findings or entry.fields):
            return None
        return Difference(
            call_id=keep,
            findings=(*doubled, *entry.findings),
            recorded=recorded,
            stored=entry.kept,
            fields=entry.fields,
            extras=extras,
        )

    def _compare(self, stored: StoredCall, recorded: RecordedCall) -> tuple[tuple[Finding, ...], frozenset[str]]:
        if stored.ended_at is None or stored.outcome in {None, Outcome.IN_PROGRESS.value} or stored.document is None:
            if not self._is_settled(recorded):
                return (), frozenset()
            stuck = Finding(kind=FindingKind.STUCK, call_id=stored.call_id, recorded=shown_time(recorded.ended_at))
            return (stuck,), frozenset(FIELDS)
        if not _is_over(recorded) and not self._is_long_ago(stored.ended_at):
            return (), frozenset()  # the record is still being written
        return compare_fields(stored, stored.document, recorded)

    def _judge_unknown(self, stored: StoredCall) -> None:
        """A ghost, unless the record could not tell of this call, or not yet."""
        window = self._window
        if window.oldest is None or stored.started_at < window.oldest:
            self.unjudged += 1
            return
        over = stored.ended_at or stored.started_at
        if over <= window.now - self._settling() and _would_be_told(stored, self._sources):
            self._ghosts.append(stored)

    def _is_settled(self, recorded: RecordedCall) -> bool:
        return _is_over(recorded) and self._is_long_ago(recorded.ended_at or recorded.started_at)

    def _is_long_ago(self, at: datetime) -> bool:
        return at <= self._window.now - timedelta(seconds=SETTLING_SECONDS)

    def _settling(self) -> timedelta:
        only_cdr = self._sources == {RecordSource.CDR}
        return timedelta(seconds=BATCH_SECONDS if only_cdr else SETTLING_SECONDS)


def _is_over(recorded: RecordedCall) -> bool:
    """Ended, or broken off: the PBX went down in it, so that no end was ever written."""
    return recorded.ended_at is not None or recorded.hung_up_by is not None


def record_went_on_after(stored: StoredCall, window: Window) -> bool:
    """True where the record has rows from after this call's end: then it really does not know the call.

    Else the record may have stopped being written, and a stored call must not be thrown away for that.
    """
    over = stored.ended_at or stored.started_at
    return window.newest is not None and window.newest >= over + timedelta(seconds=SETTLING_SECONDS)


def clock_ahead(recorded: Iterable[RecordedCall], spans: Iterable[StoredSpan]) -> float | None:
    """By how many seconds the service's clock is ahead of the PBX's; 0 within the tolerance, None where too few calls tell.

    The middle of many: one call with a wrong time does not move it.
    """
    began = {span.call_id: span.started_at for span in spans}
    apart = [(began[call.call_id] - call.started_at).total_seconds() for call in recorded if call.call_id in began]
    if len(apart) < ENOUGH_CALLS_FOR_A_CLOCK:
        return None
    ahead = median(apart)
    return ahead if abs(ahead) > TOLERANCE_SECONDS else 0.0


def by_our_clock(recorded: RecordedCall, ahead_seconds: float) -> RecordedCall:
    """The same call with the times that the service's clock showed."""
    if not ahead_seconds:
        return recorded
    ahead = timedelta(seconds=ahead_seconds)
    return replace(
        recorded,
        started_at=recorded.started_at + ahead,
        answered_at=recorded.answered_at + ahead if recorded.answered_at else None,
        ended_at=recorded.ended_at + ahead if recorded.ended_at else None,
        transfers=recorded.transfers and tuple(replace(transfer, at=transfer.at + ahead) for transfer in recorded.transfers),
    )


def _made_at(call_id: CallId) -> float | None:
    """When the call's first channel was made, by its Uniqueid (`[systemname-]SECONDS.N`); None where a client chose another."""
    seconds, _, number = call_id.rpartition(":")[2].rpartition("-")[2].partition(".")
    return float(seconds) if seconds.isdecimal() and number.isdecimal() and len(seconds) == 10 else None


def _began_in_time(recorded: RecordedCall) -> bool:
    """False where its first rows lie before what was read, so that its beginning and its legs are not known."""
    made = _made_at(recorded.call_id)
    return made is None or recorded.started_at.timestamp() - made <= FIRST_ROW_SECONDS


def _lived_in(recorded: RecordedCall, window: Window) -> bool:
    return recorded.started_at < window.until and (recorded.ended_at is None or recorded.ended_at >= window.since)


def _would_be_told(stored: StoredCall, sources: frozenset[RecordSource]) -> bool:
    """Whether a record of these sources tells of such a call at all."""
    if RecordSource.CEL in sources:
        return True
    is_answered = stored.outcome == Outcome.ANSWERED.value and stored.agent is not None
    waited = stored.queue is not None and stored.direction == Direction.INBOUND.value
    left_after_waiting = is_answered or stored.outcome == Outcome.ABANDONED.value  # a full or empty queue is never entered
    return (RecordSource.QUEUE_LOG in sources and waited and left_after_waiting) or (RecordSource.CDR in sources and is_answered)
