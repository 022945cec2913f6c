"""Where a PBX's record is: of each kind the file or the table that is set, with a reader for a stretch of time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from config.settings import RecordSettings
from cti_bridge.domain.recorded_call import RecordSource
from cti_bridge.record.files import cdr_file, cel_file, queue_log_file
from cti_bridge.record.rows import CdrRow, CelRow, Problems, QueueRow
from cti_bridge.record.tables import cdr_table, cel_table, queue_log_table

Row = CelRow | CdrRow | QueueRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`setting` is its key in `[pbx.record]`, `place` the file or table for people; `read` takes Unix seconds: from, until."""

    source: RecordSource
    setting: str
    place: str
    read: Callable[[float, float, Problems], Iterator[Row]]
    is_table: bool = False


def sources_of(record: RecordSettings, *, url: Callable[[str], str] = str) -> Iterator[Source]:
    """Those that are set, CEL first, as it needs no other; a file before a table. `url` may change a database's address."""
    zone = record.timezone
    if (cel := record.cel_csv) is not None:
        yield Source(
            source=RecordSource.CEL,
            setting="cel_csv",
            place=str(cel),
            read=lambda since, until, problems: cel_file(cel, record.cel_columns, zone, since, until, problems),
        )
    elif (cel_url := record.cel_url) is not None:
        yield Source(
            source=RecordSource.CEL,
            setting="cel_url",
            place=f"table {record.cel_table}",
            read=lambda since, until, problems: cel_table(url(cel_url), record.cel_table, zone, since, until, problems),
            is_table=True,
        )
    if (log := record.queue_log) is not None:
        yield Source(
            source=RecordSource.QUEUE_LOG,
            setting="queue_log",
            place=str(log),
            read=lambda since, until, problems: queue_log_file(log, since, until, problems),
        )
    elif (log_url := record.queue_log_url) is not None:
        table = record.queue_log_table
        yield Source(
            source=RecordSource.QUEUE_LOG,
            setting="queue_log_url",
            place=f"table {table}",
            read=lambda since, until, problems: queue_log_table(url(log_url), table, zone, since, until, problems),
            is_table=True,
        )
    if (cdr := record.cdr_csv) is not None:
        yield Source(
            source=RecordSource.CDR,
            setting="cdr_csv",
            place=str(cdr),
            read=lambda since, until, problems: cdr_file(cdr, record.cdr_columns, zone, since, until, problems),
        )
    elif (cdr_url := record.cdr_url) is not None:
        yield Source(
            source=RecordSource.CDR,
            setting="cdr_url",
            place=f"table {record.cdr_table}",
            read=lambda since, until, problems: cdr_table(url(cdr_url), record.cdr_table, zone, since, until, problems),
            is_table=True,
        )
