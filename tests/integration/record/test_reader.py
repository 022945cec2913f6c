"""The record as files, sound and damaged, rotated and mixed: what is sound is read, the rest is named."""

import csv
import io
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cti_bridge.domain.errors import RecordUnreadable
from cti_bridge.domain.recorded_call import RecordedCall, RecordSource
from tests.support.record_samples import a_record, cdr_of, cel_of, queue_log_of, read_day, recorded_names
from tests.support.replayed import truth_of

NOBODY = Path("/nonexistent/Master.csv")
MIXED = [name for name in recorded_names() if not name.startswith(("pbx_", "ami_gap", "burst"))]
"""Scenarios without a restart of the PBX, whose files can be joined as those of one."""


def seen(calls: tuple[RecordedCall, ...]) -> list[tuple[object, ...]]:
    """Calls without what depends on when they were."""
    return [
        (call.direction, call.customer_number, call.did, call.queues, call.offered_to, call.answered_by, call.outcome,
         call.hung_up_by, None if call.transfers is None else [(one.from_agent, one.to) for one in call.transfers],
         None if call.talk_s is None else round(call.talk_s, 1))
        for call in calls
    ]  # fmt: skip


def shifted(text: str, seconds: int, uniqueids: int) -> str:
    """The rows at another time, their channels under other Uniqueids."""

    def moved(match: re.Match[str]) -> str:
        second, _, rest = match[0].partition(".")
        return f"{int(second) + seconds}.{rest if len(rest) == 6 else int(rest) + uniqueids}"

    return re.sub(r"\b17953\d{5}\.\d+", moved, text)


def began(text: str) -> float:
    return float(text.split('","')[1])


def numbered_as_one(text: str) -> str:
    """Uniqueids count through the process."""
    ids = re.findall(r"\b17953\d{5}\.\d{1,4}\b", text)
    number = {one: n for n, one in enumerate(dict.fromkeys(ids))}
    return re.sub(r"\b(17953\d{5})\.\d{1,4}\b", lambda match: f"{match[1]}.{number[match[0]]}", text)


async def test_many_calls_after_each_other_are_told_apart(tmp_path: Path) -> None:
    """Each as it is told alone: nothing that one scenario leaves behind touches the next."""
    joined, at, alone = [], 1795310000, []
    for index, name in enumerate(MIXED):
        text = cel_of(name).read_text("utf-8", errors="replace")
        joined.append(shifted(text, at - int(began(text)), 1000 * index))
        alone.extend(seen((await read_day(a_record(cel=cel_of(name)))).calls))
        at += 60
    master = tmp_path / "Master.csv"
    master.write_text("".join(joined), newline="")

    read = await read_day(a_record(cel=master))

    assert read.problems == ()
    assert seen(read.calls) == alone


@pytest.mark.parametrize(
    "other", ["xfer_attended_dtmf", "conference_three", "pickup_ringall", "park_timeout_comeback", "two_lines"]
)
@pytest.mark.parametrize(
    "name", ["q_ringall_three", "xfer_chain", "c2c_blind_transfer", "xfer_blonde_refer_to_queue", "xfer_swap"]
)
async def test_calls_at_the_same_time_are_told_apart(tmp_path: Path, name: str, other: str) -> None:
    """Two scenarios at once, the second with agents of its own."""
    first, second = (cel_of(one).read_text("utf-8", errors="replace") for one in (name, other))
    second = shifted(second, int(began(first)) - int(began(second)), 5000)
    second = re.sub(r"(PJSIP/|Local/)(100\d)", r"\g<1>2\2", second).replace('"Queue","', '"Queue","other')
    rows = sorted(first.splitlines() + second.splitlines(), key=began)
    master = tmp_path / "Master.csv"
    master.write_text(numbered_as_one("\n".join(rows) + "\n"))

    read = await read_day(a_record(cel=master))

    alone = [len((await read_day(a_record(cel=cel_of(one)))).calls) for one in (name, other)]
    mine = [call for call in read.calls if call.customer_number in {truth["customer_number"] for truth in truth_of(name)}]
    assert len(read.calls) == sum(alone)
    assert seen(tuple(mine)) == seen((await read_day(a_record(cel=cel_of(name)))).calls)


@pytest.mark.parametrize("name", ["xfer_chain", "park_retrieve", "cid_injection_crlf"])
async def test_rotation_in_the_middle_of_a_call_changes_nothing(tmp_path: Path, name: str) -> None:
    whole = cel_of(name).read_bytes()
    lines = whole.splitlines(keepends=True)
    expected = seen((await read_day(a_record(cel=cel_of(name)))).calls)

    for cut in range(len(lines)):
        if lines[cut].startswith(b'"'):  # Asterisk rotates between records
            (tmp_path / "Master.csv.1").write_bytes(b"".join(lines[:cut]))
            (tmp_path / "Master.csv").write_bytes(b"".join(lines[cut:]))
            assert seen((await read_day(a_record(cel=tmp_path / "Master.csv"))).calls) == expected


