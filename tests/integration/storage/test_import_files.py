"""Customer lists as other programs write them: encodings, delimiters, headings, keys, vCards and files that mean harm."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cti_bridge.domain.account import Account, ContactKind, Tier
from cti_bridge.domain.errors import ConfigError
from cti_bridge.domain.profile import CustomerKind, KeyDate, Stage
from cti_bridge.domain.tiers import TierRule, TierRules
from storage.accounts import Accounts
from storage.database import Database
from storage.export import export_accounts
from storage.import_accounts import ImportOptions, ImportReport, import_accounts
from storage.import_table import mapping_of
from storage.import_text import MAX_LINE
from storage.profiles import Profiles
from tests.support.store import NOW, an_account

RULES = TierRules(rules=(TierRule(tier=Tier.GOLD, revenue_at_least=50_000.0),))
KEYED = ImportOptions(key=ContactKind.CUSTOMER_NUMBER)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def imported(database: Database, accounts: Accounts, tmp_path: Path):
    async def run(
        content: str | bytes, options: ImportOptions | None = None, *, name: str = "list.csv", **more: Any
    ) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return await import_accounts(database, accounts, path, **{"dry_run": False, "now": NOW, **more}, options=options)

    return run


@pytest.fixture
def told(imported, accounts: Accounts):
    async def run(content: str | bytes, options: ImportOptions | None = None, *, name: str = "list.csv") -> list[str]:
        """The problems, and nothing was stored."""
        before = await everybody(accounts)
        with pytest.raises(ConfigError) as caught:
            await imported(content, options, name=name)
        assert await everybody(accounts) == before
        return [str(problem).rpartition(name)[2] for problem in caught.value.problems]

    return run


async def everybody(accounts: Accounts) -> list[Account]:
    return list((await accounts.search(phone=None, email=None, q=None, cursor=None, limit=50)).items)


async def the_one(accounts: Accounts) -> Account:
    (account,) = await everybody(accounts)
    return account


def mapped(*pairs: str) -> ImportOptions:
    return ImportOptions(columns=mapping_of(pairs))


# --- encodings, delimiters, headings


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("gb18030", "GB18030"),
        ("gb2312", "GB18030"),
    ],
)
async def test_the_encoding_is_found_and_told(accounts: Accounts, imported, codec: str, name: str):
    report = await imported("name,phones\r\n李雷,020 7946 0018\r\n".encode(codec))

    assert report.encoding == name
    assert (await the_one(accounts)).name == "李雷"


async def test_utf16_of_the_other_byte_order(accounts: Accounts, imported):
    await imported(b"\xfe\xff" + "name,phones\n李雷,020 7946 0018\n".encode("utf-16-be"))

    assert (await the_one(accounts)).name == "李雷"


async def test_an_encoding_can_be_named(accounts: Accounts, imported):
    report = await imported("name,phones\nMüller,020 7946 0018\n".encode("cp1252"), ImportOptions(encoding="cp1252"))

    assert report.encoding == "cp1252"
    assert (await the_one(accounts)).name == "Müller"


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        ("name,phones\nMüller,020 7946 0018\n".encode("cp1252"), None, ":2: neither UTF-8 nor GB18030"),
        ("name,phones\n李雷,1\n韩梅,2\n".encode() + b"\xd6\xd0,3\n", None, ":4: not UTF-8, though the lines before are"),
        (b"\xff\xfe" + "name,phones\n".encode("utf-16-le") + b"\x00\xd8A\x00", None, ":1: from about here on not utf-16"),
        (b"name,phones\n\xff,1\n", "utf-8", ":1: from about here on not utf-8"),
        (b"name,phones\n", "klingon", "--encoding: 'klingon' is no encoding"),
        (b"name,phones\n", "hex", "--encoding: 'hex' is no encoding"),
    ],
    ids=["western", "broken", "half-a-character", "not-as-named", "unknown", "no-text"],
)
async def test_what_cannot_be_read_rightly_is_refused(told, content: bytes, encoding: str | None, expected: str):
    (problem,) = await told(content, ImportOptions(encoding=encoding))

    assert problem.startswith(expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_the_delimiter_is_found(accounts: Accounts, imported, delimiter: str):
    rows = (("name", "phones", "note"), ('"Quinn; Zoë, Ltd"', '"020 7946 0018;020 7946 0019"', "x"))

    await imported("".join(delimiter.join(row) + "\n" for row in rows))

    account = await the_one(accounts)
    assert (account.name, account.note, len(account.contact_points)) == ("Quinn; Zoë, Ltd", "x", 2)


async def test_columns_of_another_program_are_mapped(accounts: Accounts, imported):
    content = "客户名称,手机,座机,传真,客户编号,生日,地区\n李雷,07400 123456,020 7946 0018,020 7946 0019,K-7,1980-04-12,北京\n"
    pairs = ("name=客户名称", "phones=手机", "phones=座机", "faxes=传真", "customer_numbers = 客户编号", "birthday=生日")

    report = await imported(content, mapped(*pairs))

    account = await the_one(accounts)
    assert report.passed_over == ("地区",)
    assert [(point.kind, point.value) for point in account.contact_points] == [
        (ContactKind.PHONE, "+447400123456"),
        (ContactKind.PHONE, "+442079460018"),
        (ContactKind.FAX, "+442079460019"),
        (ContactKind.CUSTOMER_NUMBER, "k-7"),
    ]
    assert account.profile.dates == (KeyDate(name="birthday", on=date(1980, 4, 12)),)


async def test_a_mapping_to_a_column_that_is_not_there(told):
    (problem,) = await told("name,phones\n", mapped("company=公司"))

    assert problem.startswith(":1: there is no column '公司'; there are: 'name', 'phones'")


@pytest.mark.parametrize("option", ["name", "name=", "=x", "colour=x"])
def test_a_mapping_that_says_nothing(option: str):
    with pytest.raises(ValueError, match="--column"):
        mapping_of([option])


def test_a_mapping_that_says_two_things():
    for pairs in (("name=a", "name=b"), ("name=a", "company=a")):
        with pytest.raises(ValueError, match="stands twice"):
            mapping_of(pairs)


# --- the customer's file, tiers, round trip


PROFILE = "name,phones,kind,stage,revenue,profit,days_to_pay,preferences,taboos,tier,last_order_on\n"


async def test_the_file_of_a_customer_comes_in_and_rules_make_the_tier(database: Database, accounts: Accounts, imported):
    await imported(
        PROFILE + "Zoë,020 7946 0018,External,user,60000,-1.5,30,tea,no mail,lead,2026-11-20\n", ImportOptions(rules=RULES)
    )

    account = await the_one(accounts)
    profile = account.profile
    assert (profile.kind, profile.stage, profile.preferences, profile.taboos) == (
        CustomerKind.EXTERNAL,
        Stage.USER,
        "tea",
        "no mail",
    )
    assert (profile.revenue, profile.profit, profile.days_to_pay) == (60000.0, -1.5, 30.0)
    assert profile.last_order_on == date(2026, 11, 20)
    assert (account.tier, account.tier_reason) == (Tier.GOLD, "revenue 60000 (reaches 50000)")
    (change,) = await Profiles(database, accounts, rules=RULES, fields={}).tiers(account.account_id)
    assert (change.before, change.after, change.by) == (None, Tier.GOLD, None)


async def test_an_export_comes_in_again_as_it_was(database: Database, accounts: Accounts, imported, tmp_path: Path):
    points = [
        (ContactKind.PHONE, "020 7946 0018 ext. 12", None),
        (ContactKind.EMAIL, "lei@example.org", None),
        (ContactKind.FAX, "020 7946 0019", None),
        (ContactKind.CUSTOMER_NUMBER, "-K 7", None),
    ]
    first = await an_account(accounts, name="=李 雷", company="Quinn, Sons", note="a\nb", contact_points=points)
    figures = {"kind": "internal", "stage": "loyal", "revenue": 48_000.0, "days_to_pay": 0.0, "preferences": "-tea"}
    figures["last_order_on"] = date(2026, 11, 20)
    profiles = Profiles(database, accounts, rules=RULES, fields={})
    await profiles.change(first.account_id, figures, now=NOW)
    await profiles.set_tier(first.account_id, Tier.GOLD, by="root", now=NOW + timedelta(hours=1))
    before = await the_one(accounts)
    await export_accounts(database, accounts, tmp_path / "out.csv")
    content = (tmp_path / "out.csv").read_bytes()

    again = await imported(content, ImportOptions(key=ContactKind.CUSTOMER_NUMBER, rules=RULES), now=LATER)

    assert (again.rows, again.added, again.updated, again.known) == (1, 0, 0, 1)
    assert await the_one(accounts) == before

    other = Database(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    try:
        await other.migrate()
        readers = Accounts(other, region="GB")
        options = ImportOptions(rules=RULES)
        await import_accounts(other, readers, tmp_path / "list.csv", dry_run=False, now=NOW, options=options)
        copy = await the_one(readers)
    finally:
        await other.close()
    assert (copy.name, copy.company, copy.note, copy.profile) == (before.name, before.company, before.note, before.profile)
    assert [(p.kind, p.value, p.extension) for p in copy.contact_points] == [
        (p.kind, p.value, p.extension) for p in before.contact_points
    ]
    assert (copy.tier, copy.tier_reason) == (Tier.GOLD, "revenue 48000 (still near 50000)")


# --- updates by key


async def test_a_known_key_updates_and_an_empty_cell_changes_nothing(database: Database, accounts: Accounts, imported):
    head = "customer_numbers,name,company,phones,tier,revenue,birthday\n"
    await imported(head + "K-7,Zoë,Acme,020 7946 0018,iron,1,1980-04-12\n", KEYED)
    before = await the_one(accounts)

    report = await imported(head + "k-7,Zoë Quinn,,020 7946 0019,gold,2,\nK-8,Lei,,020 7946 0111,,,\n", KEYED, now=LATER)

    after = await accounts.by_id(before.account_id)
    assert after is not None
    assert (report.added, report.updated, report.known) == (1, 1, 0)
    assert (after.name, after.company, after.profile.revenue, after.updated_at) == ("Zoë Quinn", "Acme", 2.0, LATER)
    assert (after.tier, after.tier_reason, after.profile.dates) == (Tier.GOLD, "set by import", before.profile.dates)
    assert [p.value for p in after.contact_points] == ["+442079460018", "k-7", "+442079460019"]
    found = await accounts.search(phone=None, email=None, q="zoë quinn", cursor=None, limit=5)
    assert [one.account_id for one in found.items] == [before.account_id]
    changes = await Profiles(database, accounts, rules=RULES, fields={}).tiers(before.account_id)
    assert [(one.before, one.after, one.by) for one in changes] == [
        (Tier.IRON, Tier.GOLD, "import"),
        (None, Tier.IRON, "import"),
    ]


async def test_a_second_run_by_key_changes_nothing(accounts: Accounts, imported):
    content = "customer_numbers,name,phones,revenue\n" + "".join(f"K{n},C {n},020 7946 {n:04d},{n}\n" for n in range(700))
    assert (await imported(content, KEYED)).added == 700

    again = await imported(content, KEYED, now=LATER)

    assert (again.added, again.updated, again.known) == (0, 0, 700)


async def test_a_tier_that_a_person_set_stays_while_the_figures_are_the_same(database: Database, accounts: Accounts, imported):
    content = "customer_numbers,name,company,revenue\nK-7,Zoë,{},60000\n"
    options = ImportOptions(key=ContactKind.CUSTOMER_NUMBER, rules=RULES)
    await imported(content.format("A"), options)
    account = await the_one(accounts)
    profiles = Profiles(database, accounts, rules=RULES, fields={})
    await profiles.set_tier(account.account_id, Tier.IRON, by="root", now=NOW + timedelta(hours=1))

    await imported(content.format("B"), options, now=LATER)
    unchanged = await the_one(accounts)
    await imported(content.format("B").replace("60000", "70000"), options, now=LATER + timedelta(days=1))

    assert (unchanged.company, unchanged.tier, unchanged.tier_reason) == ("B", Tier.IRON, "set by root")
    assert (await the_one(accounts)).tier is Tier.GOLD


async def test_a_dry_run_by_key_tells_and_stores_nothing(accounts: Accounts, imported):
    await imported("customer_numbers,name\nK-7,Zoë\n", KEYED)
    before = await everybody(accounts)

    report = await imported("customer_numbers,name\nK-7,Yan\nK-8,Lei\n", KEYED, dry_run=True)

    assert (report.added, report.updated) == (1, 1)
    assert await everybody(accounts) == before


async def test_keys_that_are_none_are_told_with_their_lines(accounts: Accounts, imported, told):
    await imported("customer_numbers,name,phones\nA1;A2,Zoë,020 7946 0018\nB,Yan,020 7946 0018\n")
    rows = "A1,Zoë,\nA1,Yan,\n,Lei,020 7946 0111\nC;D,Li,\n"

    assert await told("customer_numbers,name,phones\n" + rows, KEYED) == [
        ":3: customer_number 'a1' is the key of line 2 already",
        ":4: a row has one customer_number, its key; this one has none",
        ":5: a row has one customer_number, its key; this one has 2",
    ]
    assert await told("customer_numbers,name\nA1,Zoë\nE,New\nA2,Zoë\n", KEYED) == [":4: this is the account of line 2"]
    by_phone = ImportOptions(key=ContactKind.PHONE)
    assert await told("name,phones\nZoë,020 7946 0018\n", by_phone) == [":2: 2 accounts have '+442079460018': it is no key"]


# --- files that mean harm


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PROFILE + "Zoë,020 7946 0018,alien,,,,,,,\n", ":2: kind 'alien' is none of internal, external"),
        (PROFILE + 'Zoë,020 7946 0018,,,"1,234.50",,,,,\n', ":2: revenue '1,234.50' is no figure"),
        (PROFILE + "Zoë,020 7946 0018,,,nan,,,,,\n", ":2: revenue is no usable figure"),
        (PROFILE + "Zoë,020 7946 0018,,,,,-3,,,\n", ":2: days_to_pay cannot be negative"),
        (PROFILE + "Zoë,020 7946 0018,,,,,,,,,20/11/26\n", ":2: last_order_on '20/11/26' is no date as 1980-04-12"),
        (PROFILE + "Zoë,020 7946 0018,,,,," + "9" * 5000 + ",,,\n", ":2: days_to_pay is no usable figure"),
        ("name,phones,birthday\nZoë,020 7946 0018,31.12.1980\n", ":2: birthday '31.12.1980' is no date as 1980-04-12"),
        ("name,phones,birthday\nZoë,020 7946 0018,1980-02-30\n", ":2: birthday '1980-02-30' is no date as 1980-04-12"),
        ("name,phones\nZ\0ë,020 7946 0018\n", ":2: a NUL character: this is no text file"),
        ("name,phones\nA,020 7946 0018\n" + "x" * 10_000_000 + ",1\n", f":3: longer than {MAX_LINE} characters"),
        ('name,phones\n"' + "x\n" * 200_000, "not CSV: field larger than field limit (131072)"),
        ('name,phones\n"Zoë"x,020 7946 0018\n', ":2: not CSV: "),
        ("name,phones\n" + "Zoë," + "1;" * 60_000 + "\n", ":2: '1' is no phone number"),
    ],
    ids=[
        "kind",
        "thousands",
        "nan",
        "negative",
        "order",
        "endless",
        "day",
        "no-such-day",
        "nul",
        "10MB",
        "open-quote",
        "quote",
        "phones",
    ],
)
async def test_a_bad_value_is_told_with_its_line(told, content: str, expected: str):
    (problem,) = await told(content)

    assert expected in problem


async def test_progress_is_told_now_and_then(imported, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.import_accounts.TOLD_EVERY", 2)
    heard: list[tuple[str, int]] = []
    content = "name,emails\n" + "".join(f"C{n},c{n}@example.org\n" for n in range(5))

    await imported(content, ImportOptions(progress=lambda done, rows: heard.append((done, rows))))

    assert heard == [("checked", 2), ("checked", 4), ("stored", 5)]
