"""`/interactions`: the log of contacts; adding one of another channel; the agent's label and note."""

from datetime import datetime, timedelta

import uuid_utils
from pydantic import ValidationInfo, field_validator, model_validator

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import Direction
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from screen_pop.api.accounts import wrong_cursor
from screen_pop.api.answers import InteractionAnswer
from screen_pop.api.fields import AccountIdField, Fields, Line, Moment, Note, PageQuery, Word, record_id
from screen_pop.api.problems import Mistake, not_allowed, not_found, wrong_fields
from screen_pop.api.relations import SatisfactionFields, check_source, satisfaction_of, writer_of
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer
from screen_pop.ports import InteractionFilter, Page, Role
from screen_pop.visible import talked_in

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a contact may have begun: other machines' clocks."""

IDEMPOTENCY_KEY = "Idempotency-Key"


class InteractionQuery(PageQuery):
    """`since` inclusive, `until` exclusive."""

    since: Moment | None = None
    until: Moment | None = None
    account: AccountIdField | None = None
    agent: Word | None = None
    queue: Word | None = None
    channel: Channel | None = None
    outcome: Word | None = None


class NewInteractionFields(Fields):
    """A contact that did not come by a call on this PBX: those are recorded by themselves."""

    channel: Channel
    account_id: AccountIdField | None = None
    direction: Direction = Direction.INBOUND
    started_at: Moment | None = None
    ended_at: Moment | None = None
    subject: Line | None = None
    note: Note | None = None
    outcome: Word | None = None
    satisfaction: SatisfactionFields | None = None

    @field_validator("channel")
    @classmethod
    def _no_calls(cls, channel: Channel) -> Channel:
        if channel is Channel.PHONE:
            raise ValueError("calls are recorded by themselves")
        return channel

    @field_validator("ended_at")
    @classmethod
    def _after_the_start(cls, ended_at: datetime | None, info: ValidationInfo) -> datetime | None:
        started_at = info.data.get("started_at")
        if ended_at is not None and (started_at is None or ended_at < started_at):
            raise ValueError("needs a started_at before it")
        return ended_at


class LabelFields(Fields):
    """What a person says about a contact; only the fields named are set, a null clears."""

    disposition: Word | None = None
    note: Note | None = None
    account_id: AccountIdField | None = None

    @model_validator(mode="after")
    def _something(self) -> "LabelFields":
        if not self.model_fields_set:
            raise ValueError("give at least one field")
        return self


async def listed(asked: Asked, query: InteractionQuery) -> Answer:
    """An agent sees the contacts that name the agent, and everything on an account."""
    user, agent = asked.user, query.agent
    if user.role is Role.AGENT and query.account is None:
        if agent not in (None, user.extension):
            raise not_allowed("An agent lists the own contacts, or those of an account.")
        if user.extension is None:
            return list_answer(Page[Interaction](items=(), next=None), asked.view.interaction)
        agent = user.extension
    wanted = InteractionFilter(
        since=query.since,
        until=query.until,
        account=AccountId(query.account) if query.account else None,
        agent=agent,
        queue=query.queue,
        channel=query.channel.value if query.channel else None,
        outcome=query.outcome,
    )
    try:
        page = await asked.services.interactions.list(wanted, cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, asked.view.interaction)


async def add(asked: Asked, fields: NewInteractionFields) -> Answer:
    now = asked.services.now()
    if fields.started_at and fields.started_at > now + CLOCK_SKEW:
        raise wrong_fields(Mistake(at="started_at", message="is in the future"))
    if fields.satisfaction is not None:
        check_source(asked, fields.satisfaction.source)
    await check_account(asked, fields.account_id)
    interaction = Interaction(
        interaction_id=InteractionId(str(uuid_utils.uuid7())),
        account_id=AccountId(fields.account_id) if fields.account_id else None,
        channel=fields.channel,
        direction=fields.direction,
        started_at=fields.started_at or now,
        ended_at=fields.ended_at,
        agent=asked.user.extension,
        queue=None,
        outcome=fields.outcome,
        subject=fields.subject,
        disposition=None,
        note=fields.note,
        call_id=None,
        call=None,
        satisfaction=satisfaction_of(fields.satisfaction, by=writer_of(asked), now=now),
    )
    added = await asked.services.interactions.add(interaction, idempotency_key=_idempotency_key(asked))
    if added.satisfaction is not None:
        await asked.services.relations.refresh([added.account_id], now=now)
    return Answer(document=asked.view.interaction(added), status=201)


async def change(asked: Asked, fields: LabelFields) -> Answer:
    interactions = asked.services.interactions
    interaction_id = InteractionId(record_id(asked.path["interaction_id"], "interaction"))
    interaction = await interactions.by_id(interaction_id)
    if interaction is None:
        raise not_found("interaction")
    if asked.user.role is Role.AGENT and asked.user.extension not in talked_in(interaction):
        raise not_allowed("Only the agent who had this contact, or a supervisor, changes it.")
    await check_account(asked, fields.account_id)
    changed = await interactions.change(interaction_id, changes=fields.given())
    if changed is None:
        raise not_found("interaction")
    if "account_id" in fields.model_fields_set:
        await asked.services.relations.refresh([interaction.account_id, changed.account_id], now=asked.services.now())
    if changed.call_id is not None and "account_id" in fields.model_fields_set:
        by = writer_of(asked)
        await asked.services.callers.chosen(changed.call_id, changed.account_id, by=by, now=asked.services.now())
    return Answer(document=asked.view.interaction(changed))


async def check_account(asked: Asked, account_id: str | None) -> None:
    """Raises the 422 for an account that is not there."""
    if account_id is not None and await asked.services.accounts.by_id(AccountId(account_id)) is None:
        raise wrong_fields(Mistake(at="account_id", message="no such account"))


def _idempotency_key(asked: Asked) -> str | None:
    """The client's key, made the user's own: nobody gets another's answer by guessing a key."""
    key = asked.request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise wrong_fields(Mistake(at=IDEMPOTENCY_KEY, message="1 to 200 printable ASCII characters"))
    return f"{asked.user.user_id}:{key}"


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/interactions",
        summary="The log of contacts, newest first",
        roles=SIGNED_IN,
        handle=listed,
        fields=InteractionQuery,
        answer=InteractionAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/interactions",
        summary="Add a contact of another channel",
        roles=SIGNED_IN,
        handle=add,
        fields=NewInteractionFields,
        answer=InteractionAnswer,
        status=201,
        headers=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="PATCH",
        path=f"{PREFIX}/interactions/{{interaction_id}}",
        summary="Label a contact",
        roles=SIGNED_IN,
        handle=change,
        fields=LabelFields,
        answer=InteractionAnswer,
    ),
)
