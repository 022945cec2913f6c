"""`/webhooks/deliveries`: what was told to other systems, what was not taken, and sending it again."""

from cti_bridge.domain.webhook import DeliveryId, DeliveryState, delivery_document
from screen_pop.api.fields import NoFields, PageQuery, record_id
from screen_pop.api.operation_answers import DeliveryAnswer
from screen_pop.api.problems import Mistake, not_found, wrong_fields
from screen_pop.api.route import ADMINS, PREFIX, Answer, Asked, Route, list_answer


class DeliveryQuery(PageQuery):
    state: DeliveryState | None = None


async def deliveries(asked: Asked, query: DeliveryQuery) -> Answer:
    try:
        page = await asked.services.deliveries.list(query.state, cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_fields(Mistake(at="cursor", message=str(error))) from error
    return list_answer(page, delivery_document)


async def resend(asked: Asked, _: NoFields) -> Answer:
    delivery_id = DeliveryId(record_id(asked.path["delivery_id"], "delivery"))
    delivery = await asked.services.deliveries.resend(delivery_id, now=asked.services.now())
    if delivery is None:
        raise not_found("delivery")
    return Answer(document=delivery_document(delivery), status=202)


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/webhooks/deliveries",
        summary="Deliveries to webhooks, newest first",
        roles=ADMINS,
        handle=deliveries,
        fields=DeliveryQuery,
        answer=DeliveryAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/webhooks/deliveries/{{delivery_id}}/resend",
        summary="Send a delivery again, with all its tries",
        roles=ADMINS,
        handle=resend,
        answer=DeliveryAnswer,
        status=202,
    ),
)
