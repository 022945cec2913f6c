"""What goes out is whole, harmless in a spreadsheet, and comes in again as it was, on both databases."""

import csv
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from cti_bridge.domain.account import ContactKind, Tier, account_document
from storage.accounts import Accounts
from storage.database import Database
from storage.export import cell_text, export_accounts, export_interactions, safe_cell
from storage.import_accounts import import_accounts
from storage.interactions import Interactions
from storage.relations import Relations
from tests.support.relations import a_score
from tests.support.store import NOW, an_account, an_email

FORMULAS = ['=HYPERLINK("http://x")', "+1", "-2+3", "@SUM(A1)", "\tx", "\r=1", "=1\n,2"]


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def test_accounts_come_in_again_as_they_went_out(database: Database, accounts: Accounts, tmp_path: Path):
    points = [(ContactKind.PHONE, "020 7946 0018", None), (ContactKind.EMAIL, "lei@example.org", None)]
    await an_account(accounts, name="李 雷", company="Quinn, Sons & Co", tier=Tier.GOLD, note="a\nb", contact_points=points)
    await an_account(accounts, name="=cmd|' /C calc'!A0", phone="020 7946 0077")
    out = tmp_path / "out.csv"

    count = await export_accounts(database, accounts, out)
    again = await import_accounts(database, accounts, out, dry_run=True, now=NOW)

    assert count == 2
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [(row["name"], row["phones"], row["tier"]) for row in rows_of(out)] == [
        ("李 雷", "'+442079460018", "gold"),
        ("'=cmd|' /C calc'!A0", "'+442079460077", ""),
    ]
    assert (again.rows, again.known, again.added) == (2, 2, 0)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


async def test_scores_and_signs_go_out_and_are_passed_over_on_the_way_in(database: Database, accounts: Accounts, tmp_path: Path):
    account = await an_account(accounts, name="Zoë Quinn")
    for minute in range(3):
        email = an_email(minute, account_id=account.account_id, satisfaction=a_score(2, comment="=late"))
        await Interactions(database).add(email, idempotency_key=None)
    await Relations(database, accounts).refresh([account.account_id], now=NOW)

    await export_accounts(database, accounts, tmp_path / "accounts.csv")
    await export_interactions(database, tmp_path / "contacts.csv", since=None, until=None)

    (row,) = rows_of(tmp_path / "accounts.csv")
    assert (row["satisfaction"], row["churn_signs"]) == ("2.0", "low_satisfaction")
    contact = rows_of(tmp_path / "contacts.csv")[0]
    names = ("satisfaction", "satisfaction_source", "satisfaction_comment")
    assert [contact[name] for name in names] == ["2", "survey", "'=late"]
    assert (await import_accounts(database, accounts, tmp_path / "accounts.csv", dry_run=True, now=NOW)).known == 1


async def test_json_holds_the_documents_of_the_api(database: Database, accounts: Accounts, tmp_path: Path):
    known = [await an_account(accounts, name=f"Customer {number}") for number in range(3)]

    await export_accounts(database, accounts, tmp_path / "out.json")

    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == [account_document(one) for one in known]


async def test_interactions_of_a_time_go_out_oldest_first(database: Database, tmp_path: Path):
    interactions = Interactions(database)
    for minute in (3, 1, 2, 0):
        email = an_email(minute, subject=f"=mail {minute}")
        await interactions.add(email, idempotency_key=None)

    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
    count = await export_interactions(database, tmp_path / "out.csv", since=since, until=until)

    assert count == 2
    assert [row["subject"] for row in rows_of(tmp_path / "out.csv")] == ["'=mail 1", "'=mail 2"]


async def test_many_pages_lose_and_double_nothing(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.export.PAGE", 2)
    interactions = Interactions(database)
    for _ in range(5):  # all at the same moment
        await interactions.add(an_email(0), idempotency_key=None)

    await export_interactions(database, tmp_path / "out.csv", since=None, until=None)

    rows = rows_of(tmp_path / "out.csv")
    assert len({row["interaction_id"] for row in rows}) == len(rows) == 5


async def test_nothing_is_written_over_and_nothing_is_left_half(database: Database, accounts: Accounts, tmp_path: Path):
    out = tmp_path / "out.csv"
    out.write_text("mine")

    with pytest.raises(FileExistsError):
        await export_accounts(database, accounts, out)
    with pytest.raises(ValueError, match="ends in"):
        await export_accounts(database, accounts, tmp_path / "out.xlsx")
    await database.close()

    assert out.read_text() == "mine"
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text_and_stays_itself(text: str):
    assert safe_cell(text)[0] == "'"
    assert cell_text(safe_cell(text)) == text


@pytest.mark.parametrize("value", [-12.5, 0, 7, None, "O'Brien", "'quoted'"])
def test_figures_and_plain_text_are_left_alone(value: object):
    assert safe_cell(value) == ("" if value is None else str(value))
