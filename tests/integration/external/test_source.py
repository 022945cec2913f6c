"""One source, whatever its system does: an answer in time or a reason, once for each number, and left alone while it fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti_bridge.domain.external import ExternalRecord, ExternalState
from cti_bridge.external.rest import RestLookup
from cti_bridge.external.source import AT_ONCE, ExternalSource
from tests.support.crm import FANG, Crm, a_crm, says
from tests.support.web import Clock

ZOE, MUM = "+442079460018", "+442079460500"
SOON = 0.05


@asynccontextmanager
async def source_of(crm: Crm, clock: Clock | None = None, **changes: Any) -> AsyncIterator[ExternalSource]:
    settings = crm.settings(**changes)
    source = ExternalSource(settings, RestLookup(settings, None), clock=clock or Clock())
    try:
        yield source
    finally:
        await source.close()


class Adapter:
    """An adapter of others: does what the test says."""

    def __init__(self, does: Any) -> None:
        self.does = does
        self.is_closed = False

    async def by_number(self, e164: str) -> tuple[ExternalRecord, ...]:
        return await self.does(e164)

    async def close(self) -> None:
        self.is_closed = True


async def test_an_answer_is_kept_for_its_time_also_that_nobody_is_known():
    clock = Clock()
    async with a_crm() as crm, source_of(crm, clock, cache_seconds=60) as source:
        first = await source.by_number(ZOE)
        crm.answer = says("", status=404)
        again, nobody, nobody_again = [await source.by_number(number) for number in (ZOE, MUM, MUM)]
        clock.seconds += 60
        later = await source.by_number(ZOE)

    assert (first.state, again, nobody.state) == (ExternalState.FOUND, first, ExternalState.NOT_FOUND)
    assert (nobody_again, later.state) == (nobody, ExternalState.NOT_FOUND)
    assert crm.numbers == [ZOE, MUM, ZOE]
    assert source.counters == {"found": 1, "not_found": 2, "cached": 2}


async def test_what_is_known_at_once_is_what_was_asked_a_moment_ago():
    async with a_crm() as crm, source_of(crm) as source:
        before = source.known(ZOE)
        answer = await source.by_number(ZOE)

        assert (before.state, source.known(ZOE)) == (ExternalState.PENDING, answer)


async def test_a_failure_is_not_kept():
    async with a_crm(says("", status=500)) as crm, source_of(crm) as source:
        failed = await source.by_number(ZOE)
        crm.answer = says(FANG)

        assert (failed.state, (await source.by_number(ZOE)).state) == (ExternalState.FAILED, ExternalState.FOUND)


async def test_everybody_who_asks_for_one_number_shares_one_question_and_who_hangs_up_takes_it_from_nobody():
    async with a_crm(is_open=False) as crm, source_of(crm) as source:
        gone, stays = (asyncio.create_task(source.by_number(ZOE)) for _ in range(2))
        await crm.reached.wait()
        gone.cancel()
        crm.gate.set()

        assert (await stays).state is ExternalState.FOUND
    assert crm.numbers == [ZOE]


async def test_questions_under_way_are_bounded():
    async with a_crm(is_open=False) as crm, source_of(crm) as source:
        asking = [asyncio.create_task(source.by_number(f"+4420794600{number:02}")) for number in range(AT_ONCE)]
        await asyncio.sleep(0)

        assert (await source.by_number(ZOE)).state is ExternalState.FAILED
        assert source.counters["refused"] == 1

        crm.gate.set()
        assert {(await one).state for one in asking} == {ExternalState.FOUND}
        assert (await source.by_number(ZOE)).state is ExternalState.FOUND


async def test_a_system_that_hangs_is_given_up_at_the_deadline():
    async with a_crm(is_open=False) as crm, source_of(crm, deadline_seconds=SOON) as source:
        began = asyncio.get_running_loop().time()

        with capture_logs() as logged:
            answer = await source.by_number(ZOE)

        assert (answer.state, answer.records) == (ExternalState.TIMED_OUT, ())
        assert asyncio.get_running_loop().time() - began < 1
    assert [(line["event"], line["error"]) for line in logged] == [("external.failed", "no answer within 0.05 s")]


async def test_a_system_that_fails_is_left_alone_and_tried_again_after_the_pause():
    clock = Clock()
    async with a_crm(says("", status=500)) as crm, source_of(crm, clock, failures=3, pause_seconds=30) as source:
        with capture_logs() as logged:
            states = [(await source.by_number(ZOE)).state for _ in range(5)]
            asked, trouble = len(crm.asked), source.trouble
            clock.seconds += 30
            still = await source.by_number(ZOE)
            crm.answer = says(FANG)
            paused = await source.by_number(ZOE)
            clock.seconds += 30
            back = await source.by_number(ZOE)

    assert (set(states), asked) == ({ExternalState.FAILED}, 3)
    assert trouble == "not asked for 30 s at a time: it answered 500"
    assert [one.state.value for one in (still, paused, back)] == ["failed", "failed", "found"]
    assert (len(crm.asked), source.trouble) == (5, None)
    assert source.counters == {"failed": 4, "paused": 3, "found": 1}
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("external.failed", "warning"),
        ("external.paused", "warning"),
        ("external.resumed", "info"),
    ]
    assert ZOE not in str(logged)


async def test_another_reason_is_told_anew_and_the_same_one_is_not():
    async with a_crm(says("", status=500)) as crm, source_of(crm, failures=100) as source:
        with capture_logs() as logged:
            for answer in (says("", status=500), says("", status=500), says("x"), says(FANG), says("x")):
                crm.answer = answer
                await source.by_number(f"+44207946{crm.asked.__len__():04}")

    assert [line["error"] for line in logged] == ["it answered 500", "its answer is not JSON", "its answer is not JSON"]


async def test_a_field_that_cannot_be_read_is_counted_always_and_told_once():
    strange = {"customer": {"no": 1, "name": ["Fang"], "open": {}}}
    async with a_crm(says(strange)) as crm, source_of(crm) as source:
        with capture_logs() as logged:
            answers = [await source.by_number(number) for number in (ZOE, MUM)]

    assert [answer.state for answer in answers] == [ExternalState.FOUND] * 2
    assert source.counters["unread"] == 4
    assert [(line["event"], line["field"].split(" is ")[0]) for line in logged] == [
        ("external.unread", "name"),
        ("external.unread", "facts.Open orders"),
    ]
    assert "Fang" not in str(logged)


@pytest.mark.parametrize(
    "mistake",
    [ZeroDivisionError("x"), [ExternalRecord(name=7)], None, ["no record"]],  # type: ignore[arg-type]
    ids=["raises", "a name that is a number", "nothing", "not a record"],
)
async def test_a_mistake_in_an_adapter_is_told_as_such_and_touches_no_call(mistake: Any):
    async def does(_: str) -> Any:
        if isinstance(mistake, Exception):
            raise mistake
        return mistake

    adapter = Adapter(does)
    async with a_crm() as crm:
        source = ExternalSource(crm.settings(), adapter)
        with capture_logs() as logged:
            answer = await source.by_number(ZOE)
        await source.close()

    assert (answer.state, source.counters["failed"]) == (ExternalState.FAILED, 1)
    assert [line["event"] for line in logged] == ["external.adapter_failed", "external.failed"]
    assert adapter.is_closed


async def test_closing_ends_what_is_under_way_and_leaves_who_waits_with_an_answer():
    async with a_crm(is_open=False) as crm, source_of(crm, deadline_seconds=30) as source:
        waiting = asyncio.create_task(source.by_number(ZOE))
        await crm.reached.wait()
        await source.close()

        assert (await waiting).state is ExternalState.FAILED


async def test_an_adapter_that_does_not_let_go_holds_up_no_shutdown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cti_bridge.external.source.CLOSE_SECONDS", SOON)
    adapter = Adapter(None)
    monkeypatch.setattr(adapter, "close", asyncio.Event().wait)
    async with a_crm() as crm:
        with capture_logs() as logged:
            await ExternalSource(crm.settings(), adapter).close()

    assert [(line["event"], line["task"]) for line in logged] == [("shutdown.straggler", "external crm")]


async def test_an_adapter_that_gives_up_by_itself_does_not_keep_the_source_away_for_ever():
    """A cancelled question says neither yes nor no: the next pause lets another one through."""
    clock = Clock()
    outcomes: list[Any] = [RuntimeError("x"), asyncio.CancelledError(), ()]

    async def does(_: str) -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async with a_crm() as crm:
        source = ExternalSource(crm.settings(failures=1, pause_seconds=30), Adapter(does), clock=clock)
        states = []
        for _ in range(3):
            states.append((await source.by_number(ZOE)).state.value)
            clock.seconds += 30

    assert (states, source.trouble) == (["failed", "failed", "not_found"], None)
