"""`/gaps`: the times in which a PBX was not seen, and what became of the calls of those times."""

from screen_pop.api.fields import PageQuery
from screen_pop.api.operation_answers import GapAnswer
from screen_pop.api.problems import Mistake, wrong_fields
from screen_pop.api.route import LEADERS, PREFIX, Answer, Asked, Route, list_answer
from screen_pop.ports import GapSeen
from screen_pop.visible import seen_gap_document


async def gaps(asked: Asked, query: PageQuery) -> Answer:
    try:
        page = await asked.services.gaps.list(cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_fields(Mistake(at="cursor", message=str(error))) from error
    is_audited = asked.services.live.is_audited
    return list_answer(page, lambda gap: seen_gap_document(GapSeen(gap=gap, is_audited=is_audited(gap.pbx))))


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/gaps",
        summary="Times in which a PBX was not seen, newest first",
        roles=LEADERS,
        handle=gaps,
        fields=PageQuery,
        answer=GapAnswer,
        is_list=True,
    ),
)
