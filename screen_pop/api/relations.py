"""The measures of a relation: how satisfied a customer was with a contact; `/churn-signs`, the customers who may be leaving."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from cti_bridge.domain.interaction import InteractionId
from cti_bridge.domain.satisfaction import HIGHEST_SCORE, LOWEST_SCORE, Satisfaction, ScoreRefused, ScoreSource
from screen_pop.api.accounts import wrong_cursor
from screen_pop.api.answers import AccountAnswer, InteractionAnswer
from screen_pop.api.fields import Comment, Fields, PageQuery, record_id
from screen_pop.api.problems import ApiProblem, not_allowed, not_found
from screen_pop.api.route import LEADERS, PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer
from screen_pop.ports import Role
from screen_pop.visible import talked_in

Score = Annotated[int, Field(ge=LOWEST_SCORE, le=HIGHEST_SCORE)]


class SatisfactionFields(Fields):
    """1 (very dissatisfied) to 5 (very satisfied); `source` says whether the customer gave it (survey, import) or the agent."""

    score: Score
    source: ScoreSource = ScoreSource.AGENT
    comment: Comment | None = None


class ScoreFields(Fields):
    """As `SatisfactionFields`; a null for `score` takes it back."""

    score: Score | None
    source: ScoreSource = ScoreSource.AGENT
    comment: Comment | None = None


async def put_score(asked: Asked, fields: ScoreFields) -> Answer:
    services, user = asked.services, asked.user
    now, by = services.now(), writer_of(asked)
    interaction_id = InteractionId(record_id(asked.path["interaction_id"], "interaction"))
    interaction = await services.interactions.by_id(interaction_id)
    if interaction is None:
        raise not_found("interaction")
    is_agent = user.role is Role.AGENT
    if is_agent and user.extension not in talked_in(interaction):
        raise not_allowed("Only the agent who had this contact, or a supervisor, gives its score.")
    check_source(asked, fields.source)
    given = satisfaction_of(fields, by=by, now=now)
    try:
        scored = await services.scores.set(interaction_id, given, by=by, by_agent=is_agent, now=now)
    except ScoreRefused as refused:
        raise ApiProblem(409, refused.kind, refused.detail) from refused
    if scored is None:
        raise not_found("interaction")
    await services.relations.refresh([scored.account_id], now=now)
    return Answer(document=asked.view.interaction(scored))


def satisfaction_of(fields: SatisfactionFields | ScoreFields | None, *, by: str, now: datetime) -> Satisfaction | None:
    """The score that was given, if one was."""
    if fields is None or fields.score is None:
        return None
    return Satisfaction(score=fields.score, source=fields.source, by=by, at=now, comment=fields.comment)


def check_source(asked: Asked, source: ScoreSource) -> None:
    """Raises the 403 where an agent would speak for the customer."""
    if asked.user.role is Role.AGENT and source is not ScoreSource.AGENT:
        raise not_allowed("An agent gives the agent's own impression: a survey's score comes from a supervisor or a program.")


def writer_of(asked: Asked) -> str:
    """Who writes, as it stands on the record."""
    return asked.user.extension or asked.user.username


async def at_risk(asked: Asked, query: PageQuery) -> Answer:
    try:
        page = await asked.services.relations.at_risk(cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, asked.view.account)


ROUTES = (
    Route(
        method="PUT",
        path=f"{PREFIX}/interactions/{{interaction_id}}/satisfaction",
        summary="How satisfied the customer was with a contact",
        roles=SIGNED_IN,
        handle=put_score,
        fields=ScoreFields,
        answer=InteractionAnswer,
    ),
    Route(
        method="GET",
        path=f"{PREFIX}/churn-signs",
        summary="Customers with signs of leaving, newest noticed first",
        roles=LEADERS,
        handle=at_risk,
        fields=PageQuery,
        answer=AccountAnswer,
        is_list=True,
    ),
)
