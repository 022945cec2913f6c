"""The rights of a customer in the whole service: masked where the role says so, shown for a reason, erased from everything."""

import json
from pathlib import Path
from typing import Any

from config.settings import PrivacySettings
from cti_bridge.domain.user import Role
from cti_bridge.simulator.pbx import SimulatedPbx
from storage.audit_log import AuditLog
from storage.database import Database
from tests.support.running import NOBODY, ZOE, Service, service

MASKED = PrivacySettings(masked_roles=(Role.SUPERVISOR, Role.AGENT))
TAIL = ZOE[1:]


async def a_call(cti: Service, pbx: SimulatedPbx, number: str) -> str:
    """A call that 1001 takes, from ring to end; gives its id."""
    screen = await (await cti.sign_in("one")).opens()
    call = await pbx.call_in("8100", number, name="Zoë Quinn" if number == ZOE else "Bo Nobody")
    call_id = f"main:{call.uniqueid}"
    await screen.until("pop", lambda message: message["call"]["call_id"] == call_id)
    pbx.phone("1001").answer()
    await screen.until_call("call.answered", call_id)
    call.hang_up()
    await cti.stored(call_id)
    return call_id


def text_of(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def journal_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted((folder / "journal" / "main").iterdir()))


async def test_the_board_sees_stars_the_agent_the_number_and_the_reason_is_written_down(tmp_path, template):
    async with service(tmp_path, template, privacy=MASKED) as (cti, pbx):
        one, sam, admin = await cti.sign_in("one"), await cti.sign_in("sam"), await cti.sign_in("admin")
        board, desk = await sam.opens(), await one.opens()

        call_id = await a_call(cti, pbx, ZOE)
        pop = await desk.until("pop")
        await board.until_call("call.ended", call_id)
        (zoe,) = (await sam.sees(f"/accounts?phone={ZOE}"))["items"]
        none = await sam.sees("/accounts?q=7946001")
        _, shown = await sam.asks("POST", f"/accounts/{zoe['account_id']}/reveal", {"reason": "identity"})
        _, call = await sam.asks("POST", f"/calls/{call_id}/reveal", {"reason": "complaint"})
        log = (await admin.sees("/audit-log"))["items"]

        assert (pop["call"]["customer_number"], pop["account"]["contact_points"][0]["value"]) == (f"+44{TAIL}", f"+44{TAIL}")
        assert TAIL not in text_of(board.heard) + text_of(zoe) + text_of(await sam.sees("/interactions"))
        assert none["items"] == []
        assert (shown["contact_points"][0]["value"], call["presented_number"]) == (f"+44{TAIL}", ZOE)
        assert [(row["action"], row["actor"], row["subject"], row["detail"]) for row in reversed(log)] == [
            ("account.revealed", "sam", zoe["account_id"], {"reason": "identity"}),
            ("call.revealed", "sam", call_id, {"reason": "complaint"}),
        ]


async def test_an_erased_customer_is_in_no_file_and_everybody_else_is(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        admin = await cti.sign_in("admin")
        (zoe,) = (await admin.sees(f"/accounts?phone={ZOE}"))["items"]
        zoes, bos = await a_call(cti, pbx, ZOE), await a_call(cti, pbx, NOBODY)
        before = journal_of(tmp_path)

        status, erased = await admin.asks("DELETE", f"/accounts/{zoe['account_id']}")
        again = await a_call(cti, pbx, NOBODY)

        after = journal_of(tmp_path)
        assert (status, erased["accounts"], erased["interactions"]) == (200, 1, 2)
        assert erased["journal"] > 10
        assert len(after) > len(before)
        for of_zoe in (TAIL, "Zoë Quinn"):
            assert of_zoe.encode() in before
            assert of_zoe.encode() not in after
        assert after.count(NOBODY.encode()) > before.count(NOBODY.encode()) > 0

    async with service(tmp_path, template) as (cti, _):
        sam = await cti.sign_in("sam")
        stored = {
            one["call_id"]: one["call"]["customer_number"] for one in (await sam.sees("/interactions"))["items"] if one["call"]
        }
        assert stored == {zoes: None, bos: f"+44{NOBODY[1:]}", again: f"+44{NOBODY[1:]}"}
        assert cti.app._journals["main"].counters["torn"] == 0

    files = {file.name for file in tmp_path.glob("cti.db*") if TAIL.encode() in file.read_bytes()}
    assert files == set()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")
    assert (await AuditLog(database).verify()).broken is None
    await database.close()
