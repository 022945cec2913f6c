"""The resync, case by case: real recordings with a gap in them, and what the listings after it must make of the calls."""

from collections.abc import Callable

import pytest

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Call, OfferResult, Outcome, Party
from cti_bridge.domain.call_events import CallEnded, CallLeftQueue, CallOffered, OfferEnded, TrackerEvent
from cti_bridge.tracking.resync import Rebuilt
from cti_bridge.tracking.tracker import CallTracker
from tests.support.gap_traces import PbxPicture
from tests.support.replayed import Step, a_tracker, steps_of

LATER = 30.0
"""Seconds after the link was lost at which it is back."""
STARTED = "2026-11-22 02:41:28"


def named(name: str, **headers: str) -> Callable[[AmiEvent], bool]:
    return lambda event: event.name == name and all(event.get(key) == value for key, value in headers.items())


class Story:
    """A recording that is told up to somewhere, then a gap, listings, and what follows."""

    def __init__(self, trace: str) -> None:
        self.steps: list[Step] = [step for step in steps_of(trace) if isinstance(step[1], AmiEvent)]
        self.tracker: CallTracker = a_tracker()
        self.tracker.identified(STARTED)
        self.picture = PbxPicture()
        self.said: list[TrackerEvent] = []
        self.now = self.steps[0][0]
        self._at = 0

    def told_up_to(self, until: Callable[[AmiEvent], bool], *, count: int = 1, seen: bool = True) -> "Story":
        """Tells the recording up to and with the `count`-th such event, to the tracker too where it is `seen`."""
        while count:
            at, event = self.steps[self._at]
            assert isinstance(event, AmiEvent)
            self._at += 1
            count -= until(event)
            self.picture.feed(event, at)
            if seen:
                self.now = at
                self.said += self.tracker.feed(event, at)
        return self

    def lost_up_to(self, until: Callable[[AmiEvent], bool], *, count: int = 1) -> "Story":
        self.cut()
        return self.told_up_to(until, count=count, seen=False)

    def cut(self) -> "Story":
        self.said += self.tracker.disconnected(self.now)
        self.now += LATER
        return self

    def tell(self, events: list[AmiEvent]) -> "Story":
        for event in events:
            self.said += self.tracker.feed(event, self.now)
        return self

    def back(self, *, started: str = STARTED) -> Rebuilt:
        """All listings, and their end."""
        self.tracker.identified(started)
        self.tell([*self.picture.channels_listed(self.now), *self.picture.queues_listed(self.now)])
        events, rebuilt = self.tracker.resynced(self.now)
        self.said += events
        return rebuilt

    def sweep(self) -> "Story":
        self.now += 60.0
        return self.tell(self.picture.channels_listed(self.now))

    def live(self) -> list[Call]:
        return self.tracker.live(self.now)

    def ended(self) -> list[Call]:
        return [event.call for event in self.said if isinstance(event, CallEnded)]

    def of(self, kind: type[TrackerEvent]) -> list[TrackerEvent]:
        return [event for event in self.said if isinstance(event, kind)]


def talking() -> Story:
    """A caller talks to 1001."""
    return Story("q_first_agent").told_up_to(named("BridgeEnter"), count=2)


# --- what goes on, what is over, what began


def test_a_call_that_is_alive_on_both_sides_goes_on_unchanged() -> None:
    story = talking()
    (before,) = story.live()

    rebuilt = story.cut().back()

    (after,) = story.live()
    assert rebuilt == Rebuilt(
        restarted=False, rebuilt=(before.call_id,), ended_unseen=(), appeared=(), queues=tuple(sorted(story.tracker.queues))
    )
    assert after._replace(talk_s=0.0) == before._replace(talk_s=0.0)


def test_a_call_that_ended_unseen_is_closed_at_the_moment_the_link_was_lost() -> None:
    story = talking()
    lost_at, (before,) = story.now, story.live()

    rebuilt = story.lost_up_to(named("Hangup"), count=2).back()

    (call,) = story.ended()
    assert (rebuilt.ended_unseen, rebuilt.rebuilt) == ((before.call_id,), ())
    assert call.ended_at is not None
    assert (call.estimated, call.ended_at.timestamp(), call.hung_up_by) == (True, pytest.approx(lost_at), None)
    assert call.outcome is Outcome.ANSWERED


def test_a_call_that_began_unseen_is_taken_up_and_marked() -> None:
    story = Story("q_first_agent").lost_up_to(named("BridgeEnter"), count=2)

    rebuilt = story.back()

    (call,) = story.live()
    assert (rebuilt.appeared, rebuilt.rebuilt) == ((call.call_id,), ())
    assert (call.estimated, call.answered_by, call.queues) == (True, ("1001",), ("support",))


