"""Columns in any order and under any of their names; times with and without a zone."""

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from cti_bridge.record import cdr, cel
from cti_bridge.record.columns import WrongColumns, columns_of
from cti_bridge.record.rows import started, unix_seconds
from cti_bridge.record.times import zone_of

CEL = {
    "eventtype": "BRIDGE_ENTER", "eventtime": "1795314668.313485", "cid_num": "1001", "exten": "8001", "context": "agents",
    "channame": "PJSIP/1001-00000001", "appname": "AppQueue", "appdata": "(Outgoing Line)", "uniqueid": "1795314667.1",
    "linkedid": "1795314667.0", "extra": '{"bridge_id":"57a26be4"}',
}  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        cel.SAMPLE_COLUMNS,
        tuple(reversed(cel.SAMPLE_COLUMNS)),
        ("EventType", "eventenum", "EventTime", "Name", "Num", "Exten", "Context", "ChanName", "AppName", "AppData", "UniqueID",
         "LinkedID", "Peer", "EventExtra"),
    ],
    ids=["as in the sample", "backwards", "as an advanced mapping names them"],
)  # fmt: skip
def test_cel_is_read_by_the_names_of_its_columns(names: tuple[str, ...]) -> None:
    columns = columns_of(names, cel.NAMES)
    ours = [cel.NAMES.get(name.lower(), name.lower()) for name in names]

    row = cel.cel_row([CEL.get(name, "") for name in ours], columns, None)

    assert (row.type, row.at, row.channel, row.uniqueid, row.linkedid) == (
        "BRIDGE_ENTER", 1795314668.313485, "PJSIP/1001-00000001", "1795314667.1", "1795314667.0",
    )  # fmt: skip
    assert (row.number, row.exten, row.application, row.data) == ("1001", "8001", "AppQueue", "(Outgoing Line)")
    assert row.extra == {"bridge_id": "57a26be4"}


@pytest.mark.parametrize("extra", ["", "free text of a user event", '{"bridge_id":"57a2', "[1]"])
def test_an_extra_that_is_no_json_object_says_nothing(extra: str) -> None:
    fields = [{**CEL, "extra": extra}.get(name, "") for name in cel.SAMPLE_COLUMNS]

    assert cel.cel_row(fields, columns_of(cel.SAMPLE_COLUMNS, cel.NAMES), None).extra == {}


def test_event_types_may_be_numbers() -> None:
    fields = [{**CEL, "eventtype": 7}.get(name, "") for name in cel.SAMPLE_COLUMNS]

    assert cel.cel_row(fields, columns_of(cel.SAMPLE_COLUMNS, cel.NAMES), None).type == "BRIDGE_ENTER"


@pytest.mark.parametrize(
    "wrong",
    [{"eventtime": "yesterday"}, {"eventtime": "²"}, {"channame": "1001"}, {"uniqueid": ""}, {"eventtype": ""}],
    ids=["no time", "no number", "no channel", "no id", "no type"],
)
def test_what_is_no_event_is_refused(wrong: dict[str, str]) -> None:
    fields = [(CEL | wrong).get(name, "") for name in cel.SAMPLE_COLUMNS]

    with pytest.raises(WrongColumns):
        cel.cel_row(fields, columns_of(cel.SAMPLE_COLUMNS, cel.NAMES), None)


CDR = (
    "", "0612000111", "8001", "from-trunk", '"" <0612000111>', "PJSIP/trunk-00000000", "PJSIP/1001-00000001", "Queue", "support",
    "2026-11-22 02:31:07", "2026-11-22 02:31:08", "2026-11-22 02:31:14", "7", "6", "ANSWERED", "DOCUMENTATION", "1795314667.0",
)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "linkedid"),
    [((), ""), (("field",), ""), (("", "1795314660.9", "2"), "1795314660.9"), (("", "", "1795314660.9", "2"), "1795314660.9")],
    ids=["loguniqueid", "loguserfield", "newcdrcolumns", "all"],
)
def test_cdr_is_read_in_each_shape_of_master_csv(more: tuple[str, ...], linkedid: str) -> None:
    fields = (*CDR, *more)

    row = cdr.cdr_row(fields, columns_of(cdr.SHAPES[len(fields)], cdr.NAMES), UTC)

    assert (row.start, row.answer, row.end) == (1795314667.0, 1795314668.0, 1795314674.0)
    assert (row.source, row.channel, row.other_channel) == ("0612000111", "PJSIP/trunk-00000000", "PJSIP/1001-00000001")
    assert (row.uniqueid, row.linkedid) == ("1795314667.0", linkedid)


