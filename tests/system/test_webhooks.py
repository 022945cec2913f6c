"""Webhooks of the whole service: other systems hear of a call, and one that hangs keeps no agent waiting."""

from standardwebhooks import Webhook

from config.settings import WebhookSettings
from tests.support.running import ZOE, eventually, service
from tests.support.webhook_target import SECRET, Target, listening


def webhook(name: str, target: Target) -> WebhookSettings:
    fields = {"name": name, "url": f"http://127.0.0.1:{target.port}/hook", "secret": SECRET, "events": ["call.ended"]}
    return WebhookSettings.model_validate(fields | {"allow_private": True})


async def test_a_call_is_told_and_a_system_that_hangs_delays_neither_it_nor_the_next(tmp_path, template):
    async with listening(None) as slow, listening(200) as crm:
        webhooks = (webhook("slow", slow), webhook("crm", crm))
        async with service(tmp_path, template, webhook=webhooks) as (cti, pbx):
            admin = await cti.sign_in("admin")
            for number, (agent, extension) in enumerate((("one", "1001"), ("two", "1002")), start=1):
                screen = await (await cti.sign_in(agent)).opens()
                call = await pbx.call_in("8001", ZOE)
                await screen.until("pop")
                pbx.phone(extension).answer()
                await screen.until_call("call.answered", f"main:{call.uniqueid}")
                call.hang_up()
                await screen.until_call("call.ended", f"main:{call.uniqueid}")

                async def heard(count: int = number) -> bool:
                    return len(crm.got) == count and len(slow.got) > 0

                await eventually(heard)
            headers, body = crm.got[-1]
            stored = await cti.stored(f"main:{call.uniqueid}")
            waiting = await admin.sees("/webhooks/deliveries?state=waiting")

        event = Webhook(SECRET).verify(body, headers)
        assert event["data"]["call"] == stored["call"]
        assert (event["data"]["interaction_id"], event["data"]["account_id"]) == (
            stored["interaction_id"],
            stored["account_id"],
        )
        assert {one["webhook"] for one in waiting["items"]} == {"slow"}
