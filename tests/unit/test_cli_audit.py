"""`cti-bridge audit` as a person at a terminal meets it: a real Asterisk's record, a store with and without a mistake."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cti_bridge.cli import main
from cti_bridge.domain.call_events import CallEnded
from storage.database import Database
from storage.recorder import Recorder
from tests.support.record_samples import cel_of, queue_log_of
from tests.support.replayed import events_of, steps_of

SCENARIO = "q_first_agent"
CALL = "main:1795315288.0"
SETTINGS = """
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[[pbx]]
name = "main"
username = "cti"
secret = "s3cret"
"""
RECORD = """
[pbx.record]
cel_csv = "{cel}"
queue_log = "{queue_log}"
"""
DAY = ("--since", "2026-11-22T00:00Z", "--until", "2026-11-22T05:00+01:00")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command in an empty folder; gives its exit code, and what it printed where."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["cti-bridge", "audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return int(ended.value.code or 0), seen.out, seen.err

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A PBX with a record of one call, and a store that holds it."""
    file = tmp_path / "cti.toml"
    record = RECORD.format(cel=cel_of(SCENARIO), queue_log=queue_log_of(SCENARIO))
    file.write_text(SETTINGS.format(folder=tmp_path) + record)
    file.chmod(0o600)
    asyncio.run(fill(tmp_path))
    return file


async def fill(folder: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder}/cti.db")
    await database.migrate()
    recorder = Recorder(database)
    running = asyncio.create_task(recorder.run())
    for event in events_of(steps_of(SCENARIO)):
        if isinstance(event, CallEnded):
            await recorder.put(event.call, None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "cti.db")) as store, store:
        assert store.execute(statement).rowcount == 1


def test_a_sound_store_exits_0(run: Run, config: Path):
    code, out, _ = run(*DAY)

    assert code == 0
    assert out.splitlines()[2:] == [
        "PBX   record          calls  in store  lost  doubled  ghost  stuck  wrong  mended  left",
        "main  cel, queue_log      1         1     0        0      0      0      0       0     0",
    ]


def test_a_mistake_exits_1_and_repair_mends_it(run: Run, config: Path, tmp_path: Path):
    change(tmp_path, "UPDATE interactions SET outcome = 'abandoned'")

    looked, mended, after = run(*DAY), run(*DAY, "--repair"), run(*DAY)

    assert [looked[0], mended[0], after[0]] == [1, 0, 0]
    wrong = f"  wrong    {CALL}  outcome: the store says abandoned, the record answered"
    assert wrong in looked[1].splitlines()
    assert f"{wrong}  [mended]" in mended[1].splitlines()


def test_json_is_one_document_with_everything(run: Run, config: Path, tmp_path: Path):
    change(tmp_path, "DELETE FROM interactions")

    code, out, _ = run(*DAY, "--json")

    (result,) = json.loads(out)["results"]
    assert code == 1
    assert result["counts"] == {"lost": 1, "ghost": 0, "doubled": 0, "stuck": 0, "wrong": 0}
    assert [(one["kind"], one["call_id"]) for one in result["findings"]] == [("lost", CALL)]


def test_numbers_are_masked_everywhere(run: Run, config: Path, tmp_path: Path):
    change(tmp_path, "UPDATE interactions SET call = json_set(call, '$.customer_number', '+33612345678')")

    printed = run(*DAY)[1] + run(*DAY, "--json")[1]

    assert "+33*******78" in printed
    assert "612345678" not in printed


def test_without_a_record_it_says_what_to_set(run: Run, config: Path, tmp_path: Path):
    config.write_text(SETTINGS.format(folder=tmp_path))

    code, out, _ = run()

    assert code == 2
    assert "no record of main is configured: set cel_csv (best), queue_log or cdr_csv, or their …_url, in [pbx.record]" in out


def test_a_record_that_is_not_there_exits_2(run: Run, config: Path, tmp_path: Path):
    config.write_text(SETTINGS.format(folder=tmp_path) + '[pbx.record]\ncel_csv = "/nowhere/Master.csv"\n')

    code, out, _ = run("--json")

    assert code == 2
    assert "/nowhere/Master.csv" in json.loads(out)["results"][0]["error"]


def test_a_store_that_is_not_ready_exits_2(run: Run, config: Path, tmp_path: Path):
    (tmp_path / "cti.db").unlink()

    code, out, err = run()

    assert (code, out) == (2, "")
    assert "run `cti-bridge migrate`" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--since", "yesterday"), "yesterday: write a date (2026-11-21), or a time with its zone"),
        (("--since", "2026-11-22T08:00"), "2026-11-22T08:00: write a date"),
        (("--until", "9999-12-31T99:00Z"), "9999-12-31T99:00Z: write a date"),
        (("--since", "2026-11-22", "--until", "2026-11-21"), "nothing lies between --since and --until"),
        (("--until", "0001-01-01"), "0001-01-01: write a date"),
        (("--since", "9998-12-31"), "nothing lies between --since and --until"),
        (("--pbx", "branch"), "no [[pbx]] is named branch: there are main"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments_exit_2(run: Run, config: Path, arguments: tuple[str, ...], complaint: str):
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert complaint in err
