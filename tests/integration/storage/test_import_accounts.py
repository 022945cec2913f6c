from datetime import timedelta
from pathlib import Path

import pytest

from cti_bridge.domain.account import ContactKind, Tier
from cti_bridge.domain.errors import ConfigError
from storage.accounts import Accounts
from storage.database import Database
from storage.import_accounts import ImportReport, import_accounts
from tests.support.store import NOW

HEADER = "name,company,tier,language,phones,emails,note\n"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def imported(database: Database, accounts: Accounts, tmp_path: Path):
    async def run(content: str | bytes, *, dry_run: bool = False) -> ImportReport:
        path = tmp_path / "accounts.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return await import_accounts(database, accounts, path, dry_run=dry_run, now=NOW)

    return run


async def names(accounts: Accounts) -> list[str]:
    return [account.name for account in (await accounts.search(phone=None, email=None, q=None, cursor=None, limit=50)).items]


async def told(imported, content: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        await imported(content)
    return [str(problem).rpartition("accounts.csv")[2] for problem in caught.value.problems]


async def test_rows_become_accounts_with_all_their_contact_points(accounts: Accounts, imported):
    content = "\ufeff" + HEADER + '"Quinn, Zoë",Acme,Gold,en,020 7946 0018; +44 20 7946 0019;,Zoe@Example.org,"two\r\nlines"\r\n'

    report = await imported(content)

    assert report == ImportReport(rows=1, added=1, known=0, dry_run=False)
    (candidate,) = await accounts.by_phone("+442079460019")
    account = candidate.account
    assert (account.name, account.company, account.tier, account.language) == ("Quinn, Zoë", "Acme", Tier.GOLD, "en")
    assert account.note == "two\r\nlines"
    assert [(point.kind, point.value) for point in account.contact_points] == [
        (ContactKind.PHONE, "+442079460018"),
        (ContactKind.PHONE, "+442079460019"),
        (ContactKind.EMAIL, "zoe@example.org"),
    ]


async def test_a_second_run_adds_only_what_is_new(accounts: Accounts, imported):
    first = "name,phones\nZoë,020 7946 0018\n李雷,020 7946 0019\n"
    await imported(first)

    assert await imported(first) == ImportReport(rows=2, added=0, known=2, dry_run=False)
    report = await imported(first + "ZOË,+442079460018;020 7946 0111\nYan,020 7946 0018\nZoë,020 7946 0222\n")

    assert report == ImportReport(rows=5, added=2, known=3, dry_run=False)
    assert sorted(await names(accounts)) == ["Yan", "Zoë", "Zoë", "李雷"]


async def test_the_same_row_twice_in_a_file_is_one_account(accounts: Accounts, imported):
    assert (await imported("name,phones\nZoë,020 7946 0018\nzoë,02079460018\n")).added == 1
    assert await names(accounts) == ["Zoë"]


async def test_a_dry_run_stores_nothing(accounts: Accounts, imported):
    assert await imported("name,phones\nZoë,020 7946 0018\n", dry_run=True) == ImportReport(
        rows=1, added=1, known=0, dry_run=True
    )
    assert await names(accounts) == []


async def test_every_bad_row_is_told_and_nothing_is_stored(accounts: Accounts, imported):
    content = HEADER + (
        "Good,,,,020 7946 0018,,\n"
        ",,,,020 7946 0019,,\n"
        "Bad number,,,,12,,\n"
        'Bad mail,,,,,nobody,"two\nlines"\n'
        "Bad tier,,diamond,,020 7946 0019,,\n"
        "Nothing,,,,,,\n"
        "Too many,,,,020 7946 0019,,,x\n"
        "Too few,,,\n"
    )

    assert await told(imported, content) == [
        ":3: name is empty",
        ":4: '12' is no phone number of GB or, with a leading +, of any country",
        ":6: 'nobody' is no e-mail address",
        ":7: tier 'diamond' is none of platinum, gold, iron, lead",
        ":8: no phone and no e-mail: nobody would ever be recognised by this account",
        ":9: more fields than columns: a field with a comma stands in quotes",
        ":10: no phone and no e-mail: nobody would ever be recognised by this account",
    ]
    assert await names(accounts) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ":1: name and phones or emails are needed"),
        ("name,phone\n", ":1: unknown columns: 'phone'"),
        ("name,role,phones\n", ":1: unknown columns: 'role'"),
        ("name,phones,phones\n", ":1: a column stands twice"),
        ("name,note\nZoë,x\n", ":1: name and phones or emails are needed"),
        ('name,phones\n"Zoë,020 7946 0018\n', ":2: not CSV: unexpected end of data"),
        ("name,phones\n" + "x" * 200_000 + ",1\n", ":2: not CSV: field larger than field limit"),
        (
            b"name,phones\nZo\xeb,020 7946 0018\n",
            ":2: neither UTF-8 nor GB18030",
        ),
        (b"PK\x03\x04\x00\x00", ":1: a NUL character: this is no text file"),
    ],
    ids=["empty", "unknown", "role", "twice", "no-contact", "open-quote", "huge", "latin-1", "xlsx"],
)
async def test_a_file_that_is_no_account_list_is_refused(imported, content: str | bytes, expected: str):
    (problem,) = await told(imported, content)

    assert problem.startswith(expected)


async def test_a_missing_file_is_told(database: Database, accounts: Accounts, tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        await import_accounts(database, accounts, tmp_path / "none.csv", dry_run=False, now=NOW + timedelta(0))


async def test_a_large_file_is_imported_in_one_go(accounts: Accounts, imported):
    content = "name,phones\n" + "".join(f"Customer {number},020 7946 {number:04d}\n" for number in range(1000))

    report = await imported(content)

    assert report.added == 1000
    assert (await accounts.by_phone("+442079460999"))[0].account.name == "Customer 999"
