import asyncio

import pytest

from cti_bridge.domain.account import Account, AccountId, Candidate, Found, MatchReason, NotFound, TimedOut, Withheld
from cti_bridge.domain.errors import StorageError
from cti_bridge.lookup import MAX_RUNNING, Lookup
from tests.support.store import NOW

ZOE = Account(
    account_id=AccountId("a"), name="Zoë", company=None, tier=None, language=None, note=None, contact_points=(),
    created_at=NOW, updated_at=NOW,
)  # fmt: skip
FOUND = Found(candidates=(Candidate(account=ZOE, reason=MatchReason.EXACT_NUMBER),))
SOON = 0.01


class Store:
    """A store that knows Zoë, opens its gate when told, and fails as often as told."""

    def __init__(self, *, open_gate: bool = True, failures: int = 0) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.failures = failures
        if open_gate:
            self.gate.set()

    async def of_caller(self, e164: str | None, entered: str | None) -> tuple[Candidate, ...]:
        self.asked.append(" ".join(one for one in (e164, entered) if one))
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise StorageError("the store failed: gone")
        return FOUND.candidates if entered == "4711" or (entered is None and e164 == "+442079460018") else ()


@pytest.mark.parametrize("presented", ["02079460018", "+44 20 7946 0018", "００４４２０７９４６００１８"])
async def test_a_known_number_is_found_in_any_form(presented: str):
    store = Store()

    assert await Lookup(store, "GB").by_number(presented) == FOUND
    assert store.asked == ["+442079460018"]


async def test_a_number_of_nobody_is_not_found():
    assert await Lookup(Store(), "GB").by_number("020 7946 0019") == NotFound()


@pytest.mark.parametrize(
    "presented", [None, "", " ", "Anonymous", "anonymous", "<unknown>", "0", "1001", "abc", "020 7946 0018\r\nEvent: X", "+" * 99]
)
async def test_a_caller_without_a_usable_number_matches_nobody_and_asks_nothing(presented: str | None):
    store = Store()

    assert await Lookup(store, "GB").by_number(presented) == Withheld()
    assert await Lookup(store, "GB").late(presented) == Withheld()
    assert store.asked == []


async def test_an_untrusted_number_matches_nobody():
    store = Store()

    assert await Lookup(store, "GB").by_number("02079460018", untrusted=True) == Withheld()
    assert store.asked == []


async def test_a_slow_store_times_out_and_its_answer_comes_late():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB", deadline_seconds=SOON)

    assert await lookup.by_number("02079460018") == TimedOut()
    late = asyncio.create_task(lookup.late("02079460018"))
    store.gate.set()

    assert await late == FOUND
    assert store.asked == ["+442079460018"]
    assert (lookup.counters["timed_out"], lookup.counters["found"]) == (1, 1)


async def test_callers_with_one_number_share_one_look_up():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB")
    asking = [asyncio.create_task(lookup.by_number(number)) for number in ("02079460018", "+442079460018")]
    await asyncio.sleep(0)

    store.gate.set()

    assert await asyncio.gather(*asking) == [FOUND, FOUND]
    assert store.asked == ["+442079460018"]


async def test_a_caller_who_hangs_up_does_not_take_the_look_up_away_from_another():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB")
    gone, stays = (asyncio.create_task(lookup.by_number("02079460018")) for _ in range(2))
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    store.gate.set()

    assert await stays == FOUND


async def test_a_broken_store_is_a_time_out_and_is_asked_again_for_the_late_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cti_bridge.lookup.RETRY_SECONDS", 10 * SOON)
    store = Store(failures=1)
    lookup = Lookup(store, "GB", deadline_seconds=SOON)

    assert await lookup.by_number("02079460018") == TimedOut()
    assert await lookup.late("02079460018") == FOUND
    assert lookup.counters["failed"] == 1


async def test_a_mistake_in_the_store_is_raised_to_everybody_who_asks_and_kept_for_nobody_else():
    class Broken(Store):
        async def of_caller(self, e164: str | None, entered: str | None) -> tuple[Candidate, ...]:
            if not self.asked:
                await super().of_caller(e164, entered)
                raise LookupError("a mistake of ours")
            return await super().of_caller(e164, entered)

    lookup = Lookup(Broken(), "GB")

    told = await asyncio.gather(*(lookup.by_number("02079460018") for _ in range(2)), return_exceptions=True)

    assert [repr(error) for error in told] == ["LookupError('a mistake of ours')"] * 2
    assert await lookup.by_number("02079460018") == FOUND


async def test_a_store_that_never_answers_is_given_up_at_last():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB", late_seconds=SOON)

    assert await lookup.late("02079460018") == TimedOut()

    store.gate.set()
    assert await lookup.by_number("02079460018") == FOUND


async def test_look_ups_under_way_are_bounded():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB", deadline_seconds=SOON)
    numbers = [f"+44207946{number:04d}" for number in range(MAX_RUNNING)]
    await asyncio.gather(*(lookup.by_number(number) for number in numbers))

    assert await lookup.by_number("+442079461000") == TimedOut()
    assert lookup.counters["refused"] == 1
    assert len(store.asked) == MAX_RUNNING
    await lookup.close()


async def test_close_ends_what_is_under_way_and_leaves_who_waits_with_a_time_out():
    store = Store(open_gate=False)
    lookup = Lookup(store, "GB")
    waiting = asyncio.create_task(lookup.by_number("02079460018"))
    await asyncio.sleep(0)

    await lookup.close()

    assert await waiting == TimedOut()


@pytest.mark.parametrize(
    ("presented", "entered", "expected", "asked"),
    [
        pytest.param(None, "4711", FOUND, ["4711"], id="withheld"),
        pytest.param("112", "4711", FOUND, ["4711"], id="no number of the plan"),
        pytest.param("02079460018", "4711", FOUND, ["+442079460018 4711"], id="a number"),
        pytest.param(None, "1", Withheld(), ["1"], id="withheld, nobody's customer number"),
        pytest.param("02079460018", "1", NotFound(), ["+442079460018 1"], id="nobody's number and customer number"),
    ],
)
async def test_a_customer_number_that_was_typed_is_looked_up_with_the_number(presented, entered, expected, asked):
    store = Store()

    assert await Lookup(store, "GB").by_number(presented, entered=entered) == expected
    assert store.asked == asked


async def test_what_a_forged_caller_typed_is_not_looked_up():
    store = Store()

    assert await Lookup(store, "GB").by_number("02079460018", untrusted=True, entered="4711") == Withheld()
    assert store.asked == []
