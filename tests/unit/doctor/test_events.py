"""Events that do not arrive: by the configuration, and by what two listings differ in."""

from dataclasses import replace

import pytest

from cti_bridge.doctor.events import judge_events
from cti_bridge.doctor.facts import ConfigKey, Heard, HeardEvent, Listing, PbxFacts
from cti_bridge.doctor.finding import Severity
from tests.support.doctor_facts import QUIET, facts, wrong

GENERAL, USER = ("manager.conf", "general"), ("manager.conf", "cti")


def filtered(*filters: str) -> PbxFacts:
    sound = facts()
    lines = {ConfigKey(*USER, "eventfilter", nth): text for nth, text in enumerate(filters)}
    return replace(sound, config={**(sound.config or {}), **lines})


def heard(before: Listing, after: Listing, *events: HeardEvent, timestamped: bool | None = None) -> PbxFacts:
    return facts(heard=Heard(seconds=3.0, events=events, booted=True, timestamped=timestamped, before=before, after=after))


@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        ((), set()),
        (("!Event: Hangup",), {"events.hidden_hangup", "events.hidden_hanguprequest"}),
        (("!Event: (VarSet|Newexten)",), set()),
        (("!Event: VarSet", "!Event: Hold"), {"events.hidden_hold"}),
        (("!Channel: PJSIP/9",), {"events.filter"}),
        (("Event: Newchannel", "Channel: PJSIP/9"), {"events.filter"}),
        (("!(",), {"events.filter"}),
    ],
)
def test_plain_filter(filters: tuple[str, ...], codes: set[str]) -> None:
    assert wrong(judge_events(filtered(*filters))) == codes


def test_what_only_a_part_of_calls_needs_is_a_warning() -> None:
    (finding,) = [one for one in judge_events(filtered("!Event: MixMonitorStart")) if one.code == "events.hidden_mixmonitorstart"]

    assert finding.severity is Severity.WARNING


def test_disabled_events_are_told_with_the_line_without_them() -> None:
    findings = judge_events(facts({(*GENERAL, "disabledevents"): "RTCPSent, hangup ,VarSet"}))

    (finding,) = [one for one in findings if one.severity is Severity.ERROR]
    assert finding.code == "events.hidden_hangup"
    assert str(finding.change) == "manager.conf [general]: disabledevents = RTCPSent,VarSet"


CHANNEL = Listing(channels={"1.1": "PJSIP/trunk-00000001"}, waiting=frozenset(), members={})
WAITING = Listing(channels={}, waiting=frozenset({("support", "1.1")}), members={})


def seat(status: str, paused: str) -> Listing:
    return Listing(channels={}, waiting=frozenset(), members={("support", "PJSIP/1001"): (status, paused)})


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        (CHANNEL, QUIET, HeardEvent("Hangup", "1.1")),
        (QUIET, CHANNEL, HeardEvent("Newchannel", "1.1")),
        (WAITING, QUIET, HeardEvent("QueueCallerLeave", "1.1")),
        (QUIET, WAITING, HeardEvent("QueueCallerJoin", "1.1")),
        (seat("1", "0"), seat("2", "0"), HeardEvent("QueueMemberStatus", "PJSIP/1001")),
        (seat("1", "0"), seat("1", "1"), HeardEvent("QueueMemberPause", "PJSIP/1001")),
    ],
)
def test_what_changed_between_the_listings_must_have_been_told(before: Listing, after: Listing, event: HeardEvent) -> None:
    assert wrong(judge_events(heard(before, after, event))) == set()
    assert wrong(judge_events(heard(before, after))) == {f"events.hidden_{event.name.lower()}"}


def test_an_event_of_another_channel_does_not_count() -> None:
    found = judge_events(heard(CHANNEL, QUIET, HeardEvent("Hangup", "1.2")))

    assert wrong(found) == {"events.hidden_hangup"}
    assert "PJSIP/trunk-00000001 has ended" in found[0].what


def test_events_of_a_class_that_is_not_read_are_told_once() -> None:
    """The missing class is the finding; what it hides follows."""
    unread = facts(
        {(*USER, "read"): "agent,system,user"},
        heard=Heard(seconds=3.0, events=(), booted=True, timestamped=None, before=CHANNEL, after=QUIET),
    )

    assert wrong(judge_events(unread)) == set()


def test_times_that_were_heard_count_more_than_the_file() -> None:
    event = HeardEvent("Hangup", "1.1")

    assert wrong(judge_events(heard(QUIET, QUIET, event, timestamped=False))) == {"events.timestamps"}
    assert wrong(judge_events(facts({(*GENERAL, "timestampevents"): "no"}))) == {"events.timestamps"}


def test_the_last_disabled_event_goes_with_an_empty_line() -> None:
    """Taking the line out would change nothing (22.10.1)."""
    (finding,) = [one for one in judge_events(facts({(*GENERAL, "disabledevents"): "Hangup"})) if one.change]

    assert str(finding.change).startswith("manager.conf [general]: disabledevents = (empty: ")