def test_a_cdr_without_an_id_is_refused_with_the_line_to_change() -> None:
    fields = (*CDR[:16], "userfield")

    with pytest.raises(WrongColumns, match="loguniqueid = yes"):
        cdr.cdr_row(fields, columns_of(cdr.SHAPES[17], cdr.NAMES), UTC)


def test_a_cdr_table_may_have_only_a_date_and_a_duration() -> None:
    names = ["calldate", "src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec", "disposition", "uniqueid"]
    columns = columns_of(names, cdr.NAMES)
    fields = (datetime(2026, 11, 22, 2, 31, 7), "06", "8001", "PJSIP/trunk-0", "", "Dial", 7, 6, "answered", "1795314667.0")  # noqa: DTZ001

    row = cdr.cdr_row(fields, columns, UTC)

    assert (row.start, row.answer, row.end, row.disposition) == (1795314667.0, 1795314668.0, 1795314674.0, "ANSWERED")


@pytest.mark.parametrize(
    ("value", "zone", "seconds"),
    [
        ("1795314667.291645", None, 1795314667.291645),
        (1795314667, None, 1795314667.0),
        ("2026-11-22 02:31:07", UTC, 1795314667.0),
        ("2026-11-22 03:31:07.25", ZoneInfo("Europe/Amsterdam"), 1795314667.25),
        ("2026-07-22 04:31:07", ZoneInfo("Europe/Amsterdam"), 1784687467.0),
        ("2026-11-22T03:31:07+0100", UTC, 1795314667.0),
        (datetime(2026, 11, 22, 2, 31, 7, tzinfo=UTC), ZoneInfo("Asia/Shanghai"), 1795314667.0),
        ("0000-00-00 00:00:00", UTC, None),
        ("", UTC, None),
        ("9" * 400, UTC, None),
    ],
    ids=["epoch", "a number", "UTC", "winter", "summer", "its own zone", "a database's", "MySQL's nothing", "none", "too much"],
)
def test_times_are_read_in_all_their_forms(value: object, zone: ZoneInfo | None, seconds: float | None) -> None:
    assert unix_seconds(value, zone) == seconds


def test_the_zone_is_found_out_by_the_uniqueids(monkeypatch: pytest.MonkeyPatch) -> None:
    """`usegmtime = yes` is in Asterisk's sample configuration, and a machine is seldom set to UTC."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        born = 1795314667
        as_utc = [(datetime.fromtimestamp(born + n, UTC).strftime("%Y-%m-%d %H:%M:%S"), f"{born + n}.{n}") for n in range(5)]
        there = timezone(timedelta(hours=5, minutes=45))
        local = [(datetime.fromtimestamp(born + n, there).strftime("%Y-%m-%d %H:%M:%S"), f"{born + n}.{n}") for n in range(5)]

        assert zone_of(as_utc, None) is UTC
        assert zone_of(local, None) is None
        assert unix_seconds(local[0][0], zone_of(local, None)) == born
        assert zone_of(local, "Europe/Paris") == ZoneInfo("Europe/Paris")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("uniqueid", "seconds"),
    [("1795314667.0", 1795314667.0), ("pbx-7-1795314667.12", 1795314667.0), ("cti-test-a1", None), ("", None), ("²³.1", None)],
)
def test_a_uniqueid_tells_its_second(uniqueid: str, seconds: float | None) -> None:
    assert started(uniqueid) == seconds
