"""vCards as telephones and mail programs write them, and bad ones."""

from datetime import date
from pathlib import Path

import pytest

from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.errors import ConfigError
from cti_bridge.domain.profile import KeyDate
from storage.accounts import Accounts
from storage.database import Database
from storage.import_accounts import ImportReport, import_accounts
from tests.support.store import NOW


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def imported(database: Database, accounts: Accounts, tmp_path: Path):
    async def run(content: str, name: str = "cards.vcf") -> ImportReport:
        path = tmp_path / name
        path.write_bytes(content.encode())
        return await import_accounts(database, accounts, path, dry_run=False, now=NOW)

    return run


async def everybody(accounts: Accounts):
    return (await accounts.search(phone=None, email=None, q=None, cursor=None, limit=50)).items


@pytest.fixture
def told(imported, accounts: Accounts):
    async def run(content: str) -> list[str]:
        """The problems, and nothing was stored."""
        with pytest.raises(ConfigError) as caught:
            await imported(content)
        assert await everybody(accounts) == ()
        return [str(problem).rpartition("cards.vcf")[2] for problem in caught.value.problems]

    return run


CARD = """BEGIN:VCARD
VERSION:4.0
FN:Zoë
 \x20Quinn
ORG:Quinn\\, Sons;Sales
TEL;VALUE=uri;TYPE="work,voice":tel:+44-20-7946-0018;ext=12
item1.TEL;TYPE=CELL,pref:07400 123456
TEL;TYPE=home;TYPE=fax:020 7946 0019
EMAIL;TYPE=internet:Zoe@Example.org
NOTE:likes\\ntea
BDAY;VALUE=date:19800412
PHOTO;ENCODING=b;TYPE=JPEG:AAAA
END:VCARD
"""


@pytest.mark.parametrize("version", ["3.0", "4.0"])
async def test_a_card_becomes_an_account(accounts: Accounts, imported, version: str):
    report = await imported(CARD.replace("4.0", version).replace("\n", "\r\n"), "cards.VCF")

    (account,) = await everybody(accounts)
    assert report == ImportReport(rows=1, added=1, known=0, dry_run=False)
    assert (account.name, account.company, account.note) == ("Zoë Quinn", "Quinn, Sons", "likes\ntea")
    assert [(p.kind, p.value, p.extension, p.label) for p in account.contact_points] == [
        (ContactKind.PHONE, "+442079460018", "12", "work"),
        (ContactKind.PHONE, "+447400123456", None, "cell"),
        (ContactKind.FAX, "+442079460019", None, "home"),
        (ContactKind.EMAIL, "zoe@example.org", None, None),
    ]
    assert account.profile.dates == (KeyDate(name="birthday", on=date(1980, 4, 12)),)
    assert (await imported(CARD)).known == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("VERSION:4.0", "VERSION:2.1"), "a card of version '2.1': 3.0 and 4.0 are read"),
        (("VERSION:4.0\n", ""), "a card of version '': 3.0 and 4.0 are read"),
        (("NOTE:", "NOTE"), "this card cannot be read: "),
        (("NOTE:", "NOTE;ENCODING=QUOTED-PRINTABLE:=E4"), "this card cannot be read: "),
        (("PHOTO;ENCODING=b;TYPE=JPEG:AAAA", "PHOTO;ENCODING=b:A"), "this card cannot be read: "),
        (("BDAY;VALUE=date:19800412", "BDAY:--0412"), "birthday '--0412' is no date as 1980-04-12"),
        (("FN:Zoë\n \x20Quinn", "FN:"), "name is empty"),
        (("07400 123456", "call me"), "'call me' is no phone number"),
    ],
)
async def test_a_bad_card_is_told_with_its_line(told, change: tuple[str, str], expected: str):
    bad = CARD.replace(*change)
    assert bad != CARD

    (problem,) = await told(CARD + "\n" + bad + CARD)

    assert problem.startswith(f":15: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name,phones\n", ":1: no vCard: BEGIN:VCARD is missing"),
        (CARD + "FN:x\n", ":14: no vCard: BEGIN:VCARD is missing"),
        (CARD + "BEGIN:VCARD\n" + CARD, ":14: this card has no END:VCARD"),
        (CARD + CARD[:60], ":14: this card has no END:VCARD"),
        ("BEGIN:VCARD\n" + "NOTE:" + "x\n" * 600_000, ":1: this card is longer than 1000000 characters"),
    ],
    ids=["csv", "between", "nested", "cut", "endless"],
)
async def test_a_file_of_broken_cards(told, content: str, expected: str):
    assert await told(content) == [expected]
