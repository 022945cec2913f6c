"""Single rules, each on a handful of made-up events: what a real recording shows rarely or never."""

import pytest

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import Call, Outcome, Party, TransferType
from cti_bridge.domain.call_events import CallAnswered, CallEnded, CallOffered, OfferEnd, OfferEnded, TrackerEvent
from tests.support.ami_text import block, snapshot
from tests.support.replayed import a_tracker

CUSTOMER = {"channel": "PJSIP/trunk-00000001", "uid": "1.1"}
ALICE = {"channel": "PJSIP/1001-00000002", "uid": "1.2", "Linkedid": "1.1"}
SECOND_LINE = {"channel": "PJSIP/1001-00000004", "uid": "1.4", "Linkedid": "1.4"}
BOB = {"channel": "PJSIP/1002-00000003", "uid": "1.3", "Linkedid": "1.1"}


class Story:
    """Feeds events a tenth of a second apart and keeps what the tracker says."""

    def __init__(self) -> None:
        self.tracker = a_tracker()
        self.said: list[TrackerEvent] = []
        self.now = 1_000.0

    def tell(self, name: str, *, after: float = 0.1, **headers: str) -> "Story":
        self.now += after
        self.said += self.tracker.feed(AmiEvent(name, block(name, **headers)), self.now)
        return self

    def arrives(self) -> "Story":
        return self.tell("Newchannel", **snapshot(**CUSTOMER, ChannelState="4"))

    def dials(self, phone: dict[str, str]) -> "Story":
        self.tell("Newchannel", **snapshot(**phone, ChannelState="0"))
        return self.tell("DialBegin", **snapshot(**CUSTOMER), **snapshot("Dest", **phone, ChannelState="0"), DialString="1001")

    def rings(self, phone: dict[str, str], after: float = 0.1) -> "Story":
        return self.tell("Newstate", **snapshot(**phone, ChannelState="5"), after=after)

    def answers(self, phone: dict[str, str]) -> "Story":
        self.tell("Newstate", **snapshot(**phone, ChannelState="6"))
        return self.tell("DialEnd", **snapshot(**CUSTOMER), **snapshot("Dest", **phone), DialStatus="ANSWER")

    def bridge(self, event: str, count: int, leg: dict[str, str]) -> "Story":
        bridge = {
            "BridgeUniqueid": "b1",
            "BridgeType": "basic",
            "BridgeTechnology": "simple_bridge",
            "BridgeCreator": "<unknown>",
            "BridgeName": "<unknown>",
            "BridgeNumChannels": str(count),
        }
        return self.tell(event, **bridge, **snapshot(**leg))

    def hangs_up(self, leg: dict[str, str], cause: str = "16") -> "Story":
        return self.tell("HangupRequest", **snapshot(**leg), Cause=cause)

    def ended(self) -> Call:
        (call,) = [event.call for event in self.said if isinstance(event, CallEnded)]
        return call

    def count(self, kind: type[TrackerEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.said)


def a_talk() -> Story:
    story = Story().arrives().dials(ALICE).rings(ALICE).answers(ALICE)
    return story.bridge("BridgeEnter", 1, ALICE).bridge("BridgeEnter", 2, CUSTOMER)


def test_a_call_ends_though_its_hangup_is_never_told() -> None:
    """Ten seconds after the customer hung up, at whatever event comes next, dated to the hanging up."""
    story = a_talk().hangs_up(CUSTOMER)
    asked = story.now

    story.tell("FullyBooted", Uptime="99", after=9)
    assert story.count(CallEnded) == 0
    story.tell("FullyBooted", Uptime="99", after=2)

    call = story.ended()
    assert (call.outcome, call.hung_up_by, call.estimated) == (Outcome.ANSWERED, Party.CUSTOMER, True)
    assert call.ended_at is not None
    assert call.ended_at.timestamp() == pytest.approx(asked)


def test_a_late_hangup_of_such_a_call_changes_nothing() -> None:
    story = a_talk().hangs_up(CUSTOMER).tell("FullyBooted", Uptime="99", after=11)

    story.tell("Hangup", **snapshot(**CUSTOMER), Cause="16").tell("Newstate", **snapshot(**CUSTOMER))

    assert story.count(CallEnded) == 1


def test_a_channel_that_goes_on_elsewhere_in_the_dialplan_has_not_ended() -> None:
    """SoftHangupRequest with reason 2 (AST_SOFTHANGUP_ASYNCGOTO)."""
    story = a_talk().tell("SoftHangupRequest", **snapshot(**CUSTOMER), Cause="2").tell("FullyBooted", Uptime="9", after=60)

    assert story.count(CallEnded) == 0


def test_a_call_that_the_shutdown_of_the_pbx_cut_off_is_lost() -> None:
    """SoftHangupRequest with reason 4 (AST_SOFTHANGUP_SHUTDOWN)."""
    story = Story().arrives().dials(ALICE).rings(ALICE)

    story.tell("SoftHangupRequest", **snapshot(**CUSTOMER), Cause="4").tell("Hangup", **snapshot(**CUSTOMER), Cause="0")

    assert (story.ended().outcome, story.ended().hung_up_by) == (Outcome.LOST, Party.SYSTEM)


@pytest.mark.parametrize("missed", ["agent", "customer"])
def test_whoever_was_not_seen_to_enter_is_known_by_the_bridges_own_count(missed: str) -> None:
    story = Story().arrives().dials(ALICE).rings(ALICE).answers(ALICE)
    story.tell("Newstate", **snapshot(**CUSTOMER, ChannelState="6"))

    if missed == "agent":
        story.bridge("BridgeEnter", 2, CUSTOMER)
    else:
        story.bridge("BridgeEnter", 1, ALICE).bridge("BridgeLeave", 1, CUSTOMER)

    assert story.count(CallAnswered) == 1


def test_a_conference_counts_one_more_than_its_members_and_nobody_is_made_up() -> None:
    story = Story().arrives().dials(ALICE).rings(ALICE).answers(ALICE)
    bridge = {"BridgeUniqueid": "c1", "BridgeType": "base", "BridgeTechnology": "softmix", "BridgeCreator": "ConfBridge"}

    story.tell("BridgeEnter", **bridge, BridgeName="8800", BridgeNumChannels="2", **snapshot(**CUSTOMER))

    assert story.count(CallAnswered) == 0


def test_phones_dialled_together_rang_in_the_order_of_dialling() -> None:
    story = Story().arrives().dials(ALICE).dials(BOB).rings(BOB, after=0.01).rings(ALICE, after=0.01)

    assert story.tracker.live(story.now)[0].offered_to == ("1001", "1002")


def test_a_phone_that_rings_much_later_was_offered_the_call_later() -> None:
    story = Story().arrives().dials(ALICE).dials(BOB).rings(BOB).rings(ALICE, after=3)

    assert story.tracker.live(story.now)[0].offered_to == ("1002", "1001")


@pytest.mark.parametrize("first", ["HangupRequest", "DialEnd"])
@pytest.mark.parametrize(
    ("cause", "outcome"), [("21", Outcome.NO_ANSWER), ("1", Outcome.FAILED)], ids=["declined", "no such number"]
)
def test_a_phone_that_says_no_at_once_was_offered_the_call_and_missed_it(first: str, cause: str, outcome: Outcome) -> None:
    """Dial() says NOANSWER of 603 and 404 alike; the phone's own request comes before that or behind it (Asterisk 22)."""
    story = Story().arrives().dials(ALICE)
    said_no = {**ALICE, "ChannelState": "0"}
    end = {**snapshot(**CUSTOMER, ChannelState="4"), **snapshot("Dest", **said_no), "DialStatus": "NOANSWER"}

    if first == "DialEnd":
        story.tell("DialEnd", **end).hangs_up(said_no, cause)
    else:
        story.hangs_up(said_no, cause).tell("DialEnd", **end)
    story.tell("Hangup", **snapshot(**said_no), Cause=cause).tell("Hangup", **snapshot(**CUSTOMER, ChannelState="4"), Cause=cause)

    call = story.ended()
    assert (call.offered_to, call.rang_no_answer, call.outcome) == (("1001",), ("1001",), outcome)


def test_a_phone_that_cannot_be_reached_was_not_offered_the_call() -> None:
    story = Story().arrives().dials(ALICE)
    silent = {**ALICE, "ChannelState": "0"}

    story.hangs_up(silent, "18").tell("DialEnd", **snapshot(**CUSTOMER), **snapshot("Dest", **silent), DialStatus="NOANSWER")

    assert story.tracker.live(story.now)[0].offered_to == ()


def test_a_ring_that_is_told_after_its_end_is_shown_to_nobody() -> None:
    story = Story().arrives().dials(ALICE)
    ringing = {**ALICE, "ChannelState": "0"}
    story.tell("DialEnd", **snapshot(**CUSTOMER), **snapshot("Dest", **ringing), DialStatus="NOANSWER")

    story.rings(ALICE)

    assert story.count(CallOffered) == 0
    assert story.tracker.live(story.now)[0].rang_no_answer == ("1001",)


def test_a_forged_number_is_no_number_of_a_customer() -> None:
    forged = AmiEvent("Newchannel", block("Newchannel", **snapshot(**CUSTOMER, ChannelState="4")), tampered=True)

    said = a_tracker().feed(forged, 1_000.0)

    assert [event.call.untrusted_caller for event in said if hasattr(event, "call")] == [True]


def advice(story: Story) -> Story:
    """Alice calls Bob on her second line, and Bob answers."""
    story.tell("Newchannel", **snapshot(**SECOND_LINE, ChannelState="4", Exten="1002"))
    story.tell("Newchannel", **snapshot(**BOB, ChannelState="0"))
    pair = snapshot(**SECOND_LINE) | snapshot("Dest", **BOB)
    story.tell("DialBegin", **pair | {"DestChannelState": "0"}, DialString="1002").rings(BOB)
    return story.tell("Newstate", **snapshot(**BOB)).tell("DialEnd", **pair, DialStatus="ANSWER")


def test_who_was_only_asked_for_advice_keeps_no_pop_of_the_call() -> None:
    """The customer's call goes on with the agent who asked; nothing of it is left for the one who answered."""
    story = advice(a_talk())

    story.tell("Hangup", **snapshot(**BOB), Cause="16")

    (over,) = [event for event in story.said if isinstance(event, OfferEnded)]
    assert (over.agent, over.why) == ("1002", OfferEnd.ANSWERED_ELSEWHERE)
    assert story.tracker.live(story.now)[0].talking == ("1001",)


def test_a_caller_whose_entering_was_missed_is_with_the_phone_that_they_dialled() -> None:
    """Dial and Queue put the called party into the bridge first, and the caller after it, always."""
    story = Story().arrives().dials(ALICE).rings(ALICE).answers(ALICE).bridge("BridgeEnter", 1, ALICE)

    assert story.count(CallAnswered) == 1


def test_a_caller_who_gives_up_at_the_moment_of_the_answer_is_with_nobody() -> None:
    story = (
        Story().arrives().dials(ALICE).rings(ALICE).hangs_up(CUSTOMER, cause="").answers(ALICE).bridge("BridgeEnter", 1, ALICE)
    )

    assert story.count(CallAnswered) == 0


def test_a_customer_who_leaves_the_bridge_for_another_extension_was_transferred() -> None:
    """Told in the event of the leaving (22.10.1); it counts once the agent is gone and did not come along."""
    story = a_talk()
    elsewhere = CUSTOMER | {"Exten": "1005"}

    story.bridge("BridgeLeave", 1, ALICE).bridge("BridgeLeave", 0, elsewhere)
    assert story.tracker.live(story.now)[0].transfers == ()
    story.tell("Hangup", **snapshot(**ALICE), Cause="16")

    (transfer,) = story.tracker.live(story.now)[0].transfers
    assert (transfer.type, transfer.from_agent, transfer.to) == (TransferType.BLIND, "1001", "1005")


def test_a_customer_who_goes_on_in_the_dialplan_was_not_transferred() -> None:
    """Queue option c, Dial option g: the same extension."""
    story = a_talk().bridge("BridgeLeave", 1, ALICE).bridge("BridgeLeave", 0, CUSTOMER)

    story.tell("Hangup", **snapshot(**ALICE), Cause="16").dials(BOB).rings(BOB)

    assert story.tracker.live(story.now)[0].transfers == ()


@pytest.mark.parametrize(
    ("leg", "scores", "told"),
    [
        (CUSTOMER, ("4",), 4),
        (CUSTOMER, ("1", "5"), 5),
        (CUSTOMER, ("3", "9", "", "-1", "4x", "٤"), 3),
        (ALICE, ("5",), None),
        ({"channel": "PJSIP/trunk-00000009", "uid": "9.9"}, ("5",), None),
        (CUSTOMER, (), None),
    ],
)
def test_the_customers_last_answer_to_the_survey_goes_with_the_call(
    leg: dict[str, str], scores: tuple[str, ...], told: int | None
) -> None:
    story = a_talk().bridge("BridgeLeave", 1, ALICE).bridge("BridgeLeave", 0, CUSTOMER)

    for score in scores:
        story.tell("UserEvent", **snapshot(**leg), UserEvent="CtiSurvey", Score=score)
    story.tell("Hangup", **snapshot(**ALICE), Cause="16").tell("Hangup", **snapshot(**CUSTOMER), Cause="16", after=5)

    assert story.ended().survey_score == told
