"""Another system beside our own store, in the whole service: the pop goes out first, what that system says comes after it."""

from typing import Any

import pytest

from tests.support.crm import FANG, Crm, a_crm, says
from tests.support.running import NOBODY, ZOE, Screen, eventually, service

CUSTOMER = {
    "source": "crm",
    "state": "found",
    "id": "4711",
    "name": "Fang Weiss",
    "company": "Lantern Tea",
    "tier": "platinum",
    "language": "de",
    "link": "https://crm.example/customers/4711",
    "facts": [{"label": "Open orders", "value": "3"}],
}


async def pop_and_what_follows(screen: Screen, crm: Crm) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pop, while the other system still thinks, and what comes once it has answered."""
    pop = await screen.until("pop")
    assert [one["state"] for one in pop["external"]] == ["pending"]
    crm.gate.set()
    return pop, await screen.until("pop.update")


async def test_the_pop_does_not_wait_and_the_other_systems_word_follows_on_the_same_pop(tmp_path, template):
    async with a_crm(is_open=False) as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()

        await pbx.call_in("8100", ZOE)
        pop, update = await pop_and_what_follows(screen, crm)

    assert pop["account"]["name"] == "Zoë"
    assert (update["pop_id"], update["account"]["name"]) == (pop["pop_id"], "Zoë"), "the own account stays as it is"
    assert update["external"] == [CUSTOMER]
    assert crm.numbers == ["+442079460018"]


async def test_what_was_asked_a_moment_ago_is_on_the_pop_at_once_also_for_the_next_agent(tmp_path, template):
    async with a_crm(is_open=False) as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        one, third = await cti.sign_in("one"), await (await cti.sign_in("three")).opens()
        screen = await one.opens()
        call = await pbx.call_in("8100", NOBODY)
        await pop_and_what_follows(screen, crm)
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        await one.asks("POST", f"/calls/main:{call.uniqueid}/transfer", {"to": "1003"})
        handed_on = await third.until("pop")
        call.hang_up()
        await cti.stored(f"main:{call.uniqueid}")

        await pbx.call_in("8100", NOBODY)
        again = await screen.until("pop", lambda message: message["call"]["call_id"] != f"main:{call.uniqueid}")

    assert handed_on["external"] == again["external"] == [CUSTOMER]
    assert len(crm.asked) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [(says("", status=404), "not_found"), (says("", status=500), "failed"), (says("<html>"), "failed")],
    ids=["nobody", "500", "html"],
)
async def test_whatever_it_answers_the_pop_says_so(tmp_path, template, answer, state):
    async with a_crm(answer, is_open=False) as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        await pbx.call_in("8100", ZOE)

        _, update = await pop_and_what_follows(screen, crm)

    (told,) = update["external"]
    assert (told["state"], told["id"], told["facts"]) == (state, None, [])


async def test_two_systems_one_that_hangs_keeps_nothing_from_the_other(tmp_path, template):
    async with a_crm(is_open=False) as crm, a_crm(is_open=False) as erp:
        sources = (erp.settings(name="erp", deadline_seconds=1.0), crm.settings())
        async with service(tmp_path, template, external=sources) as (cti, pbx):
            screen = await (await cti.sign_in("one")).opens()
            await pbx.call_in("8100", ZOE)
            await screen.until("pop")
            crm.gate.set()

            updates = [await screen.until("pop.update"), await screen.until("pop.update")]

    assert [[(one["source"], one["state"]) for one in update["external"]] for update in updates] == [
        [("erp", "pending"), ("crm", "found")],
        [("erp", "timed_out"), ("crm", "found")],
    ]


async def test_nobody_is_asked_about_a_number_that_is_withheld_or_before_a_phone_rings(tmp_path, template):
    async with a_crm() as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        for extension in ("1001", "1002", "1003"):
            pbx.pause(extension, reason="lunch")
        waiting = await pbx.call_in("8001", NOBODY)
        call_id = f"main:{waiting.uniqueid}"
        sam = await cti.sign_in("sam")

        async def waits() -> bool:
            return any(call["call_id"] == call_id and call["state"] == "queued" for call in (await sam.sees("/calls"))["items"])

        await eventually(waits)
        waiting.hang_up()
        await cti.stored(call_id)
        await pbx.call_in("8100", None)
        pop = await screen.until("pop")

    assert (pop["lookup"], pop["external"], crm.asked) == ("withheld", [], [])


async def test_an_unknown_caller_whom_it_knows_becomes_an_account_by_one_click(tmp_path, template):
    async with a_crm() as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call = await pbx.call_in("8100", NOBODY)
        pop = await screen.until("pop")
        path = f"/calls/main:{call.uniqueid}/account"

        status, said = await one.asks("POST", path, {"source": "crm"})
        update = await screen.until("pop.update", lambda message: message["chosen"] is not None)
        doubled, same = await one.asks("POST", path, {"source": "crm"})
        call.hang_up()
        stored = await cti.stored(f"main:{call.uniqueid}")

    account = said["account"]
    assert (pop["lookup"], status, doubled, said["chosen"]["learnt"]) == ("unknown", 201, 201, True)
    assert (account["name"], account["company"], account["tier"], account["language"], account["provisional"]) == (
        "Fang Weiss", "Lantern Tea", "platinum", "de", False,
    )  # fmt: skip
    assert [(point["kind"], point["value"], point["label"]) for point in account["contact_points"]] == [
        ("phone", "+442079460777", None),
        ("customer_number", "4711", "crm"),
    ]
    assert update["account"]["account_id"] == same["account"]["account_id"] == stored["account_id"] == account["account_id"]


async def test_a_customer_whose_number_there_is_known_here_gets_the_phone_instead_of_a_double(tmp_path, template):
    async with a_crm() as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        one = await cti.sign_in("one")
        points = [{"kind": "phone", "value": "020 7946 0999"}, {"kind": "customer_number", "value": "4711"}]
        _, known = await one.asks("POST", "/accounts", {"name": "F. Weiss", "tier": "iron", "contact_points": points})
        screen = await one.opens()
        call = await pbx.call_in("8100", NOBODY)
        await screen.until("pop")

        _, said = await one.asks("POST", f"/calls/main:{call.uniqueid}/account", {"source": "crm"})

    assert (said["account"]["account_id"], said["account"]["name"], said["account"]["tier"]) == (
        known["account_id"], "F. Weiss", "iron",
    )  # fmt: skip
    assert [point["value"] for point in said["account"]["contact_points"]] == ["+442079460999", "4711", "+442079460777"]


async def test_the_same_id_in_another_system_is_somebody_else(tmp_path, template):
    async with a_crm() as crm, a_crm() as erp:
        sources = (crm.settings(), erp.settings(name="erp"))
        async with service(tmp_path, template, external=sources) as (cti, pbx):
            one = await cti.sign_in("one")
            points = [{"kind": "customer_number", "value": "4711", "label": "erp"}]
            _, other = await one.asks("POST", "/accounts", {"name": "Olu Adeyemi", "contact_points": points})
            screen = await one.opens()
            call = await pbx.call_in("8100", NOBODY)
            await screen.until("pop")

            _, said = await one.asks("POST", f"/calls/main:{call.uniqueid}/account", {"source": "crm"})

    assert (said["account"]["name"], said["account"]["account_id"] == other["account_id"]) == ("Fang Weiss", False)


async def test_a_provisional_account_of_the_number_gets_the_name(tmp_path, template):
    async with a_crm() as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call = await pbx.call_in("8100", NOBODY)
        await screen.until("pop")
        path = f"/calls/main:{call.uniqueid}/account"
        _, unnamed = await one.asks("POST", path)

        _, named = await one.asks("POST", path, {"source": "crm"})

    assert unnamed["account"]["provisional"]
    assert (named["account"]["account_id"], named["account"]["name"], named["account"]["provisional"]) == (
        unnamed["account"]["account_id"], "Fang Weiss", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "source"),
    [
        (says({"customer": [{"no": 1}, {"no": 2}]}), "crm"),
        (says("", status=404), "crm"),
        (says("", status=500), "crm"),
        (says(FANG), "erp"),
    ],
    ids=["two", "nobody", "failed", "no such system"],
)
async def test_what_is_not_exactly_one_customer_becomes_no_account(tmp_path, template, answer, source):
    async with a_crm(answer) as crm, service(tmp_path, template, external=(crm.settings(),)) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call = await pbx.call_in("8100", NOBODY)
        await screen.until("pop")

        status, problem = await one.asks("POST", f"/calls/main:{call.uniqueid}/account", {"source": source})

        assert (status, problem["type"]) == (409, "urn:cti-bridge:problem:not-one-there")
        assert (await one.sees("/accounts?phone=02079460777"))["items"] == []


async def test_a_system_that_fails_makes_the_service_degraded_and_is_counted(tmp_path, template):
    async with (
        a_crm(says("", status=503), is_open=False) as crm,
        service(tmp_path, template, external=(crm.settings(failures=1),)) as (cti, pbx),
    ):
        screen = await (await cti.sign_in("one")).opens()
        await pbx.call_in("8100", ZOE)
        await pop_and_what_follows(screen, crm)
        async with cti.http.get(f"{cti.base}/readyz") as answer:
            status, ready = answer.status, await answer.json()
        async with cti.http.get(f"{cti.base}/metrics") as answer:
            metrics = await answer.text()

    assert (status, ready["status"]) == (200, "degraded")
    assert [(check["ok"], check["detail"]) for check in ready["checks"] if check["name"] == "external crm"] == [
        (False, "not asked for 30 s at a time: it answered 503")
    ]
    assert 'cti_external_total{kind="failed",source="crm"} 1.0' in metrics
    assert 'cti_external_paused{source="crm"} 1.0' in metrics
