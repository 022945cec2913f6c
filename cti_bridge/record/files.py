"""The record as files: CEL and CDR in CSV, and queue_log, as rows of a stretch of time. What is no row is named, not raised."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Generic, TypeVar

from cti_bridge.record import cdr, cel, queue_log
from cti_bridge.record.columns import WrongColumns, columns_of
from cti_bridge.record.csv_rows import records
from cti_bridge.record.rows import CdrRow, CelRow, Problems, QueueRow, RecordProblem
from cti_bridge.record.tail import Line, first_and_last_lines, line_number, lines_between
from cti_bridge.record.times import zone_of

TRIED_RECORDS = 20
"""So many records without a sound one among them, and the file is in another format than thought."""

Row = TypeVar("Row", CelRow, CdrRow)


class _Csv(Generic[Row]):
    """A CSV file whose records `read` makes rows of; `time` is that of their writing, in which order they stand."""

    def __init__(self, path: Path, read: Callable[[Sequence[str]], Row], time: Callable[[Row], float], setting: str) -> None:
        self._path = path
        self._read: Callable[[Sequence[str]], Row] = read
        self._time: Callable[[Row], float] = time
        self._setting = setting

    def rows(self, since: float, until: float, problems: Problems) -> Iterator[Row]:
        """
        Raises:
            OSError: the file cannot be opened.
            WrongColumns: its records are not what they should be, from the first on.
        """
        known = _Known(problems)
        in_vain = 0
        for line, fields in records(lines_between(self._path, since, until, self._time_of), known.broken):
            try:
                row = self._read(fields)
            except WrongColumns as wrong:
                if _is_names(fields):
                    continue
                known.broken(line, str(wrong))
                in_vain += not known.any_sound
                if in_vain == TRIED_RECORDS:
                    raise WrongColumns(
                        f"{wrong}; if the columns are in the site's own order, name them in {self._setting}"
                    ) from wrong
                continue
            known.sound(line)
            yield row

    def _time_of(self, data: bytes) -> float | None:
        for _, fields in records(iter([Line(self._path, None, 0, data)]), lambda line, what: None):
            try:
                return self._time(self._read(fields))
            except WrongColumns:
                return None
        return None


class _Known:
    """Names what is broken. What stands before the first sound row of a file that was entered in its middle may be the rest of a
    record, and is passed over.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._entered: set[Path] = set()
        self.any_sound = False

    def sound(self, line: Line) -> None:
        self.any_sound = True
        self._entered.add(line.path)

    def broken(self, line: Line, what: str) -> None:
        if line.path in self._entered or line.offset == 0:
            self._entered.add(line.path)
            number = line_number(line) if self._problems.has_room else None
            self._problems.add(RecordProblem(file=str(line.path), line=number, what=what))


def cel_file(
    path: Path, columns: Sequence[str], timezone: str | None, since: float, until: float, problems: Problems
) -> Iterator[CelRow]:
    """See `_Csv.rows` for what it raises."""
    order = _order(path, columns or cel.SAMPLE_COLUMNS, cel.NAMES, cel.NEEDED)
    zone = _zone(path, lambda fields: order, "eventtime", timezone)
    yield from _Csv(path, lambda fields: cel.cel_row(fields, order, zone), lambda row: row.at, "pbx.record.cel_columns").rows(
        since, until, problems
    )


def cdr_file(
    path: Path, columns: Sequence[str], timezone: str | None, since: float, until: float, problems: Problems
) -> Iterator[CdrRow]:
    """See `_Csv.rows` for what it raises."""
    shapes = {number: columns_of(names, cdr.NAMES) for number, names in cdr.SHAPES.items()}
    named = _order(path, columns, cdr.NAMES, cdr.NEEDED)

    def order(fields: Sequence[str]) -> Mapping[str, int]:
        found = named or shapes.get(len(fields))
        if found is None:
            raise WrongColumns(f"{len(fields)} columns: no shape of Master.csv that has a uniqueid (cdr.conf: loguniqueid = yes)")
        return found

    zone = _zone(path, order, "start", timezone)
    yield from _Csv(
        path, lambda fields: cdr.cdr_row(fields, order(fields), zone), lambda row: row.end, "pbx.record.cdr_columns"
    ).rows(since, until, problems)


def queue_log_file(path: Path, since: float, until: float, problems: Problems) -> Iterator[QueueRow]:
    """
    Raises:
        OSError: the file cannot be opened.
    """
    known = _Known(problems)
    for line, row in queue_log.queue_rows(lines_between(path, since, until, queue_log.line_time), known.broken):
        known.sound(line)
        yield row


def _order(path: Path, columns: Sequence[str], names: Mapping[str, str], needed: Sequence[str]) -> Mapping[str, int]:
    """Which column holds what: by the file's own first line where it names them, else as set."""
    for _, fields in records(iter(first_and_last_lines(path)[0][:1]), lambda line, what: None):
        if _is_names(fields):
            return columns_of(fields, names)
    order = columns_of(columns, names)
    missing = [name for name in needed if name not in order]
    if columns and missing:
        raise WrongColumns(f"the named columns lack {', '.join(missing)}")
    return order


def _is_names(fields: Sequence[str]) -> bool:
    """True for a line of column names, which some sites put first."""
    names = {name.strip().lower() for name in fields}
    return "uniqueid" in names and bool(names & {"eventtype", "eventtime", "start", "calldate"})


def _zone(path: Path, order: Callable[[Sequence[str]], Mapping[str, int]], time: str, setting: str | None) -> tzinfo | None:
    samples: list[tuple[object, str]] = []
    for _, fields in records(iter(first_and_last_lines(path)[1]), lambda line, what: None):
        try:
            columns = order(fields)
            samples.append((fields[columns[time]], fields[columns["uniqueid"]]))
        except (WrongColumns, IndexError, KeyError):
            continue
    return zone_of(samples, setting)
