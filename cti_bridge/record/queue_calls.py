"""What queue_log tells of calls: alone, and beside CEL, which does not know why a caller left a queue. Pure; Asterisk 22."""

import re
from collections.abc import Sequence
from typing import Final

from cti_bridge.domain.call import CallId, Direction, Outcome
from cti_bridge.domain.phone_number import is_withheld, to_e164
from cti_bridge.domain.recorded_call import RecordedCall, RecordSource
from cti_bridge.record.rows import QueueRow, moment, started

EXITS: Final = {
    "EXITWITHTIMEOUT": Outcome.TIMEOUT,
    "EXITEMPTY": Outcome.LEAVE_EMPTY,
    "EXITWITHKEY": Outcome.FAILED,
    "WITHDRAW": Outcome.FAILED,
    "ABANDON": Outcome.FAILED,
}
"""What became of a caller whom the PBX let go after the queue: ABANDON is then a hang-up by AMI or a time-out."""

_ENDS: Final = frozenset({"COMPLETECALLER", "COMPLETEAGENT", "ABANDON"})


def why_left(rows: Sequence[QueueRow]) -> Outcome | None:
    """Why the caller left the last queue unanswered; None where the log does not tell (nobody let in: JOINEMPTY, FULL)."""
    last = rows[-1].event if rows else ""
    return EXITS.get(last)


def queue_call(
    callid: str, rows: Sequence[QueueRow], *, pbx: str, internal: re.Pattern[str], region: str | None
) -> RecordedCall | None:
    """The call of one caller from queue_log alone; None for an agent who asked a queue for advice, and for what is no caller.

    The member of CONNECT is not who answered where another phone picked up, or the call was diverted: only CEL and CDR tell.
    """
    joins = [row for row in rows if row.event == "ENTERQUEUE"]
    number = "|".join(joins[0].data[1:-1]) if joins else ""
    if not joins or internal.match(number):
        return None
    connected = next((row for row in rows if row.event == "CONNECT"), None)
    last = rows[-1]
    return RecordedCall(
        call_id=CallId(f"{pbx}:{callid}"),
        pbx=pbx,
        sources=frozenset({RecordSource.QUEUE_LOG}),
        uniqueids=frozenset({callid, *(row.data[1] for row in rows if row.event == "CONNECT" and len(row.data) > 1)}),
        started_at=moment(min(joins[0].at, started(callid) or joins[0].at)),
        answered_at=None if connected is None else moment(connected.at),
        ended_at=moment(last.at) if last.event in _ENDS else None,
        direction=Direction.INBOUND,
        customer_number=None if is_withheld(number) else to_e164(number, region) or number,
        did=None,
        queues=tuple(row.queue for row in joins),
        offered_to=None,
        answered_by=None,
        transfers=None,
        outcome=Outcome.ANSWERED if connected is not None else Outcome.ABANDONED if last.event == "ABANDON" else None,
        hung_up_by=None,
        talk_s=None,
    )
