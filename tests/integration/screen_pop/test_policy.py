"""Who may do what: every route with every role, against a table written by hand."""

import re

import pytest

from screen_pop.api.route import ANYONE
from screen_pop.ports import User
from screen_pop.server import API_ROUTES
from tests.support.stores import ADMIN, AGENT, SUPERVISOR
from tests.support.web import Web

ALL, NONE = {"agent", "supervisor", "admin"}, set[str]()
AGENTS, LEADERS = {"agent"}, {"supervisor", "admin"}

MATRIX: dict[str, set[str]] = {
    "GET /api/v1/session": ALL,
    "DELETE /api/v1/session": ALL,
    "GET /api/v1/accounts": ALL,
    "POST /api/v1/accounts": ALL,
    "GET /api/v1/accounts/{account_id}": ALL,
    "PATCH /api/v1/accounts/{account_id}": ALL,
    "DELETE /api/v1/accounts/{account_id}": {"admin"},
    "GET /api/v1/audit-log": {"admin"},
    "POST /api/v1/accounts/{account_id}/reveal": ALL,
    "POST /api/v1/calls/{call_id}/reveal": ALL,
    "GET /api/v1/accounts/{account_id}/timeline": ALL,
    "POST /api/v1/accounts/{account_id}/merge": ALL,
    "GET /api/v1/accounts/{account_id}/merges": ALL,
    "GET /api/v1/accounts/{account_id}/duplicates": ALL,
    "POST /api/v1/merges/{merge_id}/undo": ALL,
    "GET /api/v1/accounts/{account_id}/tiers": ALL,
    "GET /api/v1/accounts/{account_id}/commitments": ALL,
    "GET /api/v1/cases": ALL,
    "POST /api/v1/cases": ALL,
    "GET /api/v1/cases/{case_id}": ALL,
    "PATCH /api/v1/cases/{case_id}": ALL,
    "GET /api/v1/interactions": ALL,
    "POST /api/v1/interactions": ALL,
    "PATCH /api/v1/interactions/{interaction_id}": ALL,
    "PUT /api/v1/interactions/{interaction_id}/satisfaction": ALL,
    "GET /api/v1/churn-signs": LEADERS,
    "GET /api/v1/calls": ALL,
    "GET /api/v1/calls/{call_id}": ALL,
    "POST /api/v1/calls": AGENTS,
    "POST /api/v1/calls/{call_id}/answer": AGENTS,
    "POST /api/v1/calls/{call_id}/hangup": AGENTS,
    "POST /api/v1/calls/{call_id}/hold": AGENTS,
    "POST /api/v1/calls/{call_id}/resume": AGENTS,
    "POST /api/v1/calls/{call_id}/transfer": AGENTS,
    "PATCH /api/v1/calls/{call_id}/wrap-up": AGENTS,
    "PUT /api/v1/calls/{call_id}/account": AGENTS,
    "DELETE /api/v1/calls/{call_id}/account": AGENTS,
    "POST /api/v1/calls/{call_id}/account": AGENTS,
    "GET /api/v1/queues": ALL,
    "GET /api/v1/agents": LEADERS,
    "GET /api/v1/links": LEADERS,
    "GET /api/v1/gaps": LEADERS,
    "GET /api/v1/audits": LEADERS,
    "GET /api/v1/webhooks/deliveries": {"admin"},
    "POST /api/v1/webhooks/deliveries/{delivery_id}/resend": {"admin"},
    "PUT /api/v1/agents/{extension}/state": {"agent", "supervisor"},
    "GET /api/v1/routing": {"admin"},
}
"""docs/protocol.md's table; what is not in it is for nobody."""

FOR_ANYONE = {
    "POST /api/v1/session",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api/docs",
    "GET /api/openapi.json",
    "GET /ws",
    "GET /",
    "GET /login",
    "GET /agent",
    "GET /supervisor",
    "GET /admin",
    "GET /static/{name}",
}
"""The websocket and the pages ask for themselves: test_websocket, test_pages."""


async def test_there_is_no_route_beside_the_tables(web: Web) -> None:
    routes = {
        f"{route.method} {route.resource.canonical}"
        for route in web.app.router.routes()
        if route.resource and route.method != "HEAD"
    }

    assert routes == MATRIX.keys() | FOR_ANYONE


@pytest.mark.parametrize("row", MATRIX)
async def test_without_a_session_there_is_nothing(web: Web, row: str) -> None:
    method, path = row.split()

    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YWRhOng="}, {"Cookie": "cti_session=x"}):
        status, body = await web.call(method, _filled(path), {}, headers=headers)
        assert (status, body["type"]) == (401, "urn:cti-bridge:problem:not-signed-in")


@pytest.mark.parametrize("user", [AGENT, SUPERVISOR, ADMIN], ids=["agent", "supervisor", "admin"])
@pytest.mark.parametrize("row", MATRIX)
async def test_every_route_with_every_role(web: Web, row: str, user: User) -> None:
    method, path = row.split()

    status, body = await web.call(method, _filled(path), {"wrong": "field"}, user=user)

    if user.role in MATRIX[row]:
        assert status not in {401, 403}
    else:
        assert (status, body["type"], body["detail"]) == (
            403,
            "urn:cti-bridge:problem:not-allowed",
            f"This is not for the role {user.role}.",
        )
    assert web.commands.told == []


def test_only_signing_in_is_for_anyone() -> None:
    assert [(route.method, route.path) for route in API_ROUTES if route.roles is ANYONE] == [("POST", "/api/v1/session")]


def _filled(path: str) -> str:
    values = {"account_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12, "call_id": "main:1.1", "extension": "1001"}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], values["account_id"]), path)
