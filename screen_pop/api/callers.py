"""`/calls/{call_id}/account`: the agent says who is calling, takes it back, or makes an account of an unknown caller."""

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId
from screen_pop.api.answers import IdentityAnswer
from screen_pop.api.calls import part_in_call
from screen_pop.api.fields import AccountIdField, Fields, Line, NoFields
from screen_pop.api.interactions import check_account
from screen_pop.api.route import AGENTS, PREFIX, Answer, Asked, Route
from screen_pop.pop import Identified, identity_document


class ChoiceFields(Fields):
    """null: none of those proposed."""

    account_id: AccountIdField | None


class CallersAccountFields(Fields):
    """`source`: of the one customer whom this other system knows; without it of nobody yet."""

    source: Line | None = None


async def choose(asked: Asked, fields: ChoiceFields) -> Answer:
    agent, call_id = await part_in_call(asked)
    await check_account(asked, fields.account_id)
    account_id = AccountId(fields.account_id) if fields.account_id is not None else None
    return _answer(call_id, await asked.services.callers.choose(call_id, agent, account_id, now=asked.services.now()))


async def undo(asked: Asked, _: NoFields) -> Answer:
    agent, call_id = await part_in_call(asked)
    return _answer(call_id, await asked.services.callers.undo(call_id, agent, now=asked.services.now()))


async def add_account(asked: Asked, fields: CallersAccountFields) -> Answer:
    agent, call_id = await part_in_call(asked)
    callers, now = asked.services.callers, asked.services.now()
    if fields.source is None:
        return _answer(call_id, await callers.add_provisional(call_id, agent, now=now), status=201)
    return _answer(call_id, await callers.add_external(call_id, agent, source=fields.source, now=now), status=201)


def _answer(call_id: CallId, identified: Identified, *, status: int = 200) -> Answer:
    return Answer(document={"call_id": call_id, **identity_document(identified)}, status=status)


_PATH = f"{PREFIX}/calls/{{call_id}}/account"
ROUTES = (
    Route(
        method="PUT",
        path=_PATH,
        summary="Say who is calling",
        roles=AGENTS,
        handle=choose,
        fields=ChoiceFields,
        answer=IdentityAnswer,
    ),
    Route(method="DELETE", path=_PATH, summary="Take back who is calling", roles=AGENTS, handle=undo, answer=IdentityAnswer),
    Route(
        method="POST",
        path=_PATH,
        summary="Make an account of the caller, provisional or as another system knows it",
        roles=AGENTS,
        handle=add_account,
        fields=CallersAccountFields,
        answer=IdentityAnswer,
        status=201,
    ),
)
