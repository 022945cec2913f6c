"""The order in which a caller's candidates are proposed, and the reason each is given."""

from datetime import UTC, datetime, timedelta

import pytest

from cti_bridge.domain.account import AccountId, ContactKind, ContactPoint, MatchDetail
from cti_bridge.domain.identity import Choice, Holder, Ranked, holder_of, rank

NUMBER = "+442079460018"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def phone(label: str | None = None, extension: str | None = None) -> ContactPoint:
    return ContactPoint(kind=ContactKind.PHONE, value=NUMBER, as_given=NUMBER, label=label, extension=extension)


def block(value: str = "+442079460xxx") -> ContactPoint:
    return ContactPoint(kind=ContactKind.PHONE_RANGE, value=value, as_given=value)


def holder(name: str, point: ContactPoint | None = None, *, days_ago: int | None = None) -> Holder:
    last = None if days_ago is None else NOON - timedelta(days=days_ago)
    return Holder(account_id=AccountId(name), point=point or phone(), last_contact_at=last)


def choice(name: str) -> Choice:
    return Choice(account_id=AccountId(name), chosen_by="1002", chosen_at=NOON)


def said(ranked: tuple[Ranked, ...]) -> list[tuple[str, str]]:
    return [(one.account_id, one.reason.value) for one in ranked]


@pytest.mark.parametrize(
    ("holders", "chosen", "expected"),
    [
        pytest.param([holder("a")], None, [("a", "exact_number")], id="the only one"),
        pytest.param([holder("a", phone("总机"))], None, [("a", "switchboard")], id="the only one, a main number"),
        pytest.param([holder("a", block())], None, [("a", "switchboard_prefix")], id="only a block"),
        pytest.param(
            [holder("b"), holder("a")], None, [("a", "shared_number"), ("b", "shared_number")], id="a household nobody asked for"
        ),
        pytest.param(
            [holder("a", phone("Home")), holder("b", phone("Ｍobile"))],
            None,
            [("b", "own_mobile"), ("a", "shared_number")],
            id="one's mobile",
        ),
        pytest.param(
            [holder("a", phone("mobile")), holder("b", phone("手机"))],
            None,
            [("a", "shared_number"), ("b", "shared_number")],
            id="a mobile of two",
        ),
        pytest.param(
            [holder("a", days_ago=9), holder("b", days_ago=1), holder("c")],
            None,
            [("b", "recent_contact"), ("a", "shared_number"), ("c", "shared_number")],
            id="the one in touch last",
        ),
        pytest.param(
            [holder("a", days_ago=1), holder("b", days_ago=1)],
            None,
            [("a", "shared_number"), ("b", "shared_number")],
            id="two in touch at once",
        ),
        pytest.param(
            [holder("a", days_ago=1), holder("b", phone("mobile")), holder("c", days_ago=5)],
            "c",
            [("c", "chosen_before"), ("b", "own_mobile"), ("a", "recent_contact")],
            id="the choice before all else",
        ),
        pytest.param(
            [holder("a", phone(extension="12")), holder("b", phone("switchboard")), holder("c", block())],
            None,
            [("a", "switchboard"), ("b", "switchboard"), ("c", "switchboard_prefix")],
            id="a switchboard",
        ),
        pytest.param([holder("a", block()), holder("b")], None, [("b", "exact_number"), ("a", "switchboard_prefix")], id="in it"),
        pytest.param(
            [holder("a", block()), holder("b")],
            "a",
            [("a", "chosen_before"), ("b", "exact_number")],
            id="the company was chosen over the person",
        ),
        pytest.param(
            [holder("a", block()), holder("b")],
            "b",
            [("b", "exact_number"), ("a", "switchboard_prefix")],
            id="a choice of the only one says nothing new",
        ),
        pytest.param(
            [holder("a"), holder("b")], "gone", [("a", "shared_number"), ("b", "shared_number")], id="a choice that is gone"
        ),
        pytest.param([], "gone", [], id="nobody"),
    ],
)
def test_the_likeliest_comes_first_with_its_reason(holders: list[Holder], chosen: str | None, expected: list[tuple[str, str]]):
    assert said(rank(holders, choice(chosen) if chosen else None)) == expected


def test_the_detail_says_what_matched_and_who_chose():
    found = rank([holder("a", phone("sales", "12"), days_ago=3), holder("b", block()), holder("c", phone("home"))], choice("c"))

    assert [one.detail for one in found] == [
        MatchDetail(label="home", shared_by=2, chosen_by="1002", chosen_at=NOON),
        MatchDetail(label="sales", extension="12", shared_by=2, last_contact_at=NOON - timedelta(days=3)),
        MatchDetail(range="+442079460xxx", shared_by=0),
    ]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([block(), phone()], phone()),
        ([phone(extension="12"), phone("mobile")], phone("mobile")),
        ([block("+44207946xxxx"), block("+4420794600xx")], block("+4420794600xx")),
        ([phone(extension="13"), phone(extension="12")], phone(extension="12")),
    ],
    ids=["number before block", "own mobile before extension", "small block first", "extensions in order"],
)
def test_an_account_matches_by_the_contact_point_that_says_most(points: list[ContactPoint], expected: ContactPoint):
    others = [
        ContactPoint(kind=ContactKind.FAX, value=NUMBER, as_given=NUMBER, label="mobile"),
        block("+4420794600xxx"),
        block("+441214960xxx"),
    ]

    assert holder_of(AccountId("a"), [*others, *points], e164=NUMBER).point == expected


def test_an_account_without_the_number_is_no_holder():
    with pytest.raises(ValueError, match="empty"):
        holder_of(AccountId("a"), [block("+441214960xxx")], e164=NUMBER)
