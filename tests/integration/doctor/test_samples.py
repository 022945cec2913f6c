"""The end of the PBX's own record, as the doctor reads and judges it: real files and tables, sound and not."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cti_bridge.doctor.facts import ClockReading, PbxFacts
from cti_bridge.doctor.samples import calls_over, judge_samples, read_samples, started_at
from tests.support.doctor_facts import a_pbx, facts, wrong

NOW = datetime(2026, 11, 22, 8, 50, tzinfo=UTC)
STATUS = {"CoreStartupDate": "2026-11-22", "CoreStartupTime": "06:00:00", "CoreCurrentCalls": "1"}
BUSY = STATUS | {"CoreProcessedCalls": "42"}
FRESH = STATUS | {"CoreProcessedCalls": "0", "CoreCurrentCalls": "0"}


def cel(at: datetime, *, uniqueid: str = "1795330000.7") -> str:
    fields = ["CHAN_START", f"{at.timestamp():.6f}", "", "0207", "", "", "8001", "8001", "from-trunk", "PJSIP/trunk-00000001"]
    fields += ["", "", "DOCUMENTATION", "", uniqueid, uniqueid, "", "", "", ""]
    return ",".join(f'"{field}"' for field in fields) + "\n"


def cdr(at: datetime, *, uniqueid: bool = True) -> str:
    text = f"{at:%Y-%m-%d %H:%M:%S}"
    fields = ["", "0207", "8001", "from-trunk", "", "PJSIP/trunk-00000001", "", "Queue", "support", text, text, text, "5", "5"]
    fields += ["ANSWERED", "DOCUMENTATION", *([f"{at.timestamp():.0f}.7", ""] if uniqueid else [])]
    return ",".join(f'"{field}"' for field in fields) + "\n"


async def findings(given: PbxFacts) -> set[str]:
    return wrong(judge_samples(await read_samples(given.settings.record, now=NOW), given, now=NOW))


def with_record(status: dict[str, str] = BUSY, **record: Any) -> PbxFacts:
    return facts(settings=a_pbx(record={name: str(value) for name, value in record.items()}), status=status)


async def test_record_that_is_written_now_is_sound(tmp_path: Path) -> None:
    (tmp_path / "cel").write_text(cel(NOW - timedelta(hours=2)) + cel(NOW - timedelta(seconds=3)))
    (tmp_path / "cdr").write_text(cdr(NOW - timedelta(minutes=1)))
    (tmp_path / "queue_log").write_text(f"{NOW.timestamp():.0f}|NONE|NONE|NONE|QUEUESTART|\n")
    given = with_record(cel_csv=tmp_path / "cel", cdr_csv=tmp_path / "cdr", queue_log=tmp_path / "queue_log")

    told = judge_samples(await read_samples(given.settings.record, now=NOW), given, now=NOW)

    assert wrong(told) == set()
    assert [one.code for one in told] == ["record.cel_read", "record.queue_log_read", "record.cdr_read"]
    assert "the newest row is 3 s old" in told[0].what


@pytest.mark.parametrize(
    ("content", "status", "codes"),
    [
        (None, FRESH, set()),
        (None, BUSY, {"record.cel_unreadable"}),
        ("", FRESH, set()),
        ("", BUSY, {"record.cel_silent"}),
        (cel(NOW - timedelta(days=3)), BUSY, {"record.cel_silent"}),
        (cel(NOW - timedelta(days=3)), FRESH, set()),
        (cel(NOW + timedelta(hours=1)), BUSY, {"record.cel_future"}),
        (cel(NOW) + "half a line\n", BUSY, {"record.cel_broken"}),
        ("half a line\n" * 30, BUSY, {"record.cel_unreadable"}),
    ],
    ids=["none, fresh", "none, busy", "empty, fresh", "empty, busy", "old, busy", "old, fresh", "future", "broken", "rubbish"],
)
async def test_cel_file(tmp_path: Path, content: str | None, status: dict[str, str], codes: set[str]) -> None:
    if content is not None:
        (tmp_path / "cel").write_text(content)

    assert await findings(with_record(status, cel_csv=tmp_path / "cel")) == codes


async def test_cdr_file_without_uniqueid_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "cdr").write_text(cdr(NOW, uniqueid=False) * 30)
    given = with_record(cdr_csv=tmp_path / "cdr")

    (finding,) = judge_samples(await read_samples(given.settings.record, now=NOW), given, now=NOW)

    assert finding.code == "record.cdr_unreadable"
    assert finding.change is not None
    assert (finding.change.file, finding.change.line) == ("cdr.conf", "loguniqueid = yes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_file_of_another_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "cel").write_text(cel(NOW))
    (tmp_path / "cel").chmod(0)

    assert await findings(with_record(cel_csv=tmp_path / "cel")) == {"record.cel_unreadable"}


async def test_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    assert await findings(with_record(cel_csv=tmp_path)) == {"record.cel_unreadable"}


async def test_times_of_a_fast_pbx_are_not_the_future(tmp_path: Path) -> None:
    """The clock is a finding of its own."""
    (tmp_path / "cel").write_text(cel(NOW + timedelta(minutes=5)))
    given = facts(
        settings=a_pbx(record={"cel_csv": str(tmp_path / "cel")}),
        clock=ClockReading(ahead_seconds=300.0, round_trip_seconds=0.001),
        status=BUSY,
    )

    assert await findings(given) == set()


async def test_table_is_read_by_its_columns(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "pbx.db")) as store, store:
        store.execute("CREATE TABLE cel (eventtype TEXT, eventtime TEXT, channame TEXT, uniqueid TEXT, linkedid TEXT)")
        at = f"{NOW - timedelta(days=2):%Y-%m-%d %H:%M:%S}"
        store.execute("INSERT INTO cel VALUES ('CHAN_START', ?, 'PJSIP/1-1', '1795157400.1', '1795157400.1')", (at,))
        store.execute("CREATE TABLE cdr (start TEXT)")
    url = f"sqlite:///{tmp_path}/pbx.db"

    assert await findings(with_record(cel_url=url)) == set()
    assert await findings(with_record(cdr_url=url)) == {"record.cdr_unreadable"}
    assert await findings(with_record(queue_log_url=url)) == {"record.queue_log_unreadable"}


def test_what_the_pbx_tells_of_its_start_is_read() -> None:
    assert started_at(facts(status=BUSY, utc_offset="+0100")) == datetime(2026, 11, 22, 5, tzinfo=UTC).timestamp()
    assert started_at(facts(status={}, utc_offset="+0100")) is None
    assert [calls_over(facts(status=status)) for status in (BUSY, FRESH, STATUS, {})] == [41, 0, 0, 0]
