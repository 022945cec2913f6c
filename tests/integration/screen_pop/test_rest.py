"""The REST API by subject, over a real socket."""

from dataclasses import replace
from typing import Any

import pytest

from cti_bridge.domain.agent import agent_document
from cti_bridge.domain.audit import audit_document
from cti_bridge.domain.call import CallId, Extension, call_document
from cti_bridge.domain.figures import figures_document
from cti_bridge.domain.interaction import interaction_document
from screen_pop.ports import CommandRefused, GapSeen
from screen_pop.visible import link_document, routing_document, seen_gap_document
from tests.support.gaps import a_gap
from tests.support.stores import ADMIN, AGENT, OTHER_AGENT, SUPERVISOR, a_call, an_account, an_interaction
from tests.support.web import Web

API = "/api/v1"
NO_SUCH_ID = "00000000-0000-7000-8000-000000000000"


def kind(body: Any) -> str:
    return str(body["type"]).removeprefix("urn:cti-bridge:problem:")


def places(body: Any) -> list[str]:
    return [error["at"] for error in body["errors"]]


# accounts


async def test_an_account_is_created_found_changed_and_shown(web: Web) -> None:
    fields = {
        "name": "Zoë <b>",
        "tier": "gold",
        "contact_points": [{"kind": "phone", "value": "020 7946 0018"}, {"kind": "email", "value": "z@example.net"}],
    }
    created, account = await web.call("POST", f"{API}/accounts", fields, user=AGENT)
    path = f"{API}/accounts/{account['account_id']}"
    changed, after = await web.call("PATCH", path, {"note": "likes tea", "tier": None}, user=AGENT)

    assert (created, changed) == (201, 200)
    assert account["contact_points"][0] == {
        "kind": "phone",
        "value": "+442079460018",
        "as_given": "020 7946 0018",
        "label": None,
        "extension": None,
    }
    assert after == {**account, "note": "likes tea", "tier": None}
    for query in ("phone=%2B442079460018", "phone=02079460018", "email=z@example.net", "q=zo%C3%AB"):
        assert await web.call("GET", f"{API}/accounts?{query}", user=AGENT) == (200, {"items": [after], "next": None})
    assert await web.call("GET", path, user=AGENT) == (200, after)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"name": "a\0b"}, ["name"]),
        ({"name": 7}, ["name"]),
        ({"name": "X", "rôle": "admin"}, ["rôle"]),
        ({"name": "X", "account_id": NO_SUCH_ID}, ["account_id"]),
        ({"name": "X", "tier": "diamond"}, ["tier"]),
        ({"name": "X", "contact_points": [{"kind": "phone", "value": "vanity"}]}, ["contact_points.0.value"]),
        ({"name": "X", "contact_points": [{"kind": "pigeon", "value": "x"}]}, ["contact_points.0.kind"]),
        ({"name": "X", "contact_points": [{"kind": "fax", "value": "1", "x": 1}]}, ["contact_points.0.x"]),
        ({"name": "X", "contact_points": [{"kind": "fax", "value": "1"}] * 51}, ["contact_points"]),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named_with_its_place(web: Web, fields: Any, at: list[str]) -> None:
    status, body = await web.call("POST", f"{API}/accounts", fields, user=AGENT)

    assert (status, kind(body), places(body)) == (422, "wrong-fields", at)
    assert web.accounts.kept == {}


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("", [""]),
        ("phone=", ["phone"]),
        ("q=x&limit=0", ["limit"]),
        ("q=x&limit=201", ["limit"]),
        ("q=x&limit=many", ["limit"]),
        ("q=x&cursor=made-up", ["cursor"]),
        ("q=x&sort=name", ["sort"]),
        ("q=x&q=y", ["q"]),
    ],
)
async def test_a_wrong_query_is_named_with_its_place(web: Web, query: str, at: list[str]) -> None:
    status, body = await web.call("GET", f"{API}/accounts?{query}", user=AGENT)

    assert (status, places(body)) == (422, at)


@pytest.mark.parametrize("account_id", [NO_SUCH_ID, "1", "..%2F..%2Fetc", "%00", "' OR 1=1"])
async def test_an_account_that_is_not_there_is_not_found(web: Web, account_id: str) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("GET", "/timeline")):
        status, body = await web.call(method, f"{API}/accounts/{account_id}{path}", {"note": "x"}, user=AGENT)
        assert (status, kind(body)) == (404, "not-found")


