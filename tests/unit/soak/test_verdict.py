"""The soak's judge finds what is planted: one real call of each kind, as Asterisk's CEL has it, and every way to get it wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.soak.truth import TrueCall, live_calls, read_truth
from tests.soak.verdict import judge
from tests.support.agents_browser import AgentsBrowser, Shown

CEL = Path(__file__).parent / "crowd.cel.csv"
"""One call of each kind of tests.support.crowd, recorded on Asterisk 22.10.1."""

Row = dict[str, Any]


def as_stored(call: TrueCall) -> Row:
    """The interaction of a call that the service saw whole."""
    document = call.identity | {"transfers": [{"type": "blind", "from": by, "to": to} for by, to in call.transfers]}
    times = {name: iso(getattr(call, name)) for name in ("started_at", "answered_at", "ended_at")}
    return {"call_id": call.call_id, "call": document | times | {"talk_s": call.talk_s, "estimated": False}}


def iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


def kinds_found(rows: list[Row], truth: list[TrueCall]) -> list[tuple[str, str | None]]:
    return [(difference.kind, difference.field) for difference in judge(rows, truth).differences]


def test_truth_is_read_from_the_record_of_the_pbx() -> None:
    calls = {call.presented_number[:5]: call for call in read_truth(CEL)}

    assert {number: (call.outcome, call.hung_up_by) for number, call in calls.items()} == {
        "02070": ("answered", "customer"),
        "02071": ("answered", "agent"),
        "02072": ("abandoned", "customer"),
        "02073": ("abandoned", "customer"),
        "02074": ("answered", "customer"),
        "02075": ("busy", "system"),
        "02076": ("abandoned", "customer"),
        "02077": ("answered", "customer"),
    }
    assert (calls["02070"].queues, calls["02070"].answered_by) == (("rush",), ("1101",))
    assert (calls["02073"].offered_to, sorted(calls["02073"].rang_no_answer)) == (("1175", "1176"), ["1175", "1176"])
    assert (calls["02077"].answered_by, calls["02077"].transfers) == (("1191", "1145"), (("1191", "1145"),))
    assert calls["02071"].talk_s == pytest.approx(2.5, abs=0.1)


def test_call_whose_end_was_never_written_is_live(tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv"
    lines = CEL.read_text().splitlines(keepends=True)
    (talk,) = [line for line in lines if "BRIDGE_ENTER" in line and "02070000000" in line and "PJSIP/trunk" in line]
    cut.write_text("".join(lines[: lines.index(talk) + 1]) + '"CHAN_ST')

    live = {call.presented_number[:5]: call.talking for call in live_calls(cut)}

    assert live["02070"] == ("1101",)
    assert live["02072"] == ()


def test_record_that_is_right_is_found_right() -> None:
    truth = read_truth(CEL)

    assert kinds_found([as_stored(call) for call in truth], truth) == []


def first(rows: list[Row], **changes: Any) -> list[Row]:
    return [{**rows[0], "call": rows[0]["call"] | changes}, *rows[1:]]


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        pytest.param(lambda rows: rows[1:], [("lost", None)], id="lost"),
        pytest.param(lambda rows: [*rows, rows[0]], [("doubled", None)], id="doubled"),
        pytest.param(lambda rows: [*rows, rows[0] | {"call_id": "main:1.1"}], [("ghost", None)], id="ghost"),
        pytest.param(lambda rows: first(rows, ended_at=None), [("stuck", None)], id="stuck"),
        pytest.param(lambda rows: first(rows, outcome="in_progress"), [("stuck", None)], id="stuck in progress"),
        pytest.param(lambda rows: first(rows, did="8001"), [("identity", "did")], id="wrong number dialled"),
        pytest.param(lambda rows: first(rows, answered_by=["1102"]), [("identity", "answered_by")], id="wrong agent"),
        pytest.param(lambda rows: first(rows, talk_s=99.0), [("time", "talk_s")], id="wrong talk"),
    ],
)
def test_planted_mistake_is_found(plant: Callable[[list[Row]], list[Row]], found: list[tuple[str, str | None]]) -> None:
    truth = read_truth(CEL)

    assert kinds_found(plant([as_stored(call) for call in truth]), truth) == found


def test_call_named_after_another_of_its_channels_is_doubled() -> None:
    truth = read_truth(CEL)
    rows = [as_stored(call) for call in truth]
    (agents_leg,) = truth[0].uniqueids - {truth[0].call_id.partition(":")[2]}

    assert kinds_found([*rows, rows[0] | {"call_id": f"main:{agents_leg}"}], truth) == [("doubled", None)]


def test_pop_shown_more_often_than_the_phone_rang_is_found() -> None:
    truth = read_truth(CEL)
    rows = [as_stored(call) for call in truth]
    page = AgentsBrowser("", "1101", "")
    for nth in (1, 2):
        pop = Shown(pop_id=f"{truth[0].call_id}/1101/{nth}", call_id=truth[0].call_id, at=0.0, rings=True)
        page.shown[pop.pop_id] = pop

    (difference,) = judge(rows, truth, browsers=[page]).differences

    assert (difference.kind, difference.field, difference.stored, difference.true) == ("pop", "1101", 2, 1)
