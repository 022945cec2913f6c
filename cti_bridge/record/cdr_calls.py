"""What CDR alone tells of calls: little that is sure, but which calls there were. Pure; Asterisk 22.

One record is one pair of parties; the records of a call share a Linkedid where the site writes it (`newcdrcolumns = yes`),
else the Uniqueid of the caller's channel. The disposition of a queued call is that of Answer() or of an announcement, not of
an agent; `dst` is where the dialplan came to in the end, not the number that was called.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from cti_bridge.domain.call import CallId, Direction, Outcome
from cti_bridge.domain.phone_number import is_withheld, to_e164
from cti_bridge.domain.recorded_call import RecordedCall, RecordSource
from cti_bridge.record.legs import Kind, classify, number_in
from cti_bridge.record.rows import CdrRow, moment, started

_CALLED = frozenset({"AppDial", "AppQueue"})
"""`lastapp` of a channel that the PBX called for somebody else (AppDial2: by Originate, for nobody)."""
_AT_LEAST_SECONDS = 1.0
"""A shorter answered record may be a ring that another phone picked up."""

_Spans = dict[str, list[tuple[str, float, float]]]


def cdr_calls(rows: Iterable[CdrRow], *, pbx: str, internal: re.Pattern[str], region: str | None) -> Iterator[RecordedCall]:
    """A call for each customer, and for each phone that called another; an agent's consultation in a call is none."""
    ordered = sorted(rows, key=lambda row: (row.linkedid or row.uniqueid, row.start))
    related = [list(group) for _, group in groupby(ordered, key=lambda row: row.linkedid or row.uniqueid)]
    busy = _busy(related, internal)
    for records in related:
        for own in _callers(records, internal):
            if not _is_consultation(own[0], busy, internal):
                call = _call(own, records, pbx=pbx, internal=internal, region=region)
                if call is not None:
                    yield call


def _callers(records: Sequence[CdrRow], internal: re.Pattern[str]) -> Iterator[list[CdrRow]]:
    """The records of each channel that began a call: Linkedid glues customers who met."""
    by_uniqueid: dict[str, list[CdrRow]] = {}
    for row in records:
        by_uniqueid.setdefault(row.uniqueid, []).append(row)
    for uniqueid, own in by_uniqueid.items():
        met_later = classify(own[0].channel, internal)[0] is Kind.TRUNK and _is_from_the_beginning(own[0])
        if own[0].application not in _CALLED and (met_later or uniqueid == (own[0].linkedid or uniqueid)):
            yield own


def _is_from_the_beginning(row: CdrRow) -> bool:
    """False for a channel that was called, and runs the dialplan later, after a transfer."""
    began = started(row.uniqueid)
    return began is not None and row.start - began <= _AT_LEAST_SECONDS


def _busy(related: Sequence[Sequence[CdrRow]], internal: re.Pattern[str]) -> _Spans:
    """When each agent was in which call."""
    spans: _Spans = {}
    for records in related:
        for row in records:
            for channel in (row.channel, row.other_channel):
                kind, endpoint = classify(channel, internal)
                if kind is Kind.AGENT:
                    spans.setdefault(endpoint, []).append((row.linkedid or row.uniqueid, row.start, row.end))
    return spans


def _is_consultation(first: CdrRow, busy: _Spans, internal: re.Pattern[str]) -> bool:
    """True where the agent who dialled was in another call when dialling."""
    kind, endpoint = classify(first.channel, internal)
    key = first.linkedid or first.uniqueid
    return kind is Kind.AGENT and any(other != key and begin < first.start < end for other, begin, end in busy.get(endpoint, ()))


def _call(
    own: Sequence[CdrRow], records: Sequence[CdrRow], *, pbx: str, internal: re.Pattern[str], region: str | None
) -> RecordedCall | None:
    first = own[0]
    direction = _direction(own, internal)
    if direction is None:
        return None
    number = _number(first, direction, internal)
    return RecordedCall(
        call_id=CallId(f"{pbx}:{first.uniqueid}"),
        pbx=pbx,
        sources=frozenset({RecordSource.CDR}),
        uniqueids=frozenset(row.uniqueid for row in records if row.uniqueid),
        started_at=moment(min(first.start, started(first.uniqueid) or first.start)),
        answered_at=None,
        ended_at=moment(max(row.end for row in own)),
        direction=direction,
        customer_number=None if is_withheld(number) else to_e164(number, region) or number,
        did=None,
        queues=None,
        offered_to=None,
        answered_by=None,
        transfers=None,
        outcome=_outcome(own, internal),
        hung_up_by=None,
        talk_s=None,
    )


def _direction(own: Sequence[CdrRow], internal: re.Pattern[str]) -> Direction | None:
    """None for a phone that called nobody: feature codes, a parked call fetched, a conference."""
    kind, _ = classify(own[0].channel, internal)
    if kind is Kind.TRUNK:
        return Direction.INBOUND
    others = {classify(row.other_channel, internal)[0] for row in own if row.other_channel and row.application != "ConfBridge"}
    if Kind.TRUNK in others or own[0].application == "AppDial2":
        return Direction.OUTBOUND
    return Direction.INTERNAL if kind is Kind.AGENT and others else None


def _number(first: CdrRow, direction: Direction, internal: re.Pattern[str]) -> str:
    match direction:
        case Direction.INTERNAL:
            return classify(first.channel, internal)[1]
        case Direction.OUTBOUND:
            return number_in(first.data) or (first.source if first.application == "AppDial2" else first.destination)
        case _:
            return first.source


def _outcome(own: Sequence[CdrRow], internal: re.Pattern[str]) -> Outcome | None:
    for row in own:
        with_party = row.application == "Dial" and classify(row.other_channel, internal)[0] in {Kind.AGENT, Kind.TRUNK}
        if with_party and row.disposition == "ANSWERED" and row.end - (row.answer or row.end) >= _AT_LEAST_SECONDS:
            return Outcome.ANSWERED
    if own[-1].application == "VoiceMail" and len(own) == 1:
        return Outcome.VOICEMAIL
    return None
