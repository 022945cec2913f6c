"""CEL, the channel event log, into rows: CSV of cel_custom in any column order, or a table of cel_odbc or cel_pgsql (22.10)."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from types import MappingProxyType
from typing import Any, Final

import orjson

from cti_bridge.record.columns import WrongColumns, column_text
from cti_bridge.record.rows import CelRow, unix_seconds

SAMPLE_COLUMNS: Final = (
    "eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context", "channame",
    "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "userfield", "userdeftype", "extra",
)  # fmt: skip
"""The order of cel_custom.conf.sample."""

NEEDED: Final = ("eventtype", "eventtime", "channame", "uniqueid", "linkedid")

NAMES: Final = {
    "eventenum": "eventtype", "cidname": "cid_name", "callerid(name)": "cid_name", "name": "cid_name",
    "cidnum": "cid_num", "callerid(num)": "cid_num", "num": "cid_num",
    "cidani": "cid_ani", "callerid(ani)": "cid_ani", "ani": "cid_ani",
    "cidrdnis": "cid_rdnis", "callerid(rdnis)": "cid_rdnis", "rdnis": "cid_rdnis",
    "ciddnid": "cid_dnid", "callerid(dnid)": "cid_dnid", "dnid": "cid_dnid",
    "channel": "channame", "bridgepeer": "peer", "eventextra": "extra",
}  # fmt: skip
"""Other names of the same columns, from cel_custom.conf, cel_odbc.conf and tables in the field."""

TYPES: Final = (
    "", "CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "APP_START", "APP_END", "BRIDGE_ENTER", "BRIDGE_EXIT", "PARK_START",
    "PARK_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "USER_DEFINED", "PICKUP", "FORWARD", "LINKEDID_END", "LOCAL_OPTIMIZE",
    "LOCAL_OPTIMIZE_BEGIN", "STREAM_BEGIN", "STREAM_END", "DTMF",
)  # fmt: skip
"""Event types by number, as a table with an integer column has them (include/asterisk/cel.h, Asterisk 22)."""

_KNOWN: Final = frozenset(TYPES[1:])
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def cel_row(fields: Sequence[Any], columns: Mapping[str, int], zone: tzinfo | None) -> CelRow:
    """
    Raises:
        WrongColumns: too few columns; no event type, time or channel where they should be.
    """
    text = column_text(fields, columns, NEEDED)
    kind, channel, uniqueid = text("eventtype"), text("channame"), text("uniqueid")
    if kind.isdecimal() and len(kind) < 3 and int(kind) < len(TYPES):
        kind = TYPES[int(kind)]
    at = unix_seconds(fields[columns["eventtime"]], zone)
    if at is None or not kind:
        raise WrongColumns("no event type or no time where they should be")
    if "/" not in channel or not uniqueid or "/" in uniqueid:
        raise WrongColumns("no channel where it should be")
    extra = text("extra")
    return CelRow(
        kind if kind in _KNOWN else "USER_DEFINED",
        at,
        channel,
        uniqueid,
        text("linkedid"),
        text("cid_num"),
        text("exten"),
        text("context"),
        text("appname"),
        text("appdata"),
        _extra(extra) if extra else _NOTHING,
        text("cid_name"),
    )


def _extra(text: str) -> Mapping[str, Any]:
    """The JSON of the last column; anything else (a user event's own text, a cut record) says nothing."""
    if not text.startswith("{"):
        return _NOTHING
    try:
        extra = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NOTHING
    return extra if isinstance(extra, dict) else _NOTHING
