"""The record in a database: the same calls as from the files, whatever the columns' order and types. SQLite and PostgreSQL."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import BigInteger, Column, DateTime, Float, Integer, MetaData, String, Table, create_engine, text
from sqlalchemy.types import TypeEngine

from cti_bridge.domain.errors import RecordUnreadable
from cti_bridge.record.cdr import SHAPES
from cti_bridge.record.cel import SAMPLE_COLUMNS, TYPES
from tests.support.postgres import private_postgres
from tests.support.record_samples import a_record, cdr_of, cel_of, queue_log_of, read_day

SCENARIOS = ("xfer_chain", "q_timeout", "cid_utf8")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with private_postgres() as url:
        yield f"{url}postgres"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asterisk.db"
    return str(request.getfixturevalue("postgres"))


def fill(url: str, name: str, columns: dict[str, TypeEngine[object]], rows: list[dict[str, object]]) -> None:
    engine = create_engine(url)
    metadata = MetaData()
    table = Table(name, metadata, Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
                  *(Column(one, kind) for one, kind in columns.items()))  # fmt: skip
    metadata.drop_all(engine)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), rows)
    engine.dispose()


def cel_rows(name: str) -> list[dict[str, object]]:
    with cel_of(name).open(newline="", encoding="utf-8", errors="replace") as file:
        return [dict(zip(SAMPLE_COLUMNS, row, strict=True)) for row in csv.reader(file)]


def local(seconds: object) -> datetime:
    return datetime.fromtimestamp(float(str(seconds)), AMSTERDAM).replace(tzinfo=None)


CEL_TYPES = {
    "text of the file": (String(), lambda value: value),
    "timestamp of another zone": (DateTime(), local),
    "timestamp with its zone": (DateTime(timezone=True), lambda value: datetime.fromtimestamp(float(value), UTC)),
    "double": (Float(53), float),
    "text of another zone": (String(), lambda value: f"{local(value):%Y-%m-%d %H:%M:%S.%f}"),
}


@pytest.mark.parametrize("kind", CEL_TYPES)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_cel_of_a_table_tells_the_same_calls(url: str, name: str, kind: str) -> None:
    if "with its zone" in kind and url.startswith("sqlite"):
        pytest.skip("SQLite keeps no zone")
    column, value = CEL_TYPES[kind]
    columns = {one: column if one == "eventtime" else String() for one in reversed(SAMPLE_COLUMNS)}
    fill(url, "cel", columns, [{**row, "eventtime": value(row["eventtime"])} for row in cel_rows(name)])

    read = await read_day(a_record(cel_url=url, timezone="Europe/Amsterdam"))

    assert read.problems == ()
    assert read.calls == (await read_day(a_record(cel=cel_of(name)))).calls


async def test_event_types_of_a_table_may_be_numbers(url: str) -> None:
    columns = {one: Integer() if one == "eventtype" else String() for one in SAMPLE_COLUMNS}
    fill(url, "cel", columns, [{**row, "eventtype": TYPES.index(str(row["eventtype"]))} for row in cel_rows("xfer_chain")])

    assert (await read_day(a_record(cel_url=url))).calls == (await read_day(a_record(cel=cel_of("xfer_chain")))).calls


@pytest.mark.parametrize("name", SCENARIOS)
async def test_cdr_of_a_table_tells_the_same_calls(url: str, name: str) -> None:
    with cdr_of(name).open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [dict(zip(SHAPES[21], row, strict=True)) for row in csv.reader(file)]
    names = [one for one in SHAPES[21] if one not in {"start", "end", "answer"}]
    columns = {"calldate": DateTime(), "end": DateTime(), **dict.fromkeys(names, String())}
    times = {"calldate": "start", "end": "end"}
    fill(url, "cdr", columns, [
        {**{one: row[one] for one in names}, **{one: datetime.fromisoformat(row[other]) for one, other in times.items()}}
        for row in rows
    ])  # fmt: skip

    read = await read_day(a_record(cdr_url=url, timezone="UTC"))

    assert read.problems == ()
    assert read.calls == (await read_day(a_record(cdr=cdr_of(name)))).calls


@pytest.mark.parametrize("layout", ["one column", "five columns"])
@pytest.mark.parametrize("name", ["xfer_chain", "q_timeout"])
async def test_queue_log_of_a_table_tells_the_same_calls(url: str, name: str, layout: str) -> None:
    rows: list[dict[str, object]] = []
    for line in queue_log_of(name).read_text().splitlines():
        at, callid, queue, agent, event, *data = line.split("|")
        row = {"time": f"{local(at):%Y-%m-%d %H:%M:%S.%f}", "callid": callid, "queuename": queue, "agent": agent, "event": event}
        five = dict(zip((f"data{n}" for n in range(1, 6)), [*data, *[""] * 5], strict=False))
        rows.append({**row, **({"data": "|".join(data)} if layout == "one column" else five)})
    fill(url, "queue_log", dict.fromkeys(rows[0], String()), rows)

    read = await read_day(a_record(queue_log_url=url, timezone="Europe/Amsterdam"))

    assert read.problems == ()
    assert read.calls == (await read_day(a_record(queue_log=queue_log_of(name)))).calls


async def test_a_row_of_a_table_that_is_no_event_is_told_and_passed_over(url: str) -> None:
    broken = {**cel_rows("xfer_chain")[0], "channame": None}
    fill(url, "cel", dict.fromkeys(SAMPLE_COLUMNS, String()), [broken, *cel_rows("xfer_chain")])

    read = await read_day(a_record(cel_url=url))

    assert [str(problem) for problem in read.problems] == ["table cel: no channel where it should be"]
    assert read.calls == (await read_day(a_record(cel=cel_of("xfer_chain")))).calls


async def test_a_table_that_is_not_there_or_lacks_a_column_is_told(url: str) -> None:
    with pytest.raises(RecordUnreadable, match="no_such_table"):
        await read_day(a_record(cel_url=url, cel_table="no_such_table"))

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE strange (eventtime VARCHAR(40), uniqueid VARCHAR(40))"))
    engine.dispose()
    with pytest.raises(RecordUnreadable, match="table strange has no column eventtype, channame, linkedid"):
        await read_day(a_record(cel_url=url, cel_table="strange"))


async def test_a_database_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(RecordUnreadable) as told:
        await read_day(a_record(cel_url="postgresql+psycopg://cti:geheim@127.0.0.1:1/asterisk"))
    assert "geheim" not in str(told.value)
