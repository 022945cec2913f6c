"""`/audits`: how the store compares with each PBX's own record, as of the last audit."""

from cti_bridge.domain.audit import audit_document
from screen_pop.api.fields import PageQuery
from screen_pop.api.operation_answers import AuditAnswer
from screen_pop.api.route import LEADERS, PREFIX, Answer, Asked, Route, list_answer, page_of


async def audits(asked: Asked, query: PageQuery) -> Answer:
    return list_answer(page_of(asked.services.live.audits(), lambda result: result.pbx, query), audit_document)


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/audits",
        summary="The last audit of each PBX",
        roles=LEADERS,
        handle=audits,
        fields=PageQuery,
        answer=AuditAnswer,
        is_list=True,
    ),
)
