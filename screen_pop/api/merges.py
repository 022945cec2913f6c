"""`/accounts/{id}/merge`, `/accounts/{id}/duplicates`, `/merges/{id}/undo`: one account for every customer."""

from typing import Annotated

from pydantic import Field

from cti_bridge.domain.account import Account, AccountId
from cti_bridge.domain.merge import Merge, MergeId, MergeRefused, merge_document
from screen_pop.api.answers import DuplicateAnswer, MergeAnswer
from screen_pop.api.fields import AccountIdField, Fields, NoFields, record_id
from screen_pop.api.problems import ApiProblem, not_found
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route
from screen_pop.merged import show_merge

_NOT_THERE = frozenset({"no-such-account", "no-such-merge"})


class MergeFields(Fields):
    """`from` is the double: it is put into the account of the path, which is kept."""

    merged: Annotated[AccountIdField, Field(alias="from")]


async def merge(asked: Asked, fields: MergeFields) -> Answer:
    kept, merged = _account_id(asked), AccountId(fields.merged)
    try:
        done = await asked.services.merges.merge(kept, merged, by=asked.user.username, now=asked.services.now())
    except MergeRefused as refused:
        raise _problem(refused) from refused
    await _show(asked, done)
    return Answer(document=merge_document(done), status=201)


async def undo(asked: Asked, _: NoFields) -> Answer:
    merge_id = MergeId(record_id(asked.path["merge_id"], "merge"))
    try:
        undone = await asked.services.merges.undo(merge_id, by=asked.user.username, now=asked.services.now())
    except MergeRefused as refused:
        raise _problem(refused) from refused
    await _show(asked, undone)
    return Answer(document=merge_document(undone))


async def merges_of(asked: Asked, _: NoFields) -> Answer:
    account = await _account(asked)
    done = await asked.services.merges.of(account.account_id)
    return Answer(document={"items": [merge_document(one) for one in done], "next": None})


async def duplicates(asked: Asked, _: NoFields) -> Answer:
    account = await _account(asked)
    found = await asked.services.merges.duplicates(account.account_id)
    return Answer(document={"items": [asked.view.duplicate(one) for one in found], "next": None})


async def _show(asked: Asked, merge: Merge) -> None:
    services = asked.services
    await show_merge(
        merge,
        accounts=services.accounts,
        cases=services.cases,
        relations=services.relations,
        hub=services.hub,
        now=services.now(),
    )


async def _account(asked: Asked) -> Account:
    account = await asked.services.accounts.by_id(_account_id(asked))
    if account is None:
        raise not_found("account")
    return account


def _account_id(asked: Asked) -> AccountId:
    return AccountId(record_id(asked.path["account_id"], "account"))


def _problem(refused: MergeRefused) -> ApiProblem:
    return ApiProblem(404 if refused.kind in _NOT_THERE else 409, refused.kind, refused.detail)


_ONE = f"{PREFIX}/accounts/{{account_id}}"
ROUTES = (
    Route(
        method="POST",
        path=f"{_ONE}/merge",
        summary="Put another account of the same customer into this one",
        roles=SIGNED_IN,
        handle=merge,
        fields=MergeFields,
        answer=MergeAnswer,
        status=201,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/merges",
        summary="The merges of an account, newest first",
        roles=SIGNED_IN,
        handle=merges_of,
        answer=MergeAnswer,
        is_list=True,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/duplicates",
        summary="Accounts that may be the same customer, likeliest first, with the reasons",
        roles=SIGNED_IN,
        handle=duplicates,
        answer=DuplicateAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/merges/{{merge_id}}/undo",
        summary="Part two accounts again",
        roles=SIGNED_IN,
        handle=undo,
        answer=MergeAnswer,
    ),
)
