"""Problems, health, metrics, and the API's description of itself."""

from typing import Any

import pytest

from cti_bridge.domain.account import account_document
from cti_bridge.domain.agent import agent_document
from cti_bridge.domain.audit import audit_document
from cti_bridge.domain.call import call_document
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.figures import figures_document
from cti_bridge.domain.interaction import Channel, interaction_document
from screen_pop.api import answers, operation_answers
from screen_pop.ports import Check
from screen_pop.visible import link_document, routing_document, seen_gap_document
from tests.support.relations import a_relation, a_score
from tests.support.stores import AGENT, a_call, an_account, an_interaction
from tests.support.web import Web

API = "/api/v1"


def kind(body: Any) -> str:
    return str(body["type"]).removeprefix("urn:cti-bridge:problem:")


@pytest.mark.parametrize(
    ("method", "path", "sent", "content_type", "status", "problem"),
    [
        ("GET", "/nowhere", b"", None, 404, "not-found"),
        ("GET", "/api/v1/nowhere", b"", None, 404, "not-found"),
        ("PUT", "/api/v1/session", b"", None, 405, "method-not-allowed"),
        ("POST", "/api/v1/accounts", b"{", "application/json", 400, "malformed-json"),
        ("POST", "/api/v1/accounts", b"", "application/json", 422, "wrong-fields"),
        ("POST", "/api/v1/accounts", b'{"name": "\xff"}', "application/json", 400, "malformed-json"),
        ("POST", "/api/v1/accounts", b'{"name": "\\ud800"}', "application/json", 400, "malformed-json"),
        ("POST", "/api/v1/accounts", b"[" * 5000, "application/json", 400, "malformed-json"),
        ("POST", "/api/v1/accounts", b"[]", "application/json", 422, "wrong-fields"),
        ("POST", "/api/v1/accounts", b"name=x", "application/x-www-form-urlencoded", 415, "not-json"),
        ("POST", "/api/v1/accounts", b'{"name":"x"}', "text/plain", 415, "not-json"),
        ("POST", "/api/v1/accounts", b" " * 300_000, "application/json", 413, "too-large"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_every_refusal_is_a_problem(
    web: Web, *, method: str, path: str, sent: bytes, content_type: str | None, status: int, problem: str
) -> None:
    headers = {"Authorization": f"Bearer {await web.token_of(AGENT)}", "Content-Type": content_type or "application/json"}

    async with web.http.request(method, web.base + path, data=sent or None, headers=headers) as response:
        body = await response.json(content_type="application/problem+json")

    assert (response.status, kind(body)) == (status, problem)
    assert answers.ProblemAnswer.model_validate(body).status == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_defect_is_a_500_without_a_word_of_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(web.accounts, "search", broken)

    status, body = await web.call("GET", f"{API}/accounts?q=x", user=AGENT)

    assert (status, kind(body)) == (500, "internal-error")
    assert "secret" not in str(body)
    assert "Traceback" not in str(body)


async def test_a_store_that_is_away_is_a_503_that_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StorageError("database at 10.0.0.7 is away")

    monkeypatch.setattr(web.accounts, "search", away)

    status, body = await web.call("GET", f"{API}/accounts?q=x", user=AGENT)

    assert (status, kind(body)) == (503, "store-away")
    assert "10.0.0.7" not in str(body)


async def test_readiness_tells_degraded_from_unready(web: Web) -> None:
    async def ready() -> tuple[int, str]:
        status, body = await web.call("GET", "/readyz")
        return status, operation_answers.ReadyAnswer.model_validate(body).status

    assert await web.call("GET", "/healthz") == (200, {"status": "ok"})
    assert await ready() == (200, "ready")
    web.readiness.lines[1] = Check(name="pbx main", ok=False, required=False, detail="connecting")
    assert await ready() == (200, "degraded")
    web.readiness.lines[0] = Check(name="store", ok=False, required=True)
    assert await ready() == (503, "not_ready")


async def test_metrics_count_by_pattern_and_hold_no_names_numbers_or_ids(web: Web) -> None:
    account = an_account("Canary Zanzibar")
    web.accounts.kept[account.account_id] = account
    await web.call("GET", f"{API}/accounts/{account.account_id}", user=AGENT)
    await web.call("GET", f"{API}/accounts?phone=02079460018", user=AGENT)
    await web.call("PURGE", "/made-up-path")
    browser = await web.open(AGENT)

    status, text = await web.call("GET", "/metrics")

    assert status == 200
    assert b'cti_http_request_seconds_count{method="GET",route="/api/v1/accounts/{account_id}",status="200"} 1.0' in text
    assert b'cti_ws_clients{role="agent"} 1.0' in text
    for hidden in (b"Canary", b"7946", account.account_id.encode(), b"made-up", b"PURGE", b"ada"):
        assert hidden not in text
    await browser.socket.close()


async def test_the_api_describes_itself(web: Web) -> None:
    status, document = await web.call("GET", "/api/openapi.json")
    docs_status, page = await web.call("GET", "/api/docs")

    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert (status, document["openapi"], docs_status) == (200, "3.1.0", 200)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    references = {word.split('"')[0] for word in str(document).replace("'", '"').split("#/components/schemas/")[1:]}
    assert references <= document["components"]["schemas"].keys()
    for path in document["paths"]:
        assert path.encode() in page
    assert b"<script" not in page


def test_documents_have_the_shape_that_the_api_describes(web: Web) -> None:
    call = call_document(a_call(talking=("1001",)))
    for shape, document in (
        (answers.CallAnswer, call),
        (answers.AccountAnswer, account_document(an_account())),
        (answers.AccountAnswer, account_document(an_account(relation=a_relation()))),
        (answers.InteractionAnswer, interaction_document(an_interaction(call=call))),
        (answers.InteractionAnswer, interaction_document(an_interaction(channel=Channel.EMAIL, satisfaction=a_score()))),
        (operation_answers.AgentAnswer, agent_document(web.live.the_agents[0])),
        (operation_answers.FiguresAnswer, figures_document(web.live.the_queues[0])),
        (operation_answers.AuditAnswer, audit_document(web.live.the_audits[0])),
        (operation_answers.GapAnswer, seen_gap_document(web.live.the_gaps[0])),
        (operation_answers.LinkAnswer, link_document(web.live.the_links[0])),
        (operation_answers.RoutingAnswer, routing_document(web.live.the_routing)),
    ):
        shape.model_validate(document)
        assert shape.model_fields.keys() == document.keys()
