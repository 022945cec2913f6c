"""The order in which a caller's candidates are proposed, and the reason each is given."""

from datetime import UTC, date, datetime, timedelta

import pytest

from cti_bridge.domain.account import AccountId, Candidate, ContactKind, ContactPoint, Found, MatchDetail, MatchReason
from cti_bridge.domain.identity import RECENT_ORDER_DAYS, Choice, Holder, Ranked, matching_point, rank
from tests.support.stores import an_account

NUMBER = "+442079460018"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def phone(label: str | None = None, extension: str | None = None) -> ContactPoint:
    return ContactPoint(kind=ContactKind.PHONE, value=NUMBER, as_given=NUMBER, label=label, extension=extension)


def block(value: str = "+442079460xxx") -> ContactPoint:
    return ContactPoint(kind=ContactKind.PHONE_RANGE, value=value, as_given=value)


TODAY = NOON.date()


def holder(
    name: str,
    point: ContactPoint | None = None,
    *,
    days_ago: int | None = None,
    ordered: int | None = None,
    entered: str | None = None,
) -> Holder:
    """In touch so many days ago, and with an order of so many days ago."""
    return Holder(
        account_id=AccountId(name),
        point=point or phone(),
        last_contact_at=None if days_ago is None else NOON - timedelta(days=days_ago),
        last_order_on=None if ordered is None else TODAY - timedelta(days=ordered),
        entered=entered,
    )


def without_number(name: str, *, entered: str | None = None) -> Holder:
    return Holder(account_id=AccountId(name), point=None, entered=entered)


def choice(name: str, *, attached: bool = False) -> Choice:
    return Choice(account_id=AccountId(name), chosen_by="1002", chosen_at=NOON, attached=attached)


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
        pytest.param(
            [holder("a", days_ago=1), holder("b", ordered=3), holder("c", ordered=30)],
            None,
            [("b", "recent_order"), ("c", "recent_order"), ("a", "recent_contact")],
            id="who ordered lately, the newest order first",
        ),
        pytest.param(
            [holder("a", ordered=31), holder("b", ordered=-2), holder("c")],
            None,
            [("a", "shared_number"), ("b", "shared_number"), ("c", "shared_number")],
            id="an order too long ago, and one of a day to come",
        ),
        pytest.param(
            [holder("a", phone("mobile"), days_ago=90), holder("b", ordered=1), holder("c", days_ago=2, ordered=5)],
            "c",
            [("c", "chosen_before"), ("a", "own_mobile"), ("b", "recent_order")],
            id="an order below a choice and the own mobile",
        ),
        pytest.param([holder("a", ordered=1)], None, [("a", "exact_number")], id="the only one, with an order"),
        pytest.param(
            [holder("a", phone("switchboard")), holder("b", phone(extension="12"), ordered=0), holder("c", block(), ordered=0)],
            None,
            [("b", "recent_order"), ("a", "switchboard"), ("c", "switchboard_prefix")],
            id="an order behind a switchboard, and in a block",
        ),
        pytest.param(
            [holder("a"), without_number("b", entered="4711")],
            "a",
            [("b", "customer_number_entered"), ("a", "exact_number")],
            id="what was typed before what the number says",
        ),
        pytest.param(
            [holder("a", entered="4711"), holder("b", phone("mobile"))],
            "b",
            [("a", "customer_number_entered"), ("b", "chosen_before")],
            id="what was typed before what was learnt",
        ),
        pytest.param([without_number("a")], None, [], id="no reason at all"),
        pytest.param([without_number("a")], "a", [], id="a choice of one that gave the number up"),
    ],
)
def test_the_likeliest_comes_first_with_its_reason(holders: list[Holder], chosen: str | None, expected: list[tuple[str, str]]):
    assert said(rank(holders, choice(chosen) if chosen else None, today=TODAY)) == expected


def test_an_account_without_the_number_is_proposed_by_the_choice_alone():
    found = rank([holder("a"), without_number("b")], choice("b", attached=True), today=TODAY)

    assert said(found) == [("b", "chosen_before"), ("a", "exact_number")]
    assert found[0].detail == MatchDetail(shared_by=0, chosen_by="1002", chosen_at=NOON)


def test_the_detail_says_what_was_typed_and_when_it_was_ordered():
    found = rank([holder("a", entered="4711", ordered=1), holder("b", ordered=RECENT_ORDER_DAYS)], None, today=TODAY)

    assert [one.detail for one in found] == [
        MatchDetail(shared_by=2, entered="4711"),
        MatchDetail(shared_by=2, last_order_on=date(2026, 10, 23)),
    ]


def test_the_detail_says_what_matched_and_who_chose():
    found = rank(
        [holder("a", phone("sales", "12"), days_ago=3), holder("b", block()), holder("c", phone("home"))],
        choice("c"),
        today=TODAY,
    )

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

    assert matching_point([*others, *points], NUMBER) == expected


def test_an_account_without_the_number_matches_by_nothing():
    assert matching_point([block("+441214960xxx")], NUMBER) is None


def candidate(reason: str, *, shared_by: int = 1, block: str | None = None) -> Candidate:
    return Candidate(account=an_account(), reason=MatchReason(reason), detail=MatchDetail(shared_by=shared_by, range=block))


@pytest.mark.parametrize(
    ("candidates", "is_clear"),
    [
        ([candidate("exact_number")], True),
        ([candidate("switchboard_prefix", shared_by=0, block="+441214960xxx")], True),
        ([candidate("exact_number"), candidate("switchboard_prefix", shared_by=0, block="+441214960xxx")], True),
        ([candidate("chosen_before", shared_by=2), candidate("shared_number", shared_by=2)], False),
        ([candidate("recent_order", shared_by=2), candidate("shared_number", shared_by=2)], False),
        ([candidate("chosen_before", shared_by=0)], False),
        ([candidate("customer_number_entered", shared_by=0)], True),
        ([candidate("customer_number_entered", shared_by=0), candidate("exact_number")], False),
        ([candidate("customer_number_entered", shared_by=0), candidate("chosen_before", shared_by=0)], False),
        ([candidate("customer_number_entered", shared_by=2), candidate("shared_number", shared_by=2)], True),
        ([candidate("customer_number_entered", shared_by=2), candidate("chosen_before", shared_by=2)], True),
        ([candidate("customer_number_entered", shared_by=0, block="+441214960xxx"), candidate("exact_number")], True),
        ([candidate("customer_number_entered", shared_by=0), candidate("customer_number_entered", shared_by=0)], False),
        ([], False),
    ],
    ids=[
        "the only one with the number", "a company's block", "a person and the company", "a learnt choice of two",
        "a recent order of two", "a choice of one without the number", "typed, the number says nothing",
        "typed, the number is another's", "typed, another was chosen", "typed, and one of a household",
        "typed against a choice in a household", "typed, and in the company's block", "a customer number of two", "nobody",
    ],
)  # fmt: skip
def test_what_pops_at_once(candidates: list[Candidate], is_clear: bool):
    assert Found(candidates=tuple(candidates)).clear == (candidates[0] if is_clear else None)
