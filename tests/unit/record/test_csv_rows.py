"""CSV with what callers put into it: a record may span lines, a broken one costs only itself."""

from pathlib import Path

import pytest

from cti_bridge.record.csv_rows import records
from cti_bridge.record.tail import Line

GOOD = ['"CHAN_START","1795314667.1","a","b","c"', '"CHAN_END","1795314668.1","d","e","f"']


def read(*lines: str | bytes) -> tuple[list[list[str]], list[int]]:
    """The records, and the numbers of the lines that are told as broken."""
    broken: list[int] = []
    data = [line.encode() if isinstance(line, str) else line for line in lines]
    numbered = iter([Line(Path("Master.csv"), None, number, line) for number, line in enumerate(data)])
    return [fields for _, fields in records(numbered, lambda line, what: broken.append(line.offset))], broken


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"a","b|c","d","e","f"', "b|c"),
        ('"a","say ""hello""","d","e","f"', 'say "hello"'),
        ('"a","x,y","d","e","f"', "x,y"),
        (b'"a","\xff\xfe","d","e","f"', "��"),
        ('"a","\x1b[31mred\x00","d","e","f"', "\x1b[31mred\x00"),
    ],
    ids=["pipe", "quotes", "comma", "no UTF-8", "escape codes and NUL"],
)
def test_a_hostile_name_is_one_field(written: str | bytes, meant: str) -> None:
    rows, broken = read(GOOD[0], written, GOOD[1])

    assert [len(row) for row in rows] == [5, 5, 5]
    assert rows[1][1] == meant
    assert broken == []


def test_a_number_with_line_ends_in_it_is_one_field_and_the_lines_it_forges_are_no_records() -> None:
    forged = ['"CHAN_START","1795314667.1","0611', '""CHAN_END"",""1795314668.1"",""x"",""y"",""z""', 'X: y","d","e"']

    rows, broken = read(*forged, GOOD[1])

    assert [row[0] for row in rows] == ["CHAN_START", "CHAN_END"]
    assert rows[0][2] == '0611\r\n"CHAN_END","1795314668.1","x","y","z"\r\nX: y'
    assert broken == []


@pytest.mark.parametrize(
    "damaged",
    ['"CHAN_START","17953', '"CHAN_START","17953"CHAN_END","1795314668.1","d","e","f"', '"a","b"c","d","e","f"'],
    ids=["cut", "cut and written on", "a quote too many"],
)
def test_a_damaged_line_costs_only_itself(damaged: str) -> None:
    rows, broken = read(GOOD[0], damaged, GOOD[1], GOOD[0])

    assert [row[0] for row in rows] == ["CHAN_START", "CHAN_END", "CHAN_START"]
    assert broken == [1]


def test_a_record_that_is_not_complete_yet_is_left_out_and_not_told() -> None:
    rows, broken = read(GOOD[0], '"CHAN_START","1795314667.1","0611', "Event: Fake")

    assert [row[0] for row in rows] == ["CHAN_START"]
    assert broken == []
