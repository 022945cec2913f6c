"""What a real Asterisk 22 wrote of the recorded scenarios: CEL, CDR and queue_log. The truth of each is in tests/traces."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.settings import RecordSettings
from cti_bridge.record.reader import PbxRecord, RecordRead

SAMPLES = Path(__file__).parent.parent / "record_samples"
INTERNAL = re.compile("^[1-9][0-9]{2,4}$")
RECORDED_ON = datetime(2026, 11, 22, tzinfo=UTC)


def cel_of(name: str) -> Path:
    return SAMPLES / f"{name}.cel.csv"


def cdr_of(name: str) -> Path:
    return SAMPLES / f"{name}.cdr.csv"


def queue_log_of(name: str) -> Path:
    return SAMPLES / f"{name}.queue_log"


def recorded_names() -> list[str]:
    """The scenarios of which the PBX's own record was kept."""
    return sorted(path.name.removesuffix(".cel.csv") for path in SAMPLES.glob("*.cel.csv"))


def a_record(*, cel: Path | None = None, cdr: Path | None = None, queue_log: Path | None = None, **settings: object) -> PbxRecord:
    """The record of PBX `main` in these files."""
    files = RecordSettings.model_validate({"cel_csv": cel, "cdr_csv": cdr, "queue_log": queue_log, **settings})
    return PbxRecord("main", files, internal=INTERNAL, region=None)


async def read_day(record: PbxRecord) -> RecordRead:
    """All of the day on which the samples were recorded."""
    return await record.calls(RECORDED_ON, RECORDED_ON + timedelta(days=1))
