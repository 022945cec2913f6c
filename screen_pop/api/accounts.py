"""`/accounts`: look up, create, change, and the timeline of every contact."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field, Strict, field_validator, model_validator

from cti_bridge.domain.account import Account, AccountId, ContactKind, Tier
from cti_bridge.domain.profile import AlertKind, ChainPlace, CustomerKind, Stage
from cti_bridge.domain.tiers import tier_change_document
from screen_pop.api.answers import AccountAnswer, InteractionAnswer, TierChangeAnswer
from screen_pop.api.fields import Fields, Line, Note, PageQuery, Word, record_id
from screen_pop.api.problems import Mistake, not_found, wrong_fields
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer
from screen_pop.masking import is_masked


class AccountQuery(PageQuery):
    """By phone in any form, by e-mail, or by part of the name."""

    phone: Line | None = None
    email: Line | None = None
    q: Line | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> "AccountQuery":
        if self.phone is None and self.email is None and self.q is None:
            raise ValueError("give at least one of phone, email and q")
        return self


class ContactPointFields(Fields):
    kind: ContactKind
    value: Line
    label: Line | None = None


class KeyDateFields(Fields):
    name: Line
    on: Annotated[date, Strict(strict=False)]


class AlertFields(Fields):
    kind: AlertKind
    text: Line | None = None
    until: Annotated[date | None, Strict(strict=False)] = None


class ProfileFields(Fields):
    """The customer's file: only what is named is set, a null clears; lists are replaced whole, `custom` field by field."""

    kind: CustomerKind | None = None
    chain_place: ChainPlace | None = None
    stage: Stage | None = None
    revenue: float | None = None
    profit: float | None = None
    days_to_pay: float | None = None
    last_order_on: Annotated[date | None, Strict(strict=False)] = None
    preferred_agent: Word | None = None
    preferences: Note | None = None
    taboos: Note | None = None
    dates: Annotated[tuple[KeyDateFields, ...], Field(max_length=50)] | None = None
    alerts: Annotated[tuple[AlertFields, ...], Field(max_length=50)] | None = None
    custom: dict[Word, str | float | bool | None] | None = None


class NewAccountFields(Fields):
    name: Line
    company: Line | None = None
    tier: Tier | None = None
    language: Word | None = None
    note: Note | None = None
    contact_points: Annotated[tuple[ContactPointFields, ...], Field(max_length=50)] = ()
    profile: ProfileFields | None = None


class AccountFields(Fields):
    """Only the fields named are set; a null clears; `contact_points` replaces them all."""

    name: Line | None = None
    company: Line | None = None
    tier: Tier | None = None
    language: Word | None = None
    note: Note | None = None
    contact_points: Annotated[tuple[ContactPointFields, ...] | None, Field(max_length=50)] = None
    profile: ProfileFields | None = None

    @field_validator("name")
    @classmethod
    def _keeps_a_name(cls, name: str | None) -> str:
        if name is None:
            raise ValueError("an account keeps a name")
        return name

    @model_validator(mode="after")
    def _something(self) -> "AccountFields":
        if not self.model_fields_set:
            raise ValueError("give at least one field")
        return self


async def search(asked: Asked, query: AccountQuery) -> Answer:
    try:
        page = await asked.services.accounts.search(
            phone=query.phone,
            email=query.email,
            q=query.q,
            cursor=query.cursor,
            limit=query.limit,
            by_part=not asked.view.is_masked,
        )
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, asked.view.account)


async def create(asked: Asked, fields: NewAccountFields) -> Answer:
    accounts = asked.services.accounts
    account = await accounts.create(
        name=fields.name,
        company=fields.company,
        tier=fields.tier,
        language=fields.language,
        note=fields.note,
        contact_points=_contact_points(asked, fields.contact_points),
        now=asked.services.now(),
    )
    if fields.profile is not None:
        account = await _with_profile(asked, account.account_id, fields.profile) or account
    document = asked.view.account(account)
    return Answer(document=document, status=201, headers={"Location": f"{PREFIX}/accounts/{account.account_id}"})


