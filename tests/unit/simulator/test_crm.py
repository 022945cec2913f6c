"""The demo's CRM, asked as the service asks it."""

import aiohttp

from cti_bridge.domain.account import Tier
from cti_bridge.external.rest import RestLookup
from cti_bridge.simulator.crm import SimulatedCrm
from cti_bridge.simulator.customers import CUSTOMERS
from cti_bridge.simulator.demo_callers import UNKNOWN_NUMBERS


async def test_it_knows_callers_who_are_on_no_account_and_shows_them():
    async with SimulatedCrm(thinks_seconds=0) as crm:
        settings = crm.settings()
        assert settings.secret is not None
        adapter = RestLookup(settings, settings.secret.get_secret_value())
        (known,), nobody = await adapter.by_number("+441614960600"), await adapter.by_number("+33199004321")
        two = await adapter.by_number("+12125550187")
        await adapter.close()
        async with aiohttp.ClientSession() as http, http.get(str(known.link)) as answer:
            page = await answer.text()

    assert (known.external_id, known.name, known.tier, nobody) == ("C-1177", "Imran Siddiqui", Tier.PLATINUM, ())
    assert [fact.label for fact in known.facts] == ["Open orders"]
    assert len(two) == 2
    assert "C-1177 Imran Siddiqui" in page
    assert ("+441614960600", "SALFORD") in UNKNOWN_NUMBERS
    assert not any("0161 496 0600" in customer.phones for customer in CUSTOMERS)


async def test_it_answers_nobody_who_does_not_know_its_secret():
    async with (
        SimulatedCrm(thinks_seconds=0) as crm,
        aiohttp.ClientSession() as http,
        http.get(str(crm.settings().url).replace("{e164}", "x")) as answer,
    ):
        assert answer.status == 401