@pytest.mark.parametrize(("fields", "at"), [({}, ""), ({"name": None}, "name")], ids=str)
async def test_a_change_says_something_and_keeps_the_name(web: Web, fields: Any, at: str) -> None:
    account = an_account()
    web.accounts.kept[account.account_id] = account

    status, body = await web.call("PATCH", f"{API}/accounts/{account.account_id}", fields, user=AGENT)

    assert (status, places(body)) == (422, [at])


async def test_a_timeline_is_read_page_by_page(web: Web) -> None:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    for _ in range(5):
        web.interactions.put(an_interaction(account_id=account.account_id))
    path, seen, cursor = f"{API}/accounts/{account.account_id}/timeline?limit=2", [], ""

    for _ in range(3):
        _, page = await web.call("GET", path + cursor, user=AGENT)
        seen += [item["interaction_id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"

    assert page["next"] is None
    assert sorted(seen) == sorted(web.interactions.kept)


# interactions


async def test_a_contact_of_another_channel_is_added_once_for_one_key(web: Web) -> None:
    fields = {"channel": "email", "subject": "Refund", "started_at": "2026-11-22T09:00:00+01:00"}
    key = {"Idempotency-Key": "k1"}

    first, added = await web.call("POST", f"{API}/interactions", fields, user=AGENT, headers=key)
    _, again = await web.call("POST", f"{API}/interactions", fields, user=AGENT, headers=key)
    _, others = await web.call("POST", f"{API}/interactions", fields, user=OTHER_AGENT, headers=key)

    assert (first, added["started_at"], added["agent"]) == (201, "2026-11-22T08:00:00.000Z", "1001")
    assert again == added
    assert others["interaction_id"] != added["interaction_id"]


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({}, "channel"),
        ({"channel": "phone"}, "channel"),
        ({"channel": "chat", "started_at": "2026-11-22T09:00:00"}, "started_at"),
        ({"channel": "chat", "started_at": "9999-12-31T23:59:59-14:00"}, "started_at"),
        ({"channel": "chat", "started_at": "2026-11-23T09:00:00Z"}, "started_at"),
        ({"channel": "chat", "started_at": "2026-11-22T08:00:00Z", "ended_at": "2026-11-22T07:00:00Z"}, "ended_at"),
        ({"channel": "chat", "ended_at": "2026-11-22T07:00:00Z"}, "ended_at"),
        ({"channel": "chat", "account_id": NO_SUCH_ID}, "account_id"),
        ({"channel": "chat", "agent": "1002"}, "agent"),
    ],
    ids=str,
)
async def test_a_wrong_contact_is_refused(web: Web, fields: Any, at: str) -> None:
    status, body = await web.call("POST", f"{API}/interactions", fields, user=AGENT)

    assert (status, kind(body), places(body)) == (422, "wrong-fields", [at])
    assert web.interactions.kept == {}


async def test_an_idempotency_key_is_bounded(web: Web) -> None:
    headers = {"Idempotency-Key": "x" * 201}

    status, body = await web.call("POST", f"{API}/interactions", {"channel": "chat"}, user=AGENT, headers=headers)

    assert (status, places(body)) == (422, ["Idempotency-Key"])


async def test_an_agent_lists_the_own_contacts_or_those_of_an_account(web: Web) -> None:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    own = web.interactions.put(an_interaction())
    others = web.interactions.put(an_interaction(agent=Extension("1002"), account_id=account.account_id))

    async def listed(query: str, user: Any = AGENT) -> Any:
        status, body = await web.call("GET", f"{API}/interactions{query}", user=user)
        return {item["interaction_id"] for item in body["items"]} if status == 200 else status

    assert await listed("") == {own.interaction_id}
    assert await listed("?agent=1001") == {own.interaction_id}
    assert await listed("?agent=1002") == 403
    assert await listed(f"?account={account.account_id}") == {others.interaction_id}
    assert await listed("", SUPERVISOR) == {own.interaction_id, others.interaction_id}
    assert await listed("?agent=1002", SUPERVISOR) == {others.interaction_id}
    assert await listed("?channel=fax&since=2026-11-22T08:00:00Z", SUPERVISOR) == set()
    assert await listed("?since=yesterday", SUPERVISOR) == 422


async def test_only_who_had_the_contact_or_leads_labels_it(web: Web) -> None:
    call = call_document(a_call(answered_by=("1001", "1002")))
    shared = web.interactions.put(an_interaction(agent=Extension("1002"), call=call))
    others = web.interactions.put(an_interaction(agent=Extension("1002")))

    async def label(interaction: Any, user: Any) -> int:
        return (await web.call("PATCH", f"{API}/interactions/{interaction.interaction_id}", {"note": "n"}, user=user))[0]

    assert [await label(shared, AGENT), await label(others, AGENT), await label(others, SUPERVISOR)] == [200, 403, 200]
    assert (await web.call("PATCH", f"{API}/interactions/{NO_SUCH_ID}", {"note": "n"}, user=ADMIN))[0] == 404


