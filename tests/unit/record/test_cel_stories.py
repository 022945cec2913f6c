"""Calls of CEL rows that no recording has: other sites, other ways to call. Each row is written as Asterisk 22 writes it."""

from typing import Any

import pytest

from cti_bridge.domain.call import Direction, Outcome, Party
from cti_bridge.domain.recorded_call import RecordedCall
from cti_bridge.record.backfill import added_call
from cti_bridge.record.cel_outcomes import CelCalls
from cti_bridge.record.rows import CelRow
from tests.support.record_samples import INTERNAL

START = 1795314667.0
OUTGOING = "(Outgoing Line)"


def row(
    kind: str, at: float, channel: str, number: int, *, linked: int | None = None, caller: str = "", exten: str = "",
    app: str = "", data: str = "", **extra: Any,
) -> CelRow:  # fmt: skip
    return CelRow(
        kind, START + at, channel, f"1795314667.{number}", f"1795314667.{number if linked is None else linked}", caller, exten,
        "from-trunk", app, data, extra,
    )  # fmt: skip


def enter(at: float, channel: str, number: int, bridge: str, *, linked: int) -> CelRow:
    return row("BRIDGE_ENTER", at, channel, number, linked=linked, bridge_id=bridge, bridge_technology="simple_bridge")


def leave(at: float, channel: str, number: int, bridge: str, *, linked: int) -> CelRow:
    return row("BRIDGE_EXIT", at, channel, number, linked=linked, bridge_id=bridge, bridge_technology="simple_bridge")


def end(at: float, channel: str, number: int, *, linked: int, by: str = "", cause: int = 16, status: str = "") -> list[CelRow]:
    hangup = row("HANGUP", at, channel, number, linked=linked, hangupcause=cause, hangupsource=by, dialstatus=status)
    return [hangup, row("CHAN_END", at, channel, number, linked=linked)]


def calls_of(*rows: CelRow | list[CelRow]) -> list[RecordedCall]:
    flat = [one for part in rows for one in (part if isinstance(part, list) else [part])]
    reader = CelCalls("main", internal=INTERNAL, region=None)
    calls = [call for one in flat for call in reader.feed(one)]
    return [*calls, *reader.finish()]


def test_a_dialler_calls_the_customer_first_and_then_an_agent() -> None:
    """Originate of a trunk's channel: it looks like a caller until it is answered."""
    customer, agent = "PJSIP/trunk-00000000", "PJSIP/1001-00000001"

    (call,) = calls_of(
        row("CHAN_START", 0, customer, 0, exten="s"),
        row("ANSWER", 3, customer, 0, caller="0698000001", app="AppDial2", data=OUTGOING),
        row("APP_START", 3.1, customer, 0, app="Dial", data="PJSIP/1001,20"),
        row("CHAN_START", 3.2, agent, 1, linked=0, exten="s"),
        row("ANSWER", 5, agent, 1, linked=0, app="AppDial", data=OUTGOING),
        enter(5, agent, 1, "b", linked=0),
        enter(5, customer, 0, "b", linked=0),
        end(9, agent, 1, linked=0, by=agent),
        end(9, customer, 0, linked=0, by=agent, status="ANSWER"),
    )

    assert (call.direction, call.customer_number, call.outcome) == (Direction.OUTBOUND, "0698000001", Outcome.ANSWERED)
    assert (call.answered_by, call.hung_up_by, call.talk_s) == (("1001",), Party.AGENT, 4.0)


def test_channels_that_are_no_phones_are_no_calls() -> None:
    assert calls_of(
        row("CHAN_START", 0, "Message/ast_msg_queue", 0),
        end(1, "Message/ast_msg_queue", 0, linked=0),
        row("CHAN_START", 0, "CBAnn/8800-00000000;1", 1, exten="s"),
        end(1, "CBAnn/8800-00000000;1", 1, linked=1),
    ) == []  # fmt: skip


def test_a_phone_that_dials_a_feature_code_makes_no_call() -> None:
    phone = "PJSIP/1001-00000000"

    assert calls_of(
        row("CHAN_START", 0, phone, 0, caller="1001", exten="*97"),
        row("APP_START", 0.1, phone, 0, app="VoiceMailMain", data="1001"),
        end(5, phone, 0, linked=0, by=phone),
    ) == []  # fmt: skip


def test_rows_of_a_call_that_began_before_the_record_make_no_call_of_their_own() -> None:
    customer, agent = "PJSIP/trunk-00000000", "PJSIP/1001-00000001"

    assert calls_of(
        leave(1, agent, 1, "b", linked=0),
        end(1, agent, 1, linked=0, by=agent),
        leave(1, customer, 0, "b", linked=0),
        end(1, customer, 0, linked=0, by=agent),
    ) == []  # fmt: skip


