"""Rows of the PBX's record into `RecordedCall`s: CEL first, then queue_log, then CDR. Pure.

CEL alone tells nearly all; queue_log adds why a caller left a queue unanswered; what is in none of CEL's channels is taken from
queue_log and CDR. What no source tells stays None: nothing is then compared or repaired by it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cti_bridge.domain.call import Direction, Outcome
from cti_bridge.domain.recorded_call import RecordedCall, RecordSource
from cti_bridge.record.cdr_calls import cdr_calls
from cti_bridge.record.cel_outcomes import CelCalls
from cti_bridge.record.queue_calls import queue_call, why_left
from cti_bridge.record.rows import CdrRow, CelRow, QueueRow

NO_CALL = "NONE"
"""What queue_log writes for a call where there is none: pauses, reloads."""


STARTING_SECONDS = 60.0
"""Asterisk is up again within this time of its restart: who was hung up by it just before was lost, not sent away."""


EVIDENCE_CALLS = 5
"""Among so many calls there are rows of every kind that the site lets CEL write."""


class PastCalls:
    """Feed the rows of a stretch of time, each kind in the order it was written, CEL first; `calls` at the end."""

    def __init__(self, pbx: str, *, internal: re.Pattern[str], region: str | None) -> None:
        self._pbx, self._internal, self._region = pbx, internal, region
        self._cel = CelCalls(pbx, internal=internal, region=region)
        self._calls: list[RecordedCall] = []
        self._channels: set[str] = set()
        self._queue_rows: dict[str, list[QueueRow]] = {}
        self._cdr_rows: list[CdrRow] = []
        self._starts: list[float] = []
        self._told: set[tuple[str, str]] = set()
        """The kinds of CEL rows that came, each with its application."""

    def feed(self, row: CelRow | QueueRow | CdrRow) -> float:
        """Takes a row; returns when it was written, in Unix seconds."""
        match row:
            case CelRow():
                self._channels.add(row.uniqueid)
                self._told.add((row.type, row.application))
                self._calls.extend(self._cel.feed(row))
                return row.at
            case QueueRow():
                if row.event == "QUEUESTART":
                    self._starts.append(row.at)
                elif row.callid != NO_CALL and row not in (rows := self._queue_rows.setdefault(row.callid, [])):
                    rows.append(row)
                return row.at
            case CdrRow():
                if row.uniqueid not in self._channels:  # what CEL has told of needs no detail record
                    self._cdr_rows.append(row)
                return row.end

    def calls(self) -> list[RecordedCall]:
        """All calls in order of their beginning, each once; those that still go on without an end."""
        self._calls.extend(self._cel.finish())
        once = {call.call_id: call for call in sorted(self._calls, key=lambda call: call.ended_at is not None)}
        told = [self._with_queue_log(call) for call in self._as_far_as_told(list(once.values()))]
        queued = [
            call
            for callid, rows in self._queue_rows.items()
            if callid not in self._channels
            and (call := queue_call(callid, rows, pbx=self._pbx, internal=self._internal, region=self._region)) is not None
        ]
        detailed = list(cdr_calls(self._cdr_rows, pbx=self._pbx, internal=self._internal, region=self._region))
        return sorted([*told, *_merged(queued, detailed)], key=lambda call: (call.started_at, call.call_id))

    def _as_far_as_told(self, calls: list[RecordedCall]) -> list[RecordedCall]:
        """What the site's cel.conf leaves out (`events`, `apps`) is not known, and does not count as not having happened."""
        kinds, running = {kind for kind, _ in self._told}, {application for _, application in self._told}
        many = len(calls) >= EVIDENCE_CALLS
        in_queues = bool({"Queue", "AppQueue"} & running) and ("APP_START", "Queue") not in self._told
        answered = bool({("ANSWER", "AppDial"), ("ANSWER", "AppQueue")} & self._told)
        if in_queues or (many and "APP_START" not in kinds):
            calls = [self._without_queues(call) for call in calls]
        if many and answered and "BRIDGE_ENTER" not in kinds:
            calls = [
                replace(call, answered_by=None, transfers=None, outcome=None, hung_up_by=None, talk_s=None) for call in calls
            ]
        return calls

    def _without_queues(self, call: RecordedCall) -> RecordedCall:
        rows = self._queue_rows.get(call.call_id.partition(":")[2], ())
        joined = tuple(row.queue for row in rows if row.event == "ENTERQUEUE")
        return replace(call, queues=joined or None, outcome=call.outcome if call.outcome is Outcome.ANSWERED else None)

    def _with_queue_log(self, call: RecordedCall) -> RecordedCall:
        """Why the caller of a CEL call left the last queue."""
        rows = self._rows_of(call)
        if not rows:
            return call
        call = replace(call, sources=call.sources | {RecordSource.QUEUE_LOG})
        if call.outcome is not None or call.ended_at is None or call.direction is not Direction.INBOUND:
            return call
        ended = call.ended_at.timestamp()
        went_down = any(-1.0 < start - ended < STARTING_SECONDS for start in self._starts)
        return replace(call, outcome=Outcome.LOST if went_down else why_left(rows))

    def _rows_of(self, call: RecordedCall) -> Sequence[QueueRow]:
        rows = [row for uniqueid in call.uniqueids for row in self._queue_rows.get(uniqueid, ())]
        return sorted(rows, key=lambda row: row.at)


def _merged(queued: Iterable[RecordedCall], detailed: Iterable[RecordedCall]) -> list[RecordedCall]:
    """Calls of queue_log and CDR that are the same: CDR has the number and the end, queue_log the queue and the answer."""
    left: Mapping[str, RecordedCall] = {call.call_id: call for call in queued}
    out: list[RecordedCall] = []
    seen: set[str] = set()
    for record in detailed:
        call = left.get(record.call_id)
        seen.add(record.call_id)
        out.append(record if call is None else _both(record, call))
    return [*out, *(call for call_id, call in left.items() if call_id not in seen)]


def _both(record: RecordedCall, call: RecordedCall) -> RecordedCall:
    talked = record.outcome is Outcome.ANSWERED or call.outcome is Outcome.ANSWERED
    return replace(
        record,
        sources=record.sources | call.sources,
        uniqueids=record.uniqueids | call.uniqueids,
        answered_at=None if record.outcome is Outcome.ANSWERED else call.answered_at,
        queues=call.queues,
        outcome=Outcome.ANSWERED if talked else record.outcome or call.outcome,
    )
