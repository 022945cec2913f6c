"""Log files that are rotated: a stretch of time is found in them, each line once, without reading what is before."""

import os
from pathlib import Path

import pytest

from cti_bridge.record.tail import STEP, Line, RotatedMeanwhile, files_of, line_number, lines_between

ALWAYS = (0.0, 1e10)


def time_of(data: bytes) -> float | None:
    seconds = data.partition(b" ")[0]
    return float(seconds) if seconds.isdigit() else None


def written(seconds: range, what: str = "row") -> bytes:
    return b"".join(b"%d %s\n" % (second, what.encode()) for second in seconds)


def read(path: Path, since: float = ALWAYS[0], until: float = ALWAYS[1]) -> list[bytes]:
    return [line.data for line in lines_between(path, since, until, time_of)]


def test_a_half_written_last_line_is_left_for_the_next_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1 a\n2 b\n3 hal")
    first = read(log)

    with log.open("ab") as file:
        file.write(b"f\n")

    assert first == [b"1 a", b"2 b"]
    assert read(log) == [b"1 a", b"2 b", b"3 half"]


@pytest.mark.parametrize("rotated", ["log.1", "log.0", "log-20261122", "log.1795314667"])
def test_the_rest_of_a_renamed_file_is_read_before_the_new_one(tmp_path: Path, rotated: str) -> None:
    (tmp_path / rotated).write_bytes(written(range(1, 5)))
    (tmp_path / "log").write_bytes(written(range(5, 9)))

    assert [int(line.split()[0]) for line in read(tmp_path / "log")] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_rotated_files_are_put_in_order_by_their_times_whatever_their_numbers_mean(tmp_path: Path) -> None:
    (tmp_path / "log.0").write_bytes(written(range(1, 3)))
    (tmp_path / "log.1").write_bytes(written(range(3, 5)))
    (tmp_path / "log.10").write_bytes(written(range(5, 7)))
    (tmp_path / "log").write_bytes(written(range(7, 9)))

    assert [int(line.split()[0]) for line in read(tmp_path / "log")] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_last_line_without_an_end_counts_in_a_file_that_is_rotated_away(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(b"1 a\n2 b")
    (tmp_path / "log").write_bytes(b"3 c\n")

    assert read(tmp_path / "log") == [b"1 a", b"2 b", b"3 c"]


def test_a_file_that_was_copied_and_cut_gives_its_lines_from_the_copy(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(written(range(1, 5)))
    (tmp_path / "log").write_bytes(b"")

    assert read(tmp_path / "log") == written(range(1, 5)).splitlines()


def test_a_rename_while_reading_loses_and_doubles_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(written(range(1, 5)))
    lines = lines_between(log, *ALWAYS, time_of)
    first = next(lines).data

    log.rename(tmp_path / "log.1")
    log.write_bytes(b"5 new\n")

    assert [first, *(line.data for line in lines)] == written(range(1, 5)).splitlines()
    assert read(log)[-1] == b"5 new"


def test_a_file_that_is_cut_while_it_is_read_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(written(range(1, 50_000)))
    lines = lines_between(log, *ALWAYS, time_of)
    next(lines)

    os.truncate(log, 0)

    with pytest.raises(RotatedMeanwhile):
        list(lines)


def test_a_stretch_of_a_long_file_is_found_without_reading_what_is_before_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(written(range(1_000_000, 1_200_000), "a row of some length"))

    lines = list(lines_between(log, 1_190_000, 1_190_010, time_of))

    seconds = [int(line.data.split()[0]) for line in lines]
    assert set(range(1_190_000, 1_190_011)) <= set(seconds)
    assert len(lines) * len(lines[0].data) < 3 * STEP


def test_lines_without_a_time_do_not_mislead_the_search(tmp_path: Path) -> None:
    rows = [b"%d row\nforged by a caller\n" % second for second in range(1_000_000, 1_050_000)]
    forged = b"".join(row + (b"1 forged\n" if number % 7 == 0 else b"") for number, row in enumerate(rows))
    (tmp_path / "log").write_bytes(forged)

    found = read(tmp_path / "log", 1_020_000, 1_020_005)

    assert b"1020000 row" in found
    assert b"1000100 row" not in found


def test_a_renamed_file_is_read_while_there_is_no_new_one_yet(tmp_path: Path) -> None:
    """Asterisk goes on writing queue_log under its new name until it is told to reload."""
    (tmp_path / "log.1").write_bytes(b"1 a\n2 b\n3 hal")

    assert read(tmp_path / "log") == [b"1 a", b"2 b"]


def test_packed_and_foreign_files_beside_it_are_not_read(tmp_path: Path) -> None:
    for name in ("log", "log.1", "log.2.gz", "logger", "other.1"):
        (tmp_path / name).write_bytes(b"1 a\n")

    assert [path.name for path in files_of(tmp_path / "log")] == ["log.1", "log"]


def test_a_line_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(written(range(1, 1000)))

    def numbers(line: Line) -> tuple[int, int]:
        return int(line.data.split()[0]), line_number(line)

    assert [numbers(line) for line in lines_between(tmp_path / "log", *ALWAYS, time_of)] == [(n, n) for n in range(1, 1000)]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "log")
