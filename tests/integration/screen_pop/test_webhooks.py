"""Deliveries to webhooks over REST: admins see what was not taken, and send it again."""

import pytest

from cti_bridge.domain.webhook import Delivery, DeliveryId, WebhookEvent
from screen_pop.api.operation_answers import DeliveryAnswer
from tests.support.stores import ADMIN, NOW
from tests.support.web import Web

PATH = "/api/v1/webhooks/deliveries"


def a_delivery(number: int, *, is_dead: bool) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(f"00000000-0000-5000-8000-{number:012}"),
        webhook="crm",
        event=WebhookEvent.CALL_ENDED,
        body='{"data": "+442079460018"}',
        created_at=NOW,
        next_try_at=None if is_dead else NOW,
        tries=11,
        delivered_at=None,
        dead_at=NOW if is_dead else None,
        last_error="answered 503",
    )


@pytest.fixture
def dead(web: Web) -> Delivery:
    kept = [a_delivery(1, is_dead=True), a_delivery(2, is_dead=False)]
    web.deliveries.kept.update({one.delivery_id: one for one in kept})
    return kept[0]


async def test_dead_ones_are_listed_without_what_they_say(web: Web, dead: Delivery) -> None:
    status, page = await web.call("GET", f"{PATH}?state=dead", user=ADMIN)

    assert status == 200
    assert [(one["delivery_id"], one["state"], one["last_error"]) for one in page["items"]] == [
        (dead.delivery_id, "dead", "answered 503")
    ]
    assert page["items"][0].keys() == DeliveryAnswer.model_fields.keys()
    assert len((await web.call("GET", PATH, user=ADMIN))[1]["items"]) == 2


async def test_a_dead_one_is_sent_again(web: Web, dead: Delivery) -> None:
    status, delivery = await web.call("POST", f"{PATH}/{dead.delivery_id}/resend", {}, user=ADMIN)

    assert (status, delivery["state"], delivery["tries"]) == (202, "waiting", 0)


@pytest.mark.parametrize("delivery_id", ["00000000-0000-5000-8000-000000000009", "x"])
async def test_what_is_not_there_is_not_found(web: Web, delivery_id: str) -> None:
    assert (await web.call("POST", f"{PATH}/{delivery_id}/resend", {}, user=ADMIN))[0] == 404


@pytest.mark.parametrize("query", ["state=lost", "cursor=x", "limit=0"])
async def test_a_wrong_question_is_told(web: Web, query: str) -> None:
    assert (await web.call("GET", f"{PATH}?{query}", user=ADMIN))[0] == 422