async def test_a_log_that_is_being_copied_and_cut_does_not_double_its_calls(tmp_path: Path) -> None:
    for name, source in (("cel", cel_of("xfer_chain")), ("cdr", cdr_of("xfer_chain")), ("queue_log", queue_log_of("xfer_chain"))):
        shutil.copy(source, tmp_path / name)
        shutil.copy(source, tmp_path / f"{name}.1")

    for sources in ({"cel": tmp_path / "cel"}, {"cdr": tmp_path / "cdr"}, {"queue_log": tmp_path / "queue_log"}):
        read = await read_day(a_record(**sources))
        assert [call.call_id for call in read.calls] == ["main:1795315121.60"]
        assert read.calls[0].queues in {("support", "support"), None}


@pytest.mark.parametrize("name", ["q_first_agent", "cid_injection_event"])
async def test_a_file_cut_anywhere_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    whole = cel_of(name).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "Master.csv").write_bytes(whole[:length])
        read = await read_day(a_record(cel=tmp_path / "Master.csv"))
        assert read.problems == ()
        assert len(read.calls) <= 1


@pytest.mark.parametrize("name", ["q_first_agent", "cid_injection_event"])
async def test_a_damaged_byte_costs_one_record_at_most(tmp_path: Path, name: str) -> None:
    text = cel_of(name).read_bytes()
    other = shifted(cel_of("did_direct").read_text(), 3600, 700).encode()
    for at in range(0, len(text), 11):
        (tmp_path / "Master.csv").write_bytes(text[:at] + b'"' + text[at + 1 :] + other)
        read = await read_day(a_record(cel=tmp_path / "Master.csv"))
        assert read.problem_count <= 6  # a record of several lines that is cut in two is named by each of the rest
        assert "1001" in {agent for call in read.calls for agent in call.answered_by or ()}


async def test_what_is_broken_is_named_by_file_and_line(tmp_path: Path) -> None:
    lines = cel_of("q_first_agent").read_bytes().splitlines(keepends=True)
    master = tmp_path / "Master.csv"
    master.write_bytes(b"".join([*lines[:4], b'"CHAN_START","17953\n', *lines[4:9], b'"one","column"\n', *lines[9:]]))

    read = await read_day(a_record(cel=master))

    assert [(problem.file, problem.line) for problem in read.problems] == [(str(master), 5), (str(master), 11)]
    assert str(read.problems[1]) == f"{master}:11: 2 columns, 20 expected"
    assert seen(read.calls) == seen((await read_day(a_record(cel=cel_of("q_first_agent")))).calls)


async def test_problems_are_all_counted_and_the_first_are_named(tmp_path: Path) -> None:
    master = tmp_path / "Master.csv"
    master.write_bytes(cel_of("q_first_agent").read_bytes() + b'"broken"\n' * 5000)

    read = await read_day(a_record(cel=master))

    assert read.problem_count == 5000
    assert len(read.problems) == 100


async def test_another_order_of_columns_is_told_once_and_where_to_name_it(tmp_path: Path) -> None:
    master = tmp_path / "Master.csv"
    rows = [line.split(",", 2) for line in cel_of("burst_40").read_text().splitlines()]
    master.write_text("".join(f"{time},{kind},{rest}\n" for kind, time, rest in rows))

    with pytest.raises(RecordUnreadable, match=r"no event type or no time.*pbx\.record\.cel_columns"):
        await read_day(a_record(cel=master))
    assert len((await read_day(a_record(cel=master, cdr=cdr_of("burst_40")))).calls) == 40


async def test_columns_may_be_named_in_the_settings_or_by_the_file_itself(tmp_path: Path) -> None:
    names = ["uniqueid", "eventtime", "eventtype", "channame", "linkedid", "cid_num", "exten", "appname", "appdata", "extra"]
    positions = [14, 1, 0, 9, 15, 3, 7, 10, 11, 19]
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    with cel_of("xfer_chain").open(newline="") as file:
        writer.writerows([row[position] for position in positions] for row in csv.reader(file))
    named, headed = tmp_path / "named.csv", tmp_path / "headed.csv"
    named.write_text(out.getvalue())
    headed.write_text(",".join(names) + "\n" + out.getvalue())
    expected = seen((await read_day(a_record(cel=cel_of("xfer_chain")))).calls)

    assert seen((await read_day(a_record(cel=named, cel_columns=names))).calls) == expected
    assert seen((await read_day(a_record(cel=headed))).calls) == expected


async def test_a_source_that_is_missing_is_a_problem_while_another_can_be_read() -> None:
    read = await read_day(a_record(cel=NOBODY, cdr=NOBODY, queue_log=queue_log_of("q_first_agent")))

    assert read.sources == {RecordSource.QUEUE_LOG}
    assert [problem.file for problem in read.problems] == ["cel", "cdr"]
    assert len(read.calls) == 1