def test_a_call_that_still_goes_on_has_no_end_and_no_outcome_but_answered() -> None:
    waiting, talking, agent = "PJSIP/trunk-00000000", "PJSIP/trunk-00000001", "PJSIP/1001-00000002"

    calls = calls_of(
        row("CHAN_START", 0, waiting, 0, caller="0612", exten="8001"),
        row("APP_START", 0.1, waiting, 0, app="Queue", data="support,t"),
        row("CHAN_START", 1, talking, 1, caller="0613", exten="8100"),
        row("APP_START", 1.1, talking, 1, app="Dial", data="PJSIP/1001"),
        row("CHAN_START", 1.2, agent, 2, linked=1, exten="s"),
        row("ANSWER", 2, agent, 2, linked=1, app="AppDial", data=OUTGOING),
        enter(2, agent, 2, "b", linked=1),
        enter(2, talking, 1, "b", linked=1),
    )

    assert [(call.ended_at, call.outcome, call.hung_up_by, call.talk_s) for call in calls] == [
        (None, None, None, None),
        (None, Outcome.ANSWERED, None, None),
    ]


def test_an_assigned_uniqueid_is_no_restart_of_the_pbx() -> None:
    """Originate and ARI may name channels: an id that looks like an early one ends nobody's call."""
    customer = "PJSIP/trunk-000000a0"
    named = CelRow(
        "CHAN_START", START + 60, "PJSIP/1001-000000a1", "cti-1795314727.1", "cti-1795314727.1", "", "s", "", "", "", {}
    )

    calls = calls_of(
        row("CHAN_START", 0, customer, 500, caller="0612", exten="8001"),
        named,
        end(90, customer, 500, linked=500, by=customer),
    )

    assert [(call.outcome, call.ended_at is None) for call in calls] == [(Outcome.ABANDONED, False), (None, True)]


@pytest.mark.parametrize(("seconds", "serial"), [(1, 500), (1, 5), (60, 500)], ids=["at once", "at once, few calls", "later"])
def test_a_restart_leaves_the_calls_before_it_without_an_end(seconds: int, serial: int) -> None:
    before, after = "PJSIP/trunk-000000a0", "PJSIP/trunk-00000000"
    uid = f"{START + seconds:.0f}.0"
    late = CelRow("CHAN_START", START + seconds, after, uid, uid, "0613", "8001", "", "", "", {})

    calls = calls_of(row("CHAN_START", 0, before, serial, caller="0612", exten="8001"), late)

    assert [(call.outcome, call.hung_up_by, call.ended_at) for call in calls] == [
        (Outcome.LOST, Party.SYSTEM, None),
        (None, None, None),
    ]


def test_channels_that_begin_at_once_may_be_numbered_in_any_order() -> None:
    one, other = "PJSIP/trunk-000000a1", "PJSIP/trunk-000000a0"
    younger = CelRow("CHAN_START", START + 1, other, "1795314668.499", "1795314668.499", "0613", "8001", "", "", "", {})

    calls = calls_of(row("CHAN_START", 0.999, one, 500, caller="0612", exten="8001"), younger)

    assert [(call.outcome, call.hung_up_by) for call in calls] == [(None, None), (None, None)]


def test_a_call_that_was_given_up_names_the_phones_that_were_called() -> None:
    """CEL has no event for a ring: that 1001 was called is known, that it rang is not."""
    customer, agent = "PJSIP/trunk-00000000", "PJSIP/1001-00000001"

    (call,) = calls_of(
        row("CHAN_START", 0, customer, 0, caller="0612", exten="8100"),
        row("APP_START", 0, customer, 0, app="Dial", data="PJSIP/1001,20"),
        row("CHAN_START", 0.1, agent, 1, linked=0, exten="s"),
        end(2, agent, 1, linked=0, cause=127),
        end(2, customer, 0, linked=0, by=customer, cause=127, status="CANCEL"),
    )
    added = added_call(call)

    assert (call.offered_to, call.rang_no_answer, call.called) == (None, None, ("1001",))
    assert (added.offered_to, added.rang_no_answer, added.presented_number) == (("1001",), ("1001",), "0612")


def test_an_agent_who_calls_a_colleague_between_two_customers_makes_a_call() -> None:
    phone, colleague = "PJSIP/1001-00000000", "PJSIP/1002-00000001"

    (call,) = calls_of(
        row("CHAN_START", 0, phone, 0, caller="1001", exten="1002"),
        row("APP_START", 0.1, phone, 0, app="Dial", data="PJSIP/1002/sip:1002@10.0.0.5:5060,20"),
        row("CHAN_START", 0.2, colleague, 1, linked=0, exten="s"),
        end(9, colleague, 1, linked=0, cause=19),
        end(9, phone, 0, linked=0, by="dialplan/builtin", cause=19, status="NOANSWER"),
    )

    assert (call.direction, call.customer_number, call.did) == (Direction.INTERNAL, "1001", "1002")
    assert (call.offered_to, call.outcome, call.hung_up_by) == (("1002",), Outcome.NO_ANSWER, Party.SYSTEM)
