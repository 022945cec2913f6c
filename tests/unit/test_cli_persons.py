"""A customer's rights and the audit log, as a person at a terminal meets them."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cti_bridge.cli import main
from cti_bridge.journal.segments import OpenSegment
from tests.support.journals import chunks, opened, read, received, written

SETTINGS = """
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[[pbx]]
name = "main"
username = "cti"
secret = "s3cret"
"""


@pytest.fixture
def cti(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs the program in a folder with a store that holds one customer; gives exit code, output and complaints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cti.toml").write_text(SETTINGS.format(folder=tmp_path))
    (tmp_path / "customers.csv").write_text("name,phones\nZoë Quinn,+442079460018\n")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["cti-bridge", *arguments])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    assert run("import", "accounts", "customers.csv")[0] == 0
    return run


@pytest.fixture
def zoe(cti) -> str:
    return str(asked("SELECT account_id FROM accounts")[0][0])


def asked(statement: str) -> list[tuple]:
    with closing(sqlite3.connect("cti.db")) as connection:
        rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows


def test_a_customer_is_exported_and_erased(cti, zoe):
    exported = cti("person", "export", zoe, "zoe.json")
    erased = cti("person", "erase", zoe, "--yes")

    assert exported == (0, "Wrote the customer and 0 interactions to zoe.json.\n", "")
    assert json.loads(Path("zoe.json").read_bytes())["accounts"][0]["name"] == "Zoë Quinn"
    said = "Erased 1 accounts and 0 cases; 0 interactions stay, as figures.\nWritten over in the journal: 0 numbers and names.\n"
    assert erased == (0, said, "")
    assert asked("SELECT * FROM accounts") == []
    assert cti("person", "erase", zoe, "--yes") == (1, "", f"cti-bridge: There is no account {zoe}.\n")


def test_the_journal_of_a_stopped_service_is_erased_too(cti, zoe):
    said = b"Event: X\r\nCallerIDNum: 02079460018\r\nCallerIDName: Zoe\r\n\r\n"
    asyncio.run(written(Path("journal/main"), opened(0), received(1, said)))

    code, out, _ = cti("person", "erase", zoe, "--yes")

    (data,) = chunks(read(Path("journal/main")))
    assert (code, out.splitlines()[-1]) == (0, "Written over in the journal: 2 numbers and names.")
    assert data == said.replace(b"02079460018", b" " * 11).replace(b"Zoe", b"   ")


def test_while_the_service_runs_it_is_the_one_to_ask(cti, zoe):
    segment = OpenSegment(Path("journal/main"), wall=0.0, mono=0.0)

    code, out, err = cti("person", "erase", zoe, "--yes")

    segment.close()
    assert (code, out) == (1, "")
    assert "the service is running" in err
    assert len(asked("SELECT * FROM accounts")) == 1


def test_nobody_is_erased_by_mistake(cti, zoe):
    code, out, err = cti("person", "erase", zoe)

    assert (code, out) == (2, "")
    assert "--yes" in err
    assert len(asked("SELECT * FROM accounts")) == 1


def test_every_export_is_in_the_log(cti, zoe):
    cti("export", "accounts", "all.csv")
    cti("export", "interactions", "all.json", "--since", "2026-11-21")
    cti("person", "export", zoe, "zoe.json")

    rows = asked("SELECT action, subject, actor FROM audit_log ORDER BY seq")
    assert [row[:2] for row in rows] == [("accounts.exported", None), ("interactions.exported", None), ("person.exported", zoe)]
    assert all(actor.startswith("command:") for *_, actor in rows)


def test_retention_is_shown_before_it_is_done(cti):
    nothing = cti("retention")
    Path("cti.toml").write_text(Path("cti.toml").read_text() + "[retention]\ncases_days = 30\n")
    asked(
        "INSERT INTO cases (case_id, account_id, kind, subject, opened_at, opened_by, closed_at) "
        "SELECT 'c', account_id, 'call_back', 'x', '2020-01-01 00:00:00', 'ada', '2020-01-02 00:00:00' FROM accounts"
    )

    shown = cti("retention", "--dry-run")
    kept = asked("SELECT case_id FROM cases")
    done = cti("retention")

    assert nothing == (0, "Everything is kept: section [retention] of the settings names no days.\n", "")
    assert shown[1].startswith("cases: 1 would go, from before 20")
    assert kept == [("c",)]
    assert done[1].startswith("cases: 1 gone, from before 20")
    assert asked("SELECT case_id FROM cases") == []
    ((action, actor),) = asked("SELECT action, actor FROM audit_log")
    assert (action, actor.partition(":")[0]) == ("retention.done", "command")


def test_a_whole_log_gives_its_head_and_a_broken_one_its_row(cti):
    for name in ("1.csv", "2.csv", "3.csv"):
        cti("export", "accounts", name)

    code, out, _ = cti("log", "verify")
    head = out.split()[-1]
    asked("DROP TRIGGER audit_log_no_delete")
    again = cti("log", "verify", "--head", head)
    asked("DELETE FROM audit_log WHERE seq = 3")

    assert (code, out) == (0, f"The audit log is whole: 3 rows, head {head}\n")
    assert again == (0, out, "")
    assert cti("log", "verify")[0] == 0
    broken = "cti-bridge: the audit log is broken: row 3 is missing, and all after it\n"
    assert cti("log", "verify", "--head", head) == (1, "", broken)
    assert cti("log", "verify", "--head", "x")[0] == 2
