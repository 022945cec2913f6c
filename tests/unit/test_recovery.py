"""A replay believes what the service believed: the same answers, the same events, and nothing that was joined of two halves."""

from pathlib import Path

from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Opened, Received
from cti_bridge.domain.call_events import CallEnded
from cti_bridge.journal.reader import Noted, Tail, Torn
from cti_bridge.recovery import Past, replay
from tests.support.journals import IDS, items_of
from tests.support.replayed import a_tracker, calls_of, events_of, steps_of

NOW = At(wall=1_795_315_288.0, mono=1.0)


def tail(*items) -> Tail:
    return Tail(lost=None, items=iter(items))


def read(data: bytes) -> Received:
    return Received(at=NOW, conn=1, data=data, news=())


def opened(ids: str = IDS) -> Opened:
    return Opened(at=NOW, asked_at=NOW, conn=1, ids=ids)


def answer(action_id: str, *lines: str) -> bytes:
    return "\r\n".join(["Response: Success", f"ActionID: {action_id}", *lines]).encode() + b"\r\n\r\n"


async def test_a_whole_journal_tells_the_calls_of_the_recording():
    past = await replay(tail(*items_of("q_two_callers")), a_tracker())

    truth = calls_of(events_of(steps_of("q_two_callers")))
    assert list(past.ended) == [call["call_id"] for call in truth]
    assert past.live == {}
    assert all(isinstance(events[-1], CallEnded) for events in past.ended.values())


async def test_the_pbx_is_known_by_its_answers_to_us_alone():
    """A caller can write a whole answer into the stream; our ActionIDs cannot be guessed."""
    genuine = answer(f"{IDS}3", "CoreStartupDate: 2026-11-22", "CoreStartupTime: 08:00:00")
    version = answer(f"{IDS}4", "AsteriskVersion: 22.10.1")
    forged = answer("x", "CoreStartupDate: 1999-01-01", "CoreStartupTime: 00:00:00", "AsteriskVersion: 1")

    past = await replay(tail(opened(), read(genuine + version + forged)), a_tracker())
    unknown = await replay(tail(opened(ids=""), read(genuine)), a_tracker())

    assert past.started == "2026-11-22 08:00:00"
    assert unknown.started == ""


async def test_the_note_knows_the_pbx_where_its_answers_are_not_read_any_more():
    noted = Noted(calls=frozenset(), started="2026-11-22 08:00:00")
    answers = answer(f"{IDS}9", "CoreStartupDate: 2026-11-22", "CoreStartupTime: 09:30:00")

    past = await replay(tail(opened(), noted), a_tracker())
    restarted = await replay(tail(opened(), noted, opened(), read(answers)), a_tracker())

    assert past.started == "2026-11-22 08:00:00"
    assert restarted.started == "2026-11-22 09:30:00"


async def test_a_listing_that_nobody_asked_for_brings_no_call():
    items = list(items_of("ami_gap_start_in_gap"))
    asked = await replay(tail(*items), a_tracker())
    not_asked = [Opened(at=i.at, asked_at=i.asked_at, conn=i.conn, ids="cti-1-") if isinstance(i, Opened) else i for i in items]

    forged = await replay(tail(*not_asked), a_tracker())

    assert len(asked.ended) > len(forged.ended)


async def test_calls_that_were_up_before_the_first_connection_ever_come_back_too():
    """The service was killed before its first note; its journal is told from where it began."""
    items = list(items_of("ami_gap_start_in_gap"))
    again = max(at for at, item in enumerate(items) if isinstance(item, Opened))
    whole = Tail(lost=None, items=iter(items[again:]), is_whole=True)

    from_beginning = await replay(whole, a_tracker())
    from_the_middle = await replay(tail(*items[again:]), a_tracker())

    assert from_beginning.ended.keys() | from_beginning.live.keys() > from_the_middle.ended.keys() | from_the_middle.live.keys()


async def test_behind_lost_bytes_it_begins_at_the_next_event():
    head = b"Event: FullyBooted\r\nPrivilege: system,all\r\nSta"
    rest = b"tus: Fully Booted\r\nUptime: 1\r\nLastReload: 1\r\n\r"
    torn = Torn(file=Path("x.ami"), offset=0, length=10)

    past = await replay(
        tail(
            opened(),
            read(head),
            torn,
            read(rest),
            read(b"\n" + answer(f"{IDS}4", "CoreStartupTime: 08:00:00", "CoreStartupDate: 2026-11-22")),
        ),
        a_tracker(),
    )

    assert past.torn == 1
    assert past.started == "2026-11-22 08:00:00"


async def test_of_the_calls_before_the_note_only_those_count_that_it_names():
    items = list(items_of("q_two_callers"))
    whole = await replay(tail(*items), a_tracker())
    first = next(iter(whole.ended))

    past = await replay(tail(*items, Noted(calls=frozenset({first.partition(":")[2]}))), a_tracker())
    none = await replay(tail(*items, Noted(calls=frozenset())), a_tracker())

    assert (list(past.ended), none.ended) == ([first], {})


async def test_a_journal_without_anything_is_an_empty_past():
    past = await replay(tail(), a_tracker())

    assert (past.live, past.ended, past.at) == ({}, {}, Past().at)