def test_who_hangs_up_while_the_listings_are_made_ended_the_call_as_always() -> None:
    """The channel is in no listing, and its Hangup comes after it: nothing about this end is unseen."""
    story = talking().cut()
    pending = [event for _, event in story.steps[story._at :] if isinstance(event, AmiEvent)]
    for event in pending:
        story.picture.feed(event, story.now)

    story.tell([*story.picture.channels_listed(story.now), *pending, *story.picture.queues_listed(story.now)])
    _, rebuilt = story.tracker.resynced(story.now)

    (call,) = story.ended()
    assert (call.estimated, call.hung_up_by, rebuilt.ended_unseen) == (False, Party.CUSTOMER, ())


def test_a_listing_that_is_not_whole_closes_nothing() -> None:
    story = talking().lost_up_to(named("Hangup"), count=2)
    listed = story.picture.channels_listed(story.now)
    short = AmiEvent("CoreShowChannelsComplete", listed[-1].block.replace(b"ListItems: 0", b"ListItems: 1"))

    story.tell([*listed[:-1], short, *story.picture.queues_listed(story.now)])

    assert (story.ended(), len(story.live())) == ([], 1)


# --- rings


def test_a_phone_that_began_to_ring_in_the_gap_is_offered_once() -> None:
    story = Story("q_first_agent").told_up_to(named("DialBegin")).lost_up_to(named("DialState"))

    story.back()
    story.told_up_to(named("BridgeEnter"), count=2)

    (offered,) = story.of(CallOffered)
    assert offered.call.ringing == ("1001",)


def test_a_ring_that_another_phone_ended_in_the_gap_was_not_missed() -> None:
    story = Story("q_ringall_three").told_up_to(named("DialState", DialStatus="RINGING"), count=3)
    story.lost_up_to(named("BridgeEnter"), count=2)

    story.back()

    (call,) = story.live()
    assert (len(call.offered_to), call.rang_no_answer, len(call.answered_by)) == (3, (), 1)
    assert sorted(str(offer.result) for offer in call.offers) == ["answered", "answered_elsewhere", "answered_elsewhere"]
    assert len(story.of(OfferEnded)) == 2


def test_a_phone_that_was_answered_unseen_is_told_as_a_talk_not_as_a_ring() -> None:
    story = Story("q_first_agent").told_up_to(named("QueueCallerJoin")).lost_up_to(named("BridgeEnter"), count=2)

    story.back()

    (offered,) = story.of(CallOffered)
    assert (offered.call.ringing, offered.call.talking) == ((), ("1001",))
    assert [offer.result for offer in offered.call.offers] == [OfferResult.ANSWERED]


# --- queues


def test_a_caller_who_left_the_queue_unseen_waits_no_more() -> None:
    story = Story("q_timeout").told_up_to(named("QueueCallerJoin")).lost_up_to(named("QueueCallerLeave"))

    story.back()

    (call,) = story.live()
    (left,) = story.of(CallLeftQueue)
    assert (left.answered, left.abandoned, call.estimated) == (False, False, True)
    assert call.visits[-1].left_at is not None


def test_a_caller_whose_leaving_is_on_its_way_left_as_always() -> None:
    story = Story("q_timeout").told_up_to(named("QueueCallerJoin")).cut()
    story.tell(story.picture.channels_listed(story.now))
    story.told_up_to(named("QueueCallerLeave"), seen=False)
    queues, parked = story.picture.queues_listed(story.now)[:-1], story.picture.queues_listed(story.now)[-1:]
    leaves = [event for _, event in story.steps[: story._at] if isinstance(event, AmiEvent)][-1]

    story.tell([*queues, leaves, *parked])

    assert len(story.of(CallLeftQueue)) == 1
    assert not story.live()[0].estimated


# --- bridges


@pytest.mark.parametrize("bridges_first", [True, False])
def test_a_conference_that_began_in_the_gap_is_one(bridges_first: bool) -> None:
    story = Story("conference_agent_first").lost_up_to(named("BridgeEnter"), count=2)
    listed = story.picture.channels_listed(story.now)
    end = next(index for index, event in enumerate(listed) if event.name == "BridgeListComplete") + 1

    story.tell(listed if bridges_first else [*listed[end:], *listed[:end]])

    assert [call.conference for call in story.live() if call.answered_by] == [True]