async def test_a_record_of_which_nothing_can_be_read_is_told_with_every_reason() -> None:
    with pytest.raises(RecordUnreadable, match=r"PBX main.*cel: .*No such file.*queue_log: .*No such file"):
        await read_day(a_record(cel=NOBODY, queue_log=NOBODY))
    with pytest.raises(RecordUnreadable, match=r"no source is set \(pbx\.record\)"):
        await read_day(a_record())


async def test_an_empty_file_is_a_record_of_nothing(tmp_path: Path) -> None:
    master = tmp_path / "Master.csv"
    master.touch()

    read = await read_day(a_record(cel=master))

    assert (read.calls, read.newest, read.oldest) == ((), None, None)
    assert read.sources == {RecordSource.CEL}


async def test_a_window_has_the_calls_that_touch_it_whole() -> None:
    """The call lives from 02:41:28.1 to 02:41:34.6."""
    record = a_record(cel=cel_of("q_first_agent"))
    (whole,) = (await read_day(record)).calls
    assert whole.ended_at is not None
    second = timedelta(seconds=1)

    async def calls(since: datetime, until: datetime) -> tuple[RecordedCall, ...]:
        return (await record.calls(since, until)).calls

    assert await calls(whole.started_at + second, whole.started_at + 2 * second) == (whole,)
    assert await calls(whole.started_at - second, whole.started_at) == ()
    assert await calls(whole.ended_at + second, whole.ended_at + 2 * second) == ()


async def test_a_long_call_is_whole_in_a_long_file_though_it_began_before_the_window(tmp_path: Path) -> None:
    """Its beginning lies 50 minutes and hundreds of kilobytes before the window."""
    lines = cel_of("q_first_agent").read_text().splitlines(keepends=True)
    other = cel_of("did_direct").read_text()
    at = int(began(lines[0]))
    between = "".join(shifted(other, at + 10 + 30 * n - int(began(other)), 1000 + 10 * n) for n in range(100))
    parted = next(number for number, line in enumerate(lines) if line.startswith('"BRIDGE_EXIT'))
    talked, hung_up = lines[:parted], lines[parted:]
    later = re.sub(r"^(\"\w+\",\")(\d+)", lambda match: f"{match[1]}{int(match[2]) + 3100}", "".join(hung_up), flags=re.MULTILINE)
    master = tmp_path / "Master.csv"
    master.write_text("".join(talked) + between + later)
    until = datetime.fromtimestamp(at + 3200, UTC)

    read = await a_record(cel=master).calls(until - timedelta(minutes=2), until)

    (call,) = read.calls
    assert (call.customer_number, call.queues, call.outcome) == (
        truth_of("q_first_agent")[0]["customer_number"], ("support",), "answered",
    )  # fmt: skip
    assert call.talk_s == pytest.approx(3105, abs=2)


async def test_it_says_from_when_to_when_it_knows_anything() -> None:
    read = await read_day(a_record(cel=cel_of("q_first_agent"), queue_log=queue_log_of("q_first_agent")))

    (call,) = read.calls
    assert read.oldest == call.started_at
    assert read.newest is not None
    assert call.ended_at is not None
    assert call.ended_at <= read.newest < call.ended_at + timedelta(seconds=1)


async def test_a_restart_of_the_pbx_ends_no_call_that_came_after_it() -> None:
    calls = (await read_day(a_record(cel=cel_of("pbx_kill9_talking")))).calls

    assert [(call.outcome, call.hung_up_by, call.ended_at is None) for call in calls] == [
        ("answered", "system", True),
        ("lost", "system", True),
        ("answered", "customer", False),
    ]


async def test_the_zone_of_a_log_that_was_rotated_a_moment_ago_is_that_of_its_last_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(cdr_of("did_direct"), tmp_path / "Master.csv.1")
    (tmp_path / "Master.csv").touch()
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        (call,) = (await read_day(a_record(cdr=tmp_path / "Master.csv"))).calls
        assert call.call_id == f"main:{int(call.started_at.timestamp())}.{call.call_id.rpartition('.')[2]}"
        assert call.ended_at is not None
        assert timedelta() < call.ended_at - call.started_at < timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam"])
async def test_times_without_a_zone_are_those_of_the_setting(tmp_path: Path, zone: str) -> None:
    master = tmp_path / "Master.csv"
    shutil.copy(cdr_of("did_direct"), master)

    (call,) = (await read_day(a_record(cdr=master, timezone=zone))).calls

    assert call.ended_at is not None
    (cel,) = (await read_day(a_record(cel=cel_of("did_direct")))).calls
    assert cel.ended_at is not None
    hours = {"UTC": 0, "Europe/Amsterdam": -1}[zone]
    assert abs(call.ended_at - cel.ended_at - timedelta(hours=hours)) < timedelta(seconds=1.1)
    assert call.started_at.tzinfo is UTC
