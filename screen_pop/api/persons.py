"""The rights of a person, for admins: a customer erased for good, and `/audit-log`, which tells who did what to whose data."""

from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.audit_log import audit_entry_document
from cti_bridge.domain.call import Call
from cti_bridge.domain.person import PersonRefused, erased_document
from screen_pop.api.answers import AuditEntryAnswer, ErasedAnswer
from screen_pop.api.fields import NoFields, PageQuery, record_id
from screen_pop.api.problems import ApiProblem, Mistake, not_found, wrong_fields
from screen_pop.api.route import ADMINS, PREFIX, Answer, Asked, Route, list_answer


async def erase(asked: Asked, _: NoFields) -> Answer:
    account_id = AccountId(record_id(asked.path["account_id"], "account"))
    account = await asked.services.accounts.by_id(account_id)
    if account is None:
        raise not_found("account")
    for call in asked.services.live.calls():
        if await _is_with(asked, call, account):
            raise ApiProblem(409, "call-live", "This customer is in a call now: erase the account when the call is over.")
    try:
        erased = await asked.services.persons.erase(account_id, by=asked.user.username, now=asked.services.now())
    except PersonRefused as refused:
        raise ApiProblem(404 if refused.kind == "no-such-account" else 409, refused.kind, refused.detail) from refused
    asked.services.hub.forget_past()
    return Answer(document=erased_document(erased))


async def _is_with(asked: Asked, call: Call, account: Account) -> bool:
    """Whether the call comes from a number of the customer, shows the customer to an agent, or is stored as the customer's."""
    points = account.contact_points
    if call.customer_number in {point.value for point in points if point.kind is ContactKind.PHONE}:
        return True
    if any(pop.account and pop.account.account_id == account.account_id for pop in asked.services.hub.pops_of(call.call_id)):
        return True
    stored = await asked.services.interactions.by_call(call.call_id)
    return stored is not None and stored.account_id == account.account_id


async def audit_log(asked: Asked, query: PageQuery) -> Answer:
    try:
        page = await asked.services.audit_log.list(cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_fields(Mistake(at="cursor", message=str(error))) from error
    return list_answer(page, audit_entry_document)


ROUTES = (
    Route(
        method="DELETE",
        path=f"{PREFIX}/accounts/{{account_id}}",
        summary="Erase a customer for good",
        roles=ADMINS,
        handle=erase,
        answer=ErasedAnswer,
    ),
    Route(
        method="GET",
        path=f"{PREFIX}/audit-log",
        summary="Who did what to whose data, newest first",
        roles=ADMINS,
        handle=audit_log,
        fields=PageQuery,
        answer=AuditEntryAnswer,
        is_list=True,
    ),
)
