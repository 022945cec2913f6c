"""`/accounts/{id}/reveal`, `/calls/{id}/reveal`: numbers and addresses whole for once, to who says why.

It is in the audit log before anything is shown: no row, no number.
"""

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.person import RevealReason
from screen_pop.api.answers import AccountAnswer, CallAnswer
from screen_pop.api.calls import call_seen_by
from screen_pop.api.fields import Fields, record_id
from screen_pop.api.problems import not_found
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route


class RevealFields(Fields):
    reason: RevealReason


async def account(asked: Asked, fields: RevealFields) -> Answer:
    account_id = AccountId(record_id(asked.path["account_id"], "account"))
    found = await asked.services.accounts.by_id(account_id)
    if found is None:
        raise not_found("account")
    await _write_down(asked, AuditAction.ACCOUNT_REVEALED, account_id, fields)
    return Answer(document=asked.view.revealed.account(found))


async def call(asked: Asked, fields: RevealFields) -> Answer:
    document = await call_seen_by(asked, asked.view.revealed)
    await _write_down(asked, AuditAction.CALL_REVEALED, str(document["call_id"]), fields)
    return Answer(document=document)


async def _write_down(asked: Asked, action: AuditAction, subject: str, fields: RevealFields) -> None:
    detail = {"reason": fields.reason.value}
    await asked.services.audit_log.append(
        action, actor=asked.user.username, subject=subject, detail=detail, now=asked.services.now()
    )


ROUTES = (
    Route(
        method="POST",
        path=f"{PREFIX}/accounts/{{account_id}}/reveal",
        summary="One account with nothing masked; written down with the reason",
        roles=SIGNED_IN,
        handle=account,
        fields=RevealFields,
        answer=AccountAnswer,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/calls/{{call_id}}/reveal",
        summary="One call with nothing masked; written down with the reason",
        roles=SIGNED_IN,
        handle=call,
        fields=RevealFields,
        answer=CallAnswer,
    ),
)