# calls


async def test_calls_are_shown_to_those_whom_they_concern(web: Web) -> None:
    own, others = a_call("main:1.1", talking=("1001",)), a_call("main:2.1", ringing=("1002",))
    web.live.the_calls = [own, others]

    assert await web.call("GET", f"{API}/calls", user=AGENT) == (200, {"items": [call_document(own)], "next": None})
    assert (await web.call("GET", f"{API}/calls/main:2.1", user=AGENT))[0] == 404
    assert await web.call("GET", f"{API}/calls/main:2.1", user=SUPERVISOR) == (200, call_document(others))
    first = await web.call("GET", f"{API}/calls?limit=1", user=SUPERVISOR)
    second = await web.call("GET", f"{API}/calls?limit=1&cursor={first[1]['next']}", user=SUPERVISOR)
    assert [page[1]["items"][0]["call_id"] for page in (first, second)] == ["main:1.1", "main:2.1"]
    assert second[1]["next"] is None


async def test_an_ended_call_is_shown_from_the_store(web: Web) -> None:
    document = call_document(a_call("main:1.1", answered_by=("1001",)))
    web.interactions.put(an_interaction(call_id=CallId("main:1.1"), call=document, agent=Extension("1001")))

    assert await web.call("GET", f"{API}/calls/main:1.1", user=AGENT) == (200, document)
    assert (await web.call("GET", f"{API}/calls/main:1.1", user=OTHER_AGENT))[0] == 404
    assert (await web.call("GET", f"{API}/calls/main:9.9", user=SUPERVISOR))[0] == 404


async def test_commands_go_to_the_pbx_side_for_the_own_call(web: Web) -> None:
    web.live.the_calls = [a_call("main:1.1", talking=("1001",))]
    call = f"{API}/calls/main:1.1"

    dialled = await web.call("POST", f"{API}/calls", {"to": "020 7946 0018"}, user=AGENT)
    statuses = [
        (await web.call("POST", f"{call}/{verb}", body, user=AGENT))[0]
        for verb, body in (
            ("answer", None),
            ("hold", {}),
            ("resume", None),
            ("transfer", {"to": "1002"}),
            ("hangup", None),
        )
    ]

    assert dialled == (202, {"request_id": "r1"})
    assert statuses == [202] * 5
    assert web.commands.told == [
        ("dial", "1001", "020 7946 0018"),
        ("answer", "1001", "main:1.1"),
        ("hold", "1001", "main:1.1", True),
        ("hold", "1001", "main:1.1", False),
        ("transfer", "1001", "main:1.1", "1002"),
        ("hang_up", "1001", "main:1.1"),
    ]


@pytest.mark.parametrize("verb", ["answer", "hold", "resume", "transfer", "hangup"])
@pytest.mark.parametrize("call_id", ["main:2.1", "main:9.9"], ids=["another's", "none"])
async def test_the_call_of_another_and_no_call_at_all_are_refused_alike(web: Web, verb: str, call_id: str) -> None:
    web.live.the_calls = [a_call("main:2.1", talking=("1002",))]
    body = {"to": "1003"} if verb == "transfer" else None

    status, problem = await web.call("POST", f"{API}/calls/{call_id}/{verb}", body, user=AGENT)

    assert (status, kind(problem)) == (409, "not-in-this-call")
    assert web.commands.told == []


@pytest.mark.parametrize(
    "to", ["", "1\r\nAction: Command", "PJSIP/1002", "100&PJSIP/x", "1,2", "${SHELL}", "sip:x@y", "１００", "1;2", "1" * 41, 1002]
)
async def test_what_is_no_number_is_not_dialled(web: Web, to: Any) -> None:
    web.live.the_calls = [a_call("main:1.1", talking=("1001",))]

    for path in (f"{API}/calls", f"{API}/calls/main:1.1/transfer"):
        status, body = await web.call("POST", path, {"to": to}, user=AGENT)
        assert (status, places(body)) == (422, ["to"])
    assert web.commands.told == []


async def test_a_refused_command_says_why(web: Web) -> None:
    web.commands.refusal = CommandRefused("pbx-away", "The PBX does not answer.")

    status, body = await web.call("POST", f"{API}/calls", {"to": "1002"}, user=AGENT)

    assert (status, kind(body), body["detail"]) == (409, "pbx-away", "The PBX does not answer.")