async def show(asked: Asked, _: Fields) -> Answer:
    account = await asked.services.accounts.by_id(account_id_of(asked))
    if account is None:
        raise not_found("account")
    return Answer(document=asked.view.account(account))


async def change(asked: Asked, fields: AccountFields) -> Answer:
    accounts = asked.services.accounts
    account_id, now = account_id_of(asked), asked.services.now()
    own = fields.model_fields_set - {"contact_points", "profile", "tier"}
    changes: dict[str, Any] = {name: getattr(fields, name) for name in own}
    contact_points = None if fields.contact_points is None else _contact_points(asked, fields.contact_points)
    account = await accounts.change(account_id, changes=changes, contact_points=contact_points, now=now)
    if account is None:
        raise not_found("account")
    if fields.profile is not None:
        account = await _with_profile(asked, account_id, fields.profile) or account
    if "tier" in fields.model_fields_set:
        await asked.services.profiles.set_tier(account_id, fields.tier, by=asked.user.username, now=now)
        account = await accounts.by_id(account_id) or account
    return Answer(document=asked.view.account(account))


async def tiers(asked: Asked, _: Fields) -> Answer:
    account_id = account_id_of(asked)
    if await asked.services.accounts.by_id(account_id) is None:
        raise not_found("account")
    changes = await asked.services.profiles.tiers(account_id)
    return Answer(document={"items": [tier_change_document(one) for one in changes], "next": None})


async def _with_profile(asked: Asked, account_id: AccountId, fields: ProfileFields) -> Account | None:
    changes = {name: getattr(fields, name) for name in fields.model_fields_set}
    try:
        return await asked.services.profiles.change(account_id, changes, now=asked.services.now())
    except ValueError as error:
        raise wrong_fields(Mistake(at="profile", message=str(error))) from error


async def timeline(asked: Asked, query: PageQuery) -> Answer:
    account_id = account_id_of(asked)
    if await asked.services.accounts.by_id(account_id) is None:
        raise not_found("account")
    try:
        page = await asked.services.interactions.timeline(account_id, cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, asked.view.interaction)


def wrong_cursor() -> Exception:
    return wrong_fields(Mistake(at="cursor", message="not a cursor that this list gave"))


def account_id_of(asked: Asked) -> AccountId:
    """The account of the path; what is no id at all is not found."""
    return AccountId(record_id(asked.path["account_id"], "account"))


def _contact_points(asked: Asked, fields: tuple[ContactPointFields, ...]) -> list[tuple[ContactKind, str, str | None]]:
    """Reads each contact point as the store will, so that a mistake is told with its place."""
    mistakes = []
    for place, point in enumerate(fields):
        if asked.view.is_masked and is_masked(point.value):
            mistakes.append(Mistake(at=f"contact_points.{place}.value", message="is masked: reveal the account first"))
            continue
        try:
            asked.services.accounts.read_contact_point(point.kind, point.value, point.label)
        except ValueError as error:
            mistakes.append(Mistake(at=f"contact_points.{place}.value", message=str(error)))
    if mistakes:
        raise wrong_fields(*mistakes)
    return [(point.kind, point.value, point.label) for point in fields]


_ONE = f"{PREFIX}/accounts/{{account_id}}"
ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/accounts",
        summary="Look up accounts",
        roles=SIGNED_IN,
        handle=search,
        fields=AccountQuery,
        answer=AccountAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/accounts",
        summary="Create an account",
        roles=SIGNED_IN,
        handle=create,
        fields=NewAccountFields,
        answer=AccountAnswer,
        status=201,
    ),
    Route(method="GET", path=_ONE, summary="One account", roles=SIGNED_IN, handle=show, answer=AccountAnswer),
    Route(
        method="PATCH",
        path=_ONE,
        summary="Change an account",
        roles=SIGNED_IN,
        handle=change,
        fields=AccountFields,
        answer=AccountAnswer,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/tiers",
        summary="How the tier came about, newest first",
        roles=SIGNED_IN,
        handle=tiers,
        answer=TierChangeAnswer,
        is_list=True,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/timeline",
        summary="Every contact of an account, newest first",
        roles=SIGNED_IN,
        handle=timeline,
        fields=PageQuery,
        answer=InteractionAnswer,
        is_list=True,
    ),
)
