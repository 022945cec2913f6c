"""What the service does by itself once a night, seen in the whole service."""

from pathlib import Path

import pytest

from config.settings import MergingSettings, Settings
from cti_bridge import nightly
from cti_bridge.app import Application
from cti_bridge.domain.account import ContactKind
from tests.support.running import ZOE, a_pbx, call_centre, eventually, ready, serving, settings_for

SAME_NUMBER = MergingSettings(same=(ContactKind.PHONE,), likeness=88)


def ruled(folder: Path, template: Path, pbx_port: int) -> Settings:
    return settings_for(folder, template, pbx_port).model_copy(update={"merging": SAME_NUMBER})


async def test_a_double_is_merged_by_the_rule_and_the_agent_on_the_phone_sees_it(tmp_path, template) -> None:
    apps: list[Application] = []
    async with a_pbx(call_centre()) as pbx, serving(ruled(tmp_path, template, pbx.port), prepare=apps.append) as cti:
        await ready(cti, agents=3)
        one = await cti.sign_in("one")
        screen = await one.opens()
        double = {"name": "Zoe", "contact_points": [{"kind": "phone", "value": ZOE}]}
        status, _ = await one.asks("POST", "/accounts", double)
        await pbx.call_in("8001", ZOE)
        pop = await screen.until("pop")

        (app,) = apps
        await app.night.merge_doubles()
        update = await screen.until("pop.update")

        assert (status, pop["lookup"], pop["account"]) == (201, "several", None)
        assert (update["lookup"], update["account"]["name"]) == ("found", "Zoë")


async def test_the_nights_work_is_done_soon_after_a_start(tmp_path, template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "SETTLED_SECONDS", 0.0)
    async with a_pbx(call_centre()) as pbx:
        async with serving(settings_for(tmp_path, template, pbx.port)) as first:
            one = await first.sign_in("one")
            await one.asks("POST", "/accounts", {"name": "Zoe", "contact_points": [{"kind": "phone", "value": ZOE}]})
        async with serving(ruled(tmp_path, template, pbx.port)) as second:
            admin = await second.sign_in("admin")

            async def merged():
                return [entry for entry in (await admin.sees("/audit-log"))["items"] if entry["action"] == "account.merged"]

            (entry,) = await eventually(merged)

    assert entry["actor"] == "rule"
