"""`/queues`, `/agents`, `/links`: the live state, and an agent's own state."""

from enum import StrEnum
from typing import Any

from cti_bridge.domain.agent import agent_document
from cti_bridge.domain.call import Extension
from cti_bridge.domain.figures import figures_document
from screen_pop.api.fields import Fields, PageQuery, Word
from screen_pop.api.operation_answers import AgentAnswer, FiguresAnswer, LinkAnswer
from screen_pop.api.problems import not_allowed, not_found
from screen_pop.api.route import LEADERS, PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer, page_of
from screen_pop.ports import Role
from screen_pop.visible import link_document, visible_queues


class StatusWish(StrEnum):
    READY = "ready"
    PAUSED = "paused"


class AgentStateFields(Fields):
    status: StatusWish
    reason: Word | None = None


async def queues(asked: Asked, query: PageQuery) -> Answer:
    figures = visible_queues(asked.user, asked.services.live)
    return list_answer(page_of(figures, lambda figure: figure.queue, query), figures_document)


async def agents(asked: Asked, query: PageQuery) -> Answer:
    return list_answer(page_of(asked.services.live.agents(), lambda state: state.agent, query), agent_document)


async def links(asked: Asked, query: PageQuery) -> Answer:
    return list_answer(page_of(asked.services.live.links(), lambda link: link.name, query), link_document)


async def set_state(asked: Asked, fields: AgentStateFields) -> Answer:
    agent = asked.path["extension"]
    if asked.user.role is Role.AGENT and agent != asked.user.extension:
        raise not_allowed("An agent sets the own state only.")
    if agent != asked.user.extension and agent not in {state.agent for state in asked.services.live.agents()}:
        raise not_found("agent")
    is_paused = fields.status is StatusWish.PAUSED
    await asked.services.commands.set_state(Extension(agent), paused=is_paused, reason=fields.reason)
    return Answer(document={}, status=202)


def _list(path: str, summary: str, handle: Any, answer: Any, roles: frozenset[Role]) -> Route:
    return Route(
        method="GET",
        path=f"{PREFIX}/{path}",
        summary=summary,
        roles=roles,
        handle=handle,
        fields=PageQuery,
        answer=answer,
        is_list=True,
    )


ROUTES = (
    _list("queues", "Live figures of the queues", queues, FiguresAnswer, SIGNED_IN),
    _list("agents", "Agents and what they do", agents, AgentAnswer, LEADERS),
    _list("links", "Links to the PBXs", links, LinkAnswer, LEADERS),
    Route(
        method="PUT",
        path=f"{PREFIX}/agents/{{extension}}/state",
        summary="Ready or paused",
        roles=frozenset({Role.AGENT, Role.SUPERVISOR}),
        handle=set_state,
        fields=AgentStateFields,
        status=202,
    ),
)
