"""`/routing`: the rules file as it is in force, with every mistake in it."""

from screen_pop.api.fields import NoFields
from screen_pop.api.operation_answers import RoutingAnswer
from screen_pop.api.route import ADMINS, PREFIX, Answer, Asked, Route
from screen_pop.visible import routing_document


async def show(asked: Asked, _: NoFields) -> Answer:
    return Answer(document=routing_document(asked.services.live.routing()))


ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/routing",
        summary="The routing rules in force",
        roles=ADMINS,
        handle=show,
        answer=RoutingAnswer,
    ),
)