async def test_somebody_without_a_phone_dials_nothing(web: Web) -> None:
    web.users.users["ada"] = replace(AGENT, extension=None)

    status, body = await web.call("POST", f"{API}/calls", {"to": "1002"}, user=AGENT)

    assert (status, kind(body)) == (409, "no-phone")


async def test_a_wrap_up_is_stored_when_answered_and_told_to_the_other_tabs(web: Web) -> None:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    web.live.the_calls = [a_call("main:1.1", talking=("1001",))]
    tab = await web.open(AGENT)
    fields = {"disposition": "sale", "note": "<b>", "account_id": account.account_id}

    status, saved = await web.call("PATCH", f"{API}/calls/main:1.1/wrap-up", fields, user=AGENT)

    stored = await web.interactions.by_call(CallId("main:1.1"))
    assert stored is not None
    assert (status, saved) == (200, interaction_document(stored))
    assert {name: saved[name] for name in fields} == fields
    event = await tab.hear()
    assert (event["type"], event["call_id"], event["interaction"]) == ("wrap_up.saved", "main:1.1", saved)


async def test_a_wrap_up_after_the_end_is_for_those_who_talked(web: Web) -> None:
    call = call_document(a_call("main:1.1", answered_by=("1001",)))
    web.interactions.put(an_interaction(call_id=CallId("main:1.1"), call=call, agent=Extension("1001")))
    path = f"{API}/calls/main:1.1/wrap-up"

    assert (await web.call("PATCH", path, {"note": "x"}, user=AGENT))[0] == 200
    assert (await web.call("PATCH", path, {"note": "x"}, user=OTHER_AGENT))[0] == 409
    assert (await web.call("PATCH", path, {}, user=AGENT))[0] == 422
    assert (await web.call("PATCH", path, {"account_id": NO_SUCH_ID}, user=AGENT))[0] == 422


# live state


async def test_queues_agents_links_and_routing_are_shown(web: Web) -> None:
    figures = [figures_document(figure) for figure in web.live.queues()]

    assert await web.call("GET", f"{API}/queues", user=SUPERVISOR) == (200, {"items": figures, "next": None})
    assert await web.call("GET", f"{API}/queues", user=AGENT) == (200, {"items": figures[1:], "next": None})
    agents = [agent_document(state) for state in web.live.agents()]
    assert await web.call("GET", f"{API}/agents", user=SUPERVISOR) == (200, {"items": agents, "next": None})
    links = [link_document(link) for link in web.live.links()]
    assert await web.call("GET", f"{API}/links", user=ADMIN) == (200, {"items": links, "next": None})
    assert await web.call("GET", f"{API}/routing", user=ADMIN) == (200, routing_document(web.live.routing()))


async def test_an_agent_sets_the_own_state_and_a_supervisor_anybodys(web: Web) -> None:
    async def put(extension: str, body: Any, user: Any) -> int:
        return (await web.call("PUT", f"{API}/agents/{extension}/state", body, user=user))[0]

    assert await put("1001", {"status": "paused", "reason": "lunch"}, AGENT) == 202
    assert await put("1002", {"status": "ready"}, AGENT) == 403
    assert await put("1002", {"status": "ready"}, SUPERVISOR) == 202
    assert await put("1999", {"status": "ready"}, SUPERVISOR) == 404
    assert await put("1001", {"status": "logged_out"}, AGENT) == 422
    assert web.commands.told == [("set_state", "1001", True, "lunch"), ("set_state", "1002", False, None)]


async def test_gaps_are_listed_for_leaders_in_pages(web: Web) -> None:
    first = await web.call("GET", f"{API}/gaps?limit=3", user=SUPERVISOR)
    second = await web.call("GET", f"{API}/gaps?limit=3&cursor={first[1]['next']}", user=ADMIN)

    assert (first[0], second[0]) == (200, 200)
    shown = [seen_gap_document(GapSeen(gap=a_gap(minutes), is_audited=True)) for minutes in range(5)]
    assert first[1]["items"] + second[1]["items"] == shown
    assert second[1]["next"] is None
    assert (await web.call("GET", f"{API}/gaps", user=AGENT))[0] == 403
    assert (await web.call("GET", f"{API}/gaps?cursor=no", user=ADMIN))[0] == 422


async def test_the_last_audit_of_each_pbx_is_shown_to_leaders(web: Web) -> None:
    shown = [audit_document(result) for result in web.live.audits()]

    assert await web.call("GET", f"{API}/audits", user=SUPERVISOR) == (200, {"items": shown, "next": None})
    assert (await web.call("GET", f"{API}/audits", user=AGENT))[0] == 403
