"""For those who run the service: health, readiness, metrics, and the API's own description. None of it names a person."""

import asyncio
from collections.abc import Sequence
from functools import cache

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from cti_bridge.domain.errors import StorageError
from screen_pop.api.fields import NoFields
from screen_pop.api.openapi import docs_page, openapi_document
from screen_pop.api.operation_answers import HealthAnswer, ReadyAnswer
from screen_pop.api.route import ANYONE, Answer, Asked, Route
from screen_pop.ports import Check
from screen_pop.wire import to_json

READY_SECONDS = 3.0


async def health(_: Asked, __: NoFields) -> Answer:
    """The process lives and its loop turns."""
    return Answer(document={"status": "ok"})


async def ready(asked: Asked, _: NoFields) -> Answer:
    """503 where a required check fails; a PBX that is away makes the service degraded, not unready."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            checks = await asked.services.readiness.checks()
    except (TimeoutError, StorageError):
        checks = [Check(name="checks", ok=False, required=True, detail="did not answer in time")]
    if any(check.required and not check.ok for check in checks):
        status = "not_ready"
    elif all(check.ok for check in checks):
        status = "ready"
    else:
        status = "degraded"
    shown = [{"name": check.name, "ok": check.ok, "required": check.required, "detail": check.detail} for check in checks]
    return Answer(document={"status": status, "checks": shown}, status=503 if status == "not_ready" else 200)


async def metrics(asked: Asked, _: NoFields) -> Answer:
    return Answer(body=generate_latest(asked.services.metrics.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def operations_routes(api: Sequence[Route], *, version: str) -> tuple[Route, ...]:
    """Health and metrics, and the description of `api` and of themselves."""
    probes = (
        Route(method="GET", path="/healthz", summary="Alive", roles=ANYONE, handle=health, answer=HealthAnswer),
        Route(method="GET", path="/readyz", summary="Ready for calls", roles=ANYONE, handle=ready, answer=ReadyAnswer),
        Route(method="GET", path="/metrics", summary="Prometheus metrics", roles=ANYONE, handle=metrics),
    )

    @cache
    def description() -> tuple[bytes, bytes]:
        """Made when it is first asked for: a start amid live calls has better things to do."""
        document = openapi_document((*api, *probes), version=version)
        return to_json(document), docs_page(document).encode()

    async def openapi(_: Asked, __: NoFields) -> Answer:
        return Answer(body=description()[0])

    async def docs(_: Asked, __: NoFields) -> Answer:
        return Answer(body=description()[1], content_type="text/html; charset=utf-8")

    return (
        *probes,
        Route(method="GET", path="/api/openapi.json", summary="This API for programs", roles=ANYONE, handle=openapi),
        Route(method="GET", path="/api/docs", summary="This API for people", roles=ANYONE, handle=docs),
    )
