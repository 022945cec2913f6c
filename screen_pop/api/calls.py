"""`/calls`: live calls, click-to-call, call control, wrap-up. What steers the PBX goes to the `CallCommands` port."""

from collections.abc import Awaitable, Callable
from typing import Any

from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource
from screen_pop.api.answers import CallAnswer, InteractionAnswer, RequestAnswer
from screen_pop.api.fields import Dialled, Fields, NoFields, PageQuery, call_id_of
from screen_pop.api.interactions import LabelFields, check_account
from screen_pop.api.problems import ApiProblem, not_found, not_in_this_call
from screen_pop.api.relations import Score
from screen_pop.api.route import AGENTS, PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer, page_of
from screen_pop.ports import Role
from screen_pop.visible import View, agents_in, agents_of, live_call, talked_in, visible_calls


class DialFields(Fields):
    to: Dialled


class WrapUpFields(LabelFields):
    """`satisfaction`: how satisfied the agent thinks the customer is, 1 to 5; a score that the customer gave stays."""

    satisfaction: Score | None = None


async def listed(asked: Asked, query: PageQuery) -> Answer:
    calls = visible_calls(asked.user, asked.services.live)
    return list_answer(page_of(calls, lambda call: call.call_id, query), asked.view.call)


async def show(asked: Asked, _: NoFields) -> Answer:
    return Answer(document=await call_seen_by(asked, asked.view))


async def call_seen_by(asked: Asked, view: View) -> dict[str, Any]:
    """The live call, or the stored one; an agent sees the own ones. Raises the 404."""
    call_id = _call_id(asked)
    sees_all, own = asked.user.role is not Role.AGENT, asked.user.extension
    call = live_call(asked.services.live, call_id)
    if call is not None and (sees_all or own in agents_of(call)):
        return view.call(call)
    stored = await asked.services.interactions.by_call(call_id) if call is None else None
    if stored is None or stored.call is None or not (sees_all or own in talked_in(stored)):
        raise not_found("call")
    return view.stored_call(stored)


async def dial(asked: Asked, fields: DialFields) -> Answer:
    request_id = await asked.services.commands.dial(_phone(asked), fields.to)
    return Answer(document={"request_id": request_id}, status=202)


async def answer(asked: Asked, _: NoFields) -> Answer:
    return await _steer(asked, asked.services.commands.answer)


async def hang_up(asked: Asked, _: NoFields) -> Answer:
    return await _steer(asked, asked.services.commands.hang_up)


async def hold(asked: Asked, _: NoFields) -> Answer:
    return await _steer(asked, asked.services.commands.hold, on=True)


async def resume(asked: Asked, _: NoFields) -> Answer:
    return await _steer(asked, asked.services.commands.hold, on=False)


async def transfer(asked: Asked, fields: DialFields) -> Answer:
    return await _steer(asked, asked.services.commands.transfer, to=fields.to)


async def wrap_up(asked: Asked, fields: WrapUpFields) -> Answer:
    """Stored when answered; the agent's other browsers are told."""
    services = asked.services
    agent, call_id = await part_in_call(asked)
    await check_account(asked, fields.account_id)
    changes, now = fields.given(), services.now()
    if fields.satisfaction is not None:
        changes["satisfaction"] = Satisfaction(score=fields.satisfaction, source=ScoreSource.AGENT, by=agent, at=now)
    interaction = await services.wrap_ups.save(call_id, agent, changes)
    if "satisfaction" in changes:
        await services.relations.refresh([interaction.account_id], now=now)
    if "account_id" in fields.model_fields_set:
        await services.callers.chosen(call_id, interaction.account_id, by=agent, now=services.now())
    await services.hub.wrap_up_saved(agent, call_id, interaction, at=services.now())
    return Answer(document=asked.view.interaction(interaction))


async def part_in_call(asked: Asked) -> tuple[Extension, CallId]:
    """The agent who asks and the call, which the agent has or had. Raises the 409 where it is not so."""
    call_id = _call_id(asked)
    return await part_in(asked, call_id), call_id


async def part_in(asked: Asked, call_id: CallId) -> Extension:
    """The agent who asks and has or had this call. Raises the 409 where it is not so."""
    services, agent = asked.services, _phone(asked)
    call = live_call(services.live, call_id)
    stored = await services.interactions.by_call(call_id) if call is None else None
    if not ((call and agent in agents_of(call)) or (stored and agent in talked_in(stored))):
        raise not_in_this_call()
    return agent


async def _steer(asked: Asked, command: Callable[..., Awaitable[None]], **how: Any) -> Answer:
    """Checks that the agent is in the call now, then gives the command to the PBX side."""
    agent, call_id = _phone(asked), _call_id(asked)
    call = live_call(asked.services.live, call_id)
    if call is None or agent not in agents_in(call):
        raise not_in_this_call()
    await command(agent, call_id, **how)
    return Answer(document={}, status=202)


def _phone(asked: Asked) -> Extension:
    if asked.user.extension is None:
        raise ApiProblem(409, "no-phone", "You have no extension. An admin can give you one.")
    return asked.user.extension


def _call_id(asked: Asked) -> CallId:
    return CallId(call_id_of(asked.path["call_id"]))


_ONE = f"{PREFIX}/calls/{{call_id}}"


def _steering(verb: str, summary: str, handle: Callable[[Asked, Any], Awaitable[Answer]], fields: type[Fields]) -> Route:
    return Route(method="POST", path=f"{_ONE}/{verb}", summary=summary, roles=AGENTS, handle=handle, fields=fields, status=202)


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/calls",
        summary="Live calls",
        roles=SIGNED_IN,
        handle=listed,
        fields=PageQuery,
        answer=CallAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/calls",
        summary="Click-to-call",
        roles=AGENTS,
        handle=dial,
        fields=DialFields,
        answer=RequestAnswer,
        status=202,
    ),
    Route(method="GET", path=_ONE, summary="One call", roles=SIGNED_IN, handle=show, answer=CallAnswer),
    _steering("answer", "Answer the ringing call", answer, NoFields),
    _steering("hangup", "Hang up", hang_up, NoFields),
    _steering("hold", "Put on hold", hold, NoFields),
    _steering("resume", "Take back from hold", resume, NoFields),
    _steering("transfer", "Transfer to an extension or number", transfer, DialFields),
    Route(
        method="PATCH",
        path=f"{_ONE}/wrap-up",
        summary="Save disposition and note",
        roles=AGENTS,
        handle=wrap_up,
        fields=WrapUpFields,
        answer=InteractionAnswer,
    ),
)
