"""queue_log, which knows no quoting: what a caller's number adds to it is not believed."""

from datetime import UTC
from pathlib import Path

from cti_bridge.record.columns import columns_of
from cti_bridge.record.queue_log import NAMES, queue_row, queue_rows
from cti_bridge.record.rows import QueueRow
from cti_bridge.record.tail import Line

JOINED = "1795331081|1795331081.124|support|NONE|ENTERQUEUE||0612000030|1"
CONNECTED = "1795331085|1795331081.124|support|Agent Two|CONNECT|4|1795331084.129|1"
COMPLETED = "1795331087|1795331081.124|support|Agent Two|COMPLETECALLER|4|2|1"


def read(*lines: str) -> tuple[list[QueueRow], list[int]]:
    broken: list[int] = []
    numbered = iter([Line(Path("queue_log"), None, number, line.encode()) for number, line in enumerate(lines, 1)])
    return [row for _, row in queue_rows(numbered, lambda line, what: broken.append(line.offset))], broken


def test_a_line_is_a_row() -> None:
    rows, broken = read(JOINED)

    assert rows == [
        QueueRow(
            at=1795331081.0,
            callid="1795331081.124",
            queue="support",
            agent="NONE",
            event="ENTERQUEUE",
            data=("", "0612000030", "1"),
        )
    ]
    assert broken == []


def test_a_pipe_in_a_number_makes_fields_of_the_same_row() -> None:
    rows, broken = read("1795331081|1795331081.124|support|NONE|ENTERQUEUE||06|12|x|1", CONNECTED)

    assert rows[0].data == ("", "06", "12", "x", "1")
    assert len(rows) == 2
    assert broken == []


def test_lines_that_a_number_forges_are_not_believed() -> None:
    forged = [
        "1795331081|1795331081.124|support|NONE|ENTERQUEUE||0611",
        "1795331082|1795331081.124|s|X|CONNECT|1|a|1",
        "1795331083|x|s|X|ABANDON",
        "y|1",
    ]

    assert len("\n".join(forged).partition("||")[2].rpartition("|")[0]) <= 79  # what SIP lets through

    rows, broken = read(JOINED, *forged, CONNECTED, COMPLETED)

    assert [row.event for row in rows] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    assert rows[1].agent == "Agent Two"
    assert broken == [2, 3, 4, 5]


def test_what_is_no_line_of_the_log_is_told_and_passed_over() -> None:
    rows, broken = read(JOINED, "", "half a li", "x|1795331081.124|support|NONE|ABANDON|1", COMPLETED)

    assert [row.event for row in rows] == ["ENTERQUEUE", "COMPLETECALLER"]
    assert broken == [3, 4]


def test_a_table_has_its_data_in_one_column_or_in_five() -> None:
    one = columns_of(["id", "time", "callid", "queuename", "agent", "event", "data"], NAMES)
    five = columns_of(["id", "time", "callid", "queuename", "agent", "event", *(f"data{n}" for n in range(1, 6))], NAMES)
    start = (7, "2026-11-22 02:31:21.250000", "1795331081.124", "support", "NONE", "ENTERQUEUE")

    rows = [queue_row((*start, "|0612000030|1"), one, UTC), queue_row((*start, "", "0612000030", "1", None, ""), five, UTC)]

    assert [row.at for row in rows] == [1795314681.25, 1795314681.25]
    assert [row.data[:3] for row in rows] == [("", "0612000030", "1"), ("", "0612000030", "1")]
