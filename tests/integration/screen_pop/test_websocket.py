"""The websocket against a real client: welcome, events, resume, and every way it may end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cti_bridge.domain.account import Candidate, Found, MatchReason, NotFound
from cti_bridge.domain.call import Extension, call_document
from cti_bridge.domain.call_events import CallAnswered, CallChanged, CallEnded, CallOffered, OfferEnd
from screen_pop.pop import build_pop, pop_document
from screen_pop.ports import GapSeen
from screen_pop.visible import audit_summary, seen_gap_document
from tests.support.gaps import a_gap
from tests.support.stores import ADMIN, AGENT, NOW, OTHER_AGENT, SUPERVISOR, a_call, an_account, an_agent, figures_of
from tests.support.web import Web

EXTENSION = Extension("1001")


async def pop_for(web: Web, call_id: str, *, nth: int = 1, **changes: Any) -> str:
    call = a_call(call_id, ringing=("1001",), **changes)
    pop = build_pop(call, EXTENSION, nth, NotFound(), decision=None)
    await web.hub.pop(pop, at=NOW)
    return pop.pop_id


async def test_agent_is_welcomed_with_the_own_state_only(web: Web) -> None:
    own, others = a_call("main:1.1", talking=("1001",)), a_call("main:2.1", talking=("1002",))
    web.live.the_calls = [own, others]

    browser = await web.open(AGENT)

    welcome = browser.welcome
    assert welcome["type"] == "welcome"
    assert welcome["resumed"] is False
    assert welcome["user"] == {"username": "ada", "name": "Ada", "role": "agent", "extension": "1001", "language": "en"}
    assert welcome["snapshot"].keys() == {"calls", "pops", "agent", "queues", "links"}
    assert welcome["snapshot"]["calls"] == [call_document(own)]
    assert welcome["snapshot"]["agent"]["agent"] == "1001"
    assert [queue["queue"] for queue in welcome["snapshot"]["queues"]] == ["support"]


@pytest.mark.parametrize(
    ("user", "keys"),
    [
        (SUPERVISOR, {"calls", "agents", "queues", "links", "gaps", "audits"}),
        (ADMIN, {"queues", "links", "gaps", "audits", "routing"}),
    ],
    ids=["supervisor", "admin"],
)
async def test_snapshot_holds_what_the_role_may_see(web: Web, user: Any, keys: set[str]) -> None:
    assert (await web.open(user)).welcome["snapshot"].keys() == keys


async def test_pop_goes_to_its_agent_in_every_tab_and_to_nobody_else(web: Web) -> None:
    tabs = [await web.open(AGENT), await web.open(AGENT)]
    other = await web.open(OTHER_AGENT)
    call, account = a_call(ringing=("1001",)), an_account()
    lookup = Found(candidates=(Candidate(account=account, reason=MatchReason.EXACT_NUMBER),))
    pop = build_pop(call, EXTENSION, 1, lookup, decision=None)

    await web.hub.pop(pop, at=NOW)
    await web.hub.deliver(Extension("1002"), "call.changed", {"call": {}}, at=NOW)

    first = tabs[0].welcome["event_id"] + 1
    expected = {"id": first, "type": "pop", "at": "2026-11-22T08:30:00.000Z", **pop_document(pop)}
    assert [await tab.hear() for tab in tabs] == [expected, expected]
    assert (await other.hear())["type"] == "call.changed"


async def test_the_same_pop_told_twice_is_sent_once(web: Web) -> None:
    browser = await web.open(AGENT)

    await pop_for(web, "main:1.1")
    await pop_for(web, "main:1.1")
    await pop_for(web, "main:1.1", nth=2)

    assert [(await browser.hear())["pop_id"] for _ in range(2)] == ["main:1.1/1001/1", "main:1.1/1001/2"]


async def test_a_pop_is_updated_then_withdrawn_once(web: Web) -> None:
    browser = await web.open(AGENT)
    call, account = a_call(ringing=("1001",)), an_account()
    pop = build_pop(call, EXTENSION, 1, NotFound(), decision=None)
    lookup = Found(candidates=(Candidate(account=account, reason=MatchReason.EXACT_NUMBER),))
    await web.hub.pop(pop, at=NOW)

    await web.hub.update_pop(build_pop(call, EXTENSION, 1, lookup, decision=None), at=NOW)
    for _ in range(2):
        await web.hub.withdraw_pop(EXTENSION, pop.pop_id, call.call_id, OfferEnd.ANSWERED_ELSEWHERE, at=NOW)
    await web.hub.update_pop(pop, at=NOW)
    await web.hub.deliver(EXTENSION, "call.changed", {"call": {}}, at=NOW)

    heard = [await browser.hear() for _ in range(4)]
    assert [message["type"] for message in heard] == ["pop", "pop.update", "pop.withdrawn", "call.changed"]
    assert heard[1]["account"]["name"] == account.name
    assert heard[2] | {"id": 0} == {
        "id": 0,
        "type": "pop.withdrawn",
        "at": "2026-11-22T08:30:00.000Z",
        "pop_id": pop.pop_id,
        "call_id": call.call_id,
        "why": "answered_elsewhere",
    }


async def test_events_of_a_dropped_browser_are_replayed_without_loss_or_doubling(web: Web) -> None:
    browser = await web.open(AGENT)
    await pop_for(web, "main:1.1")
    first = await browser.hear()
    await browser.drop()
    for number in range(2, 6):
        await pop_for(web, f"main:{number}.1")

    again = await web.open(AGENT, last_event_id=first["id"])
    await pop_for(web, "main:6.1")

    assert (again.welcome["resumed"], again.welcome["event_id"]) == (True, first["id"])
    heard = [await again.hear() for _ in range(5)]
    assert [message["pop_id"] for message in heard] == [f"main:{number}.1/1001/1" for number in range(2, 7)]
    assert [message["id"] for message in heard] == list(range(first["id"] + 1, first["id"] + 6))


async def test_events_before_the_first_browser_are_in_the_snapshot(web: Web) -> None:
    pop_id = await pop_for(web, "main:1.1")

    browser = await web.open(AGENT)
    await pop_for(web, "main:2.1")

    assert [pop["pop_id"] for pop in browser.welcome["snapshot"]["pops"]] == [pop_id]
    assert (await browser.hear())["id"] == browser.welcome["event_id"] + 1


@pytest.mark.parametrize("last_event_id", [1, 2**53 - 1], ids=["too old", "never given"])
async def test_what_cannot_be_replayed_is_a_gap_and_a_fresh_snapshot(web: Web, last_event_id: int) -> None:
    await pop_for(web, "main:1.1")
    browser = await web.connect(AGENT)

    await browser.say({"type": "hello", "last_event_id": last_event_id})

    assert (await browser.hear())["type"] == "gap"
    welcome = await browser.hear()
    assert (welcome["type"], welcome["resumed"], len(welcome["snapshot"]["pops"])) == ("welcome", False, 1)


async def test_supervisors_see_every_call_and_agents_their_own(web: Web) -> None:
    supervisor, agent, other = await web.open(SUPERVISOR), await web.open(AGENT), await web.open(OTHER_AGENT)
    mine, others = a_call("main:1.1", talking=("1001",)), a_call("main:2.1", ringing=("1002",))

    await web.hub.tell_call(CallAnswered(call=mine, at=NOW, agent=EXTENSION))
    await web.hub.tell_call(CallOffered(call=others, at=NOW, agent=Extension("1002"), nth=1))
    await web.hub.tell_call(CallEnded(call=mine, at=NOW))

    told = [await supervisor.hear() for _ in range(3)]
    assert [message["type"] for message in told] == ["call.answered", "call.changed", "call.ended"]
    assert [message["id"] for message in told] == [supervisor.welcome["event_id"] + n for n in (1, 2, 3)]
    assert [(await agent.hear())["call"]["call_id"] for _ in range(2)] == ["main:1.1", "main:1.1"]
    assert (await other.hear())["call"]["call_id"] == "main:2.1"


async def test_an_outside_party_of_a_call_is_nobodys_receiver(web: Web) -> None:
    await web.open(AGENT)

    await web.hub.tell_call(CallChanged(call=a_call(talking=("external:+442079460018",), answered_by=()), at=NOW))

    assert set(web.hub._agents) == {"1001"}


async def test_a_pop_stands_while_the_agent_has_the_caller(web: Web) -> None:
    await pop_for(web, "main:1.1")
    await web.hub.tell_call(CallAnswered(call=a_call("main:1.1", talking=("1001",)), at=NOW, agent=EXTENSION))
    while_talking = (await web.open(AGENT)).welcome["snapshot"]["pops"]

    await web.hub.tell_call(CallEnded(call=a_call("main:1.1", answered_by=(EXTENSION,)), at=NOW))
    afterwards = (await web.open(AGENT)).welcome["snapshot"]["pops"]

    assert ([pop["pop_id"] for pop in while_talking], afterwards) == (["main:1.1/1001/1"], [])


async def test_a_pop_that_missed_its_agent_is_withdrawn_even_after_the_call_was_told(web: Web) -> None:
    browser = await web.open(AGENT)
    pop_id = await pop_for(web, "main:1.1")
    gone = a_call("main:1.1", talking=("1002",))

    await web.hub.tell_call(CallAnswered(call=gone, at=NOW, agent=Extension("1002")))
    await web.hub.withdraw_pop(EXTENSION, pop_id, gone.call_id, OfferEnd.ANSWERED_ELSEWHERE, at=NOW)

    assert [(await browser.hear())["type"] for _ in range(2)] == ["pop", "pop.withdrawn"]


async def test_shown_is_counted_once_however_many_tabs_say_it(web: Web) -> None:
    tabs = [await web.open(AGENT), await web.open(AGENT)]
    pop_id = await pop_for(web, "main:1.1")

    for tab in tabs:
        event = await tab.hear()
        await tab.say({"type": "shown", "pop_id": pop_id})
        await tab.say({"type": "ack", "id": event["id"]})
        await tab.say({"type": "huh"})
        assert (await tab.hear())["kind"] == "unknown-type"  # so the two before were dealt with

    assert web.counted("cti_pops_total", stage="sent") == 1
    assert web.counted("cti_pops_total", stage="shown") == 1
    assert web.counted("cti_pop_latency_seconds_count", stage="shown") == 1


async def test_presence_follows_the_browsers(web: Web) -> None:
    assert web.hub.present() == frozenset()
    tabs = [await web.open(AGENT), await web.open(AGENT)]
    await web.open(SUPERVISOR)
    assert web.hub.present() == {"1001"}

    await tabs[0].socket.close()
    assert web.hub.present() == {"1001"}
    await tabs[1].socket.close()
    for _ in range(100):  # the server sees the goodbye within some round trips
        if not web.hub.present():
            break
        await web.call("GET", "/healthz")
    assert web.hub.present() == frozenset()


async def test_live_states_come_when_they_change_and_only_to_those_concerned(web: Web) -> None:
    supervisor, agent, admin = await web.open(SUPERVISOR), await web.open(AGENT), await web.open(ADMIN)
    await web.feed.tick()
    for browser, types in ((supervisor, 5), (agent, 3), (admin, 5)):
        for _ in range(types):
            await browser.hear()

    web.live.the_queues = [figures_of("sales", waiting=3), figures_of("support")]
    await web.feed.tick()
    await web.feed.tick()
    web.live.the_agents = [an_agent("1001", queues=("support", "sales")), an_agent("1002", queues=("sales",))]
    await web.feed.tick()

    figures = await supervisor.hear()
    assert figures.keys() == {"type", "at", "queues"}
    assert [(queue["queue"], queue["waiting"]) for queue in figures["queues"]] == [("sales", 3)]
    assert [state["agent"] for state in (await supervisor.hear())["agents"]] == ["1001"]
    assert (await admin.hear())["type"] == "queue.figures"
    own = [await agent.hear(), await agent.hear()]
    assert {message["type"] for message in own} == {"agent.state", "queue.figures"}
    joined = next(message for message in own if message["type"] == "queue.figures")
    assert {(queue["queue"], queue["waiting"]) for queue in joined["queues"]} == {("sales", 3), ("support", 0)}


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror='x'>",
        'a"},{"type":"pop',
        "\u202egnirts\u2066",
        "a\u2028b\u0085c\r\nd\x00e",
        "半\ud800角",
        "'; --",
    ],
    ids=["markup", "json", "bidi", "controls", "half character", "quotes"],
)
async def test_a_hostile_name_arrives_as_text(web: Web, name: str) -> None:
    browser = await web.open(AGENT)

    await pop_for(web, "main:1.1", customer_name=name)

    assert (await browser.hear())["call"]["customer_name"] == name.replace("\ud800", "\ufffd")


async def test_a_gap_is_told_to_leaders_and_to_no_agent(web: Web) -> None:
    supervisor, agent, admin = await web.open(SUPERVISOR), await web.open(AGENT), await web.open(ADMIN)
    assert supervisor.welcome["snapshot"]["gaps"] == [seen_gap_document(seen) for seen in web.live.gaps()]
    await web.feed.tick()
    for browser, types in ((supervisor, 5), (agent, 3), (admin, 5)):
        for _ in range(types):
            await browser.hear()

    opened = GapSeen(gap=a_gap(-1, until=None, rebuilt=0), is_audited=False)
    web.live.the_gaps = [opened, *web.live.the_gaps]
    await web.feed.tick()
    found = replace(web.live.the_audits[0], left=2)
    web.live.the_audits = [found]
    await web.feed.tick()
    web.live.the_links = []
    await web.feed.tick()

    for leader in (supervisor, admin):
        told = {message["type"]: message for message in [await leader.hear(), await leader.hear()]}
        assert told["gap.state"]["gaps"] == [seen_gap_document(opened)]
        assert told["audit.state"]["audits"] == [audit_summary(found)]


async def test_changes_of_a_call_reach_many_boards_in_order(web: Web) -> None:
    """More than one batch of browsers, and two broadcasts under way at once."""
    web.users.users.update({f"s{n}": replace(SUPERVISOR, user_id=f"s{n}", username=f"s{n}") for n in range(8)})
    boards = [await web.open(user) for n in range(8) for user in [web.users.users[f"s{n}"]] for _ in range(10)]

    calls = [a_call(f"main:{n}.1") for n in range(5)]
    await asyncio.gather(*(web.hub.tell_call(CallChanged(call=call, at=NOW)) for call in calls))

    for board in boards:
        heard = [await board.hear() for _ in calls]
        assert [message["call"]["call_id"] for message in heard] == [call.call_id for call in calls]