def test_a_customer_who_was_parked_in_the_gap_talks_to_nobody() -> None:
    story = Story("park_retrieve").told_up_to(named("BridgeEnter"), count=2)
    story.lost_up_to(named("ParkedCall")).told_up_to(named("Hangup"), seen=False)

    story.back()

    (call,) = story.live()
    assert (call.parked, call.talking, call.transfers) == (True, (), ())


def test_a_parked_customer_stays_so_over_a_gap_and_is_fetched_after_it() -> None:
    story = Story("park_retrieve").told_up_to(named("ParkedCall")).told_up_to(named("Hangup"))

    story.cut().back()
    story.told_up_to(named("BridgeEnter"), count=2)

    (call,) = story.live()
    assert (call.parked, call.answered_by, call.talking) == (True, ("1003", "1005"), ("1005",))


def test_a_consultation_goes_on_over_the_gap() -> None:
    story = Story("xfer_attended_dtmf").told_up_to(named("DialBegin"), count=2)
    (before,) = story.live()

    story.cut().back()
    story.told_up_to(named("AttendedTransfer"))

    (call,) = story.live()
    assert call.call_id == before.call_id
    assert [(transfer.type, transfer.from_agent) for transfer in call.transfers] == [("attended", before.answered_by[0])]


# --- another PBX process


def crashed(call: Call) -> bool:
    return call.estimated and call.hung_up_by is Party.SYSTEM


def test_a_restarted_pbx_has_none_of_the_calls_of_before() -> None:
    story = talking().lost_up_to(named("Hangup"), count=2)

    rebuilt = story.back(started="2026-11-22 02:55:00")

    assert rebuilt.restarted
    assert [crashed(call) for call in story.ended()] == [True]


def test_a_restart_is_told_by_the_uptime_where_nothing_else_may_be_asked() -> None:
    story = talking().lost_up_to(named("Hangup"), count=2)
    booted = b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 5\r\nLastReload: 5\r\nStatus: Fully Booted"

    rebuilt = story.tell([AmiEvent("FullyBooted", booted)]).back(started="")

    assert rebuilt.restarted
    assert [crashed(call) for call in story.ended()] == [True]


def test_a_pbx_that_is_the_same_process_was_not_restarted_whatever_was_announced() -> None:
    """Events so short can be forged by a caller; the answer to our own question cannot."""
    story = talking().tell([AmiEvent("Shutdown", b"Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly")])

    rebuilt = story.lost_up_to(named("Hangup"), count=2).back(started=STARTED)

    assert not rebuilt.restarted
    assert [crashed(call) for call in story.ended()] == [False]


def test_a_restart_closes_the_calls_even_where_channels_may_not_be_listed() -> None:
    story = talking().cut()
    story.tracker.identified("2026-11-22 02:55:00")

    events, rebuilt = story.tracker.resynced(story.now)
    story.said += events

    assert (rebuilt.restarted, len(rebuilt.ended_unseen)) == (True, 1)
    assert [crashed(call) for call in story.ended()] == [True]


# --- the sweep


def lost_hangups() -> Story:
    """A talk whose end was lost, on a link that stands."""
    story = talking()
    story.back()
    return story.told_up_to(named("Hangup"), count=2, seen=False)


def test_a_call_whose_hangup_was_lost_is_closed_when_two_sweeps_miss_it() -> None:
    story = lost_hangups().sweep()
    first_missed_at = story.now
    assert len(story.live()) == 1

    story.sweep()

    (call,) = story.ended()
    assert call.ended_at is not None
    assert (call.estimated, call.ended_at.timestamp()) == (True, pytest.approx(first_missed_at))
    assert story.sweep().ended() == [call]


def test_a_call_that_one_sweep_misses_goes_on() -> None:
    story = talking()
    story.back()
    channels = story.picture.channels

    story.picture.channels = {}
    story.sweep()
    story.picture.channels = channels
    story.sweep()
    story.picture.channels = {}
    story.sweep()

    assert len(story.live()) == 1


def test_a_channel_that_lives_for_hours_is_left_alone() -> None:
    story = talking()
    story.back()

    for _ in range(5):
        story.now += 3600
        story.sweep()

    assert [call.estimated for call in story.live()] == [False]


def test_a_call_that_only_the_sweeps_know_is_taken_up_at_the_second() -> None:
    story = Story("q_first_agent")
    story.back()
    story.told_up_to(named("BridgeEnter"), count=2, seen=False)

    assert story.sweep().live() == []
    (call,) = story.sweep().live()

    assert (call.estimated, call.answered_by) == (True, ("1001",))
