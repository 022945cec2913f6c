"""CDR, the call detail records, into rows: Master.csv of cdr_csv in each of its shapes, cdr_custom, or a table (Asterisk 22)."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from cti_bridge.record.columns import WrongColumns, column_text
from cti_bridge.record.rows import CdrRow, started, unix_seconds

PLAIN_COLUMNS: Final = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
"""What Master.csv always has; `loguniqueid`, `loguserfield` and `newcdrcolumns` of cdr.conf add to it, in this order."""

SHAPES: Final = {
    16: PLAIN_COLUMNS,
    17: (*PLAIN_COLUMNS, "uniqueid"),
    18: (*PLAIN_COLUMNS, "uniqueid", "userfield"),
    20: (*PLAIN_COLUMNS, "uniqueid", "peeraccount", "linkedid", "sequence"),
    21: (*PLAIN_COLUMNS, "uniqueid", "userfield", "peeraccount", "linkedid", "sequence"),
}
"""By the number of columns. Without `loguniqueid = yes` no record can be tied to its call."""

NEEDED: Final = ("start", "channel", "uniqueid")
NAMES: Final = {"calldate": "start", "source": "src", "destination": "dst", "destinationchannel": "dstchannel"}
"""Other names of the same columns, from tables in the field."""


def cdr_row(fields: Sequence[Any], columns: Mapping[str, int], zone: tzinfo | None) -> CdrRow:
    """
    Raises:
        WrongColumns: no time or no channel where they should be.
    """
    text = column_text(fields, columns, NEEDED)
    start = unix_seconds(fields[columns["start"]], zone)
    if start is None or "/" not in text("channel"):
        raise WrongColumns("no start or no channel where it should be")
    if started(text("uniqueid")) is None:
        raise WrongColumns("no uniqueid where it should be (cdr.conf: loguniqueid = yes)")
    answer = unix_seconds(fields[columns["answer"]], zone) if "answer" in columns else None
    end = unix_seconds(fields[columns["end"]], zone) if "end" in columns else None
    duration, billed = _seconds(text("duration")), _seconds(text("billsec"))
    if end is None:
        end = start + duration
    if answer is None and billed > 0:
        answer = end - billed
    return CdrRow(
        start=start,
        answer=answer,
        end=end,
        source=text("src"),
        destination=text("dst"),
        channel=text("channel"),
        other_channel=text("dstchannel"),
        application=text("lastapp"),
        data=text("lastdata"),
        disposition=text("disposition").upper(),
        uniqueid=text("uniqueid"),
        linkedid=text("linkedid"),
    )


def _seconds(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdecimal() else 0.0
