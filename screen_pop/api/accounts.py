"""`/accounts`: look up, create, change, and the timeline of every contact."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from cti_bridge.domain.account import AccountId, ContactKind, Tier, account_document
from cti_bridge.domain.interaction import interaction_document
from screen_pop.api.answers import AccountAnswer, InteractionAnswer
from screen_pop.api.fields import Fields, Line, Note, PageQuery, Word, record_id
from screen_pop.api.problems import Mistake, not_found, wrong_fields
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer
from screen_pop.ports import Accounts


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


class NewAccountFields(Fields):
    name: Line
    company: Line | None = None
    tier: Tier | None = None
    language: Word | None = None
    note: Note | None = None
    contact_points: Annotated[tuple[ContactPointFields, ...], Field(max_length=50)] = ()


class AccountFields(Fields):
    """Only the fields named are set; a null clears; `contact_points` replaces them all."""

    name: Line | None = None
    company: Line | None = None
    tier: Tier | None = None
    language: Word | None = None
    note: Note | None = None
    contact_points: Annotated[tuple[ContactPointFields, ...] | None, Field(max_length=50)] = None

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
            phone=query.phone, email=query.email, q=query.q, cursor=query.cursor, limit=query.limit
        )
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, account_document)


async def create(asked: Asked, fields: NewAccountFields) -> Answer:
    accounts = asked.services.accounts
    account = await accounts.create(
        name=fields.name,
        company=fields.company,
        tier=fields.tier,
        language=fields.language,
        note=fields.note,
        contact_points=_contact_points(accounts, fields.contact_points),
        now=asked.services.now(),
    )
    document = account_document(account)
    return Answer(document=document, status=201, headers={"Location": f"{PREFIX}/accounts/{account.account_id}"})


async def show(asked: Asked, _: Fields) -> Answer:
    account = await asked.services.accounts.by_id(_account_id(asked))
    if account is None:
        raise not_found("account")
    return Answer(document=account_document(account))


async def change(asked: Asked, fields: AccountFields) -> Answer:
    accounts = asked.services.accounts
    changes: dict[str, Any] = {name: getattr(fields, name) for name in fields.model_fields_set - {"contact_points"}}
    contact_points = None if fields.contact_points is None else _contact_points(accounts, fields.contact_points)
    account = await accounts.change(_account_id(asked), changes=changes, contact_points=contact_points, now=asked.services.now())
    if account is None:
        raise not_found("account")
    return Answer(document=account_document(account))


async def timeline(asked: Asked, query: PageQuery) -> Answer:
    account_id = _account_id(asked)
    if await asked.services.accounts.by_id(account_id) is None:
        raise not_found("account")
    try:
        page = await asked.services.interactions.timeline(account_id, cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, interaction_document)


def wrong_cursor() -> Exception:
    return wrong_fields(Mistake(at="cursor", message="not a cursor that this list gave"))


def _account_id(asked: Asked) -> AccountId:
    return AccountId(record_id(asked.path["account_id"], "account"))


def _contact_points(accounts: Accounts, fields: tuple[ContactPointFields, ...]) -> list[tuple[ContactKind, str, str | None]]:
    """Reads each contact point as the store will, so that a mistake is told with its place."""
    mistakes = []
    for place, point in enumerate(fields):
        try:
            accounts.read_contact_point(point.kind, point.value, point.label)
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
        path=f"{_ONE}/timeline",
        summary="Every contact of an account, newest first",
        roles=SIGNED_IN,
        handle=timeline,
        fields=PageQuery,
        answer=InteractionAnswer,
        is_list=True,
    ),
)
