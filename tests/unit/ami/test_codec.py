"""What a caller injects stays a strange number; what is broken is counted; what comes in pieces is put together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti_bridge.ami.codec import MAX_EVENT_BYTES, AmiCodec
from cti_bridge.ami.messages import AmiEvent, AmiReply, response_of, unescape
from cti_bridge.ami.shapes import INJECTION_BUDGET
from tests.support.ami_text import block, snapshot, wire

OURS = "cti-secret-1"


def a_codec() -> AmiCodec:
    return AmiCodec(expects=lambda action_id: action_id == OURS)


def events(codec: AmiCodec, data: bytes) -> list[AmiEvent]:
    return [message for message in codec.receive(data) if isinstance(message, AmiEvent)]


GENUINE = block("Hangup", **snapshot(uid="9.9"), Cause="16")

FORGED = [
    ("a header line", "0611\r\nUniqueid: 9.9\r\nX: y"),
    ("a whole event", "0612\r\n\r\nEvent: Hangup\r\nUniqueid: 9.9\r\nLinkedid: 9.9\r\n\r\nA: b"),
    ("an event with its privilege", "1\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nUniqueid: 9.9\r\n\r\nA: b"),
    ("a hint", "1\r\n\r\nEvent: Shutdown\r\nPrivilege: system,all\r\nShutdown: x\r\nRestart: y"),
    ("a reply to nobody", "1\r\n\r\nResponse: Success\r\nActionID: x-1\r\nMessage: ok\r\n\r\nA: b"),
    ("an item of a listing", "1\r\n\r\nEvent: CoreShowChannelsComplete\r\nActionID: x-1\r\nEventList: x"),
    ("an unknown event", "1\r\n\r\nEvent: Fake\r\nPrivilege: user,all\r\nQ: 1\r\n\r\nZ: 9"),
    ("only blank lines", "1\r\n\r\n\r\n\r\n2"),
    ("the next header", "1\r\nCallerIDName: Bank\r\nConnectedLineNum: 5"),
    ("a bare line feed", "1\n\nEvent: Hangup\nUniqueid: 9.9"),
    ("a bare carriage return", "1\r\rEvent: Hangup\rUniqueid: 9.9"),
    ("the name of a head", "1\r\nExten: 5"),
]
AMBIGUOUS = ("ConnectedLineNum", FORGED[8][1])
"""Reads as well as a CallerIDNum of three lines: whose words they are cannot be told, and both numbers are marked alike."""
PLACES = ["CallerIDNum", "ConnectedLineNum", "Exten", "AccountCode"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", [text for _, text in FORGED], ids=[name for name, _ in FORGED])
def test_injected_text_is_a_number_and_never_an_event(place: str, text: str) -> None:
    codec = a_codec()
    event = block("Newchannel", **snapshot(uid="1.1", **{place: text}))

    got = events(codec, wire(event, GENUINE))

    assert [(one.name, one.get("Uniqueid"), one.get("Linkedid")) for one in got] == [
        ("Newchannel", "1.1", "1.1"),
        ("Hangup", "9.9", "9.9"),
    ]
    assert not got[1].tampered
    if (place, text) != AMBIGUOUS:
        assert got[0].number(place) == text


ENDS = [
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6",
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\nCause: 16",
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\n\r\nX: y",
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\n\r\nA\r\n\r\nB",
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\n\r\nEvent: A",
    "8\r\nPriority: 1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\n\r\nEvent: A\r\nPrivilege: a",
    "8\r\nPriority:\r\nUniqueid: 6.6\r\nLinkedid:\r\n\r\n\r\n\r\n",
]
"""Dialled numbers that end the snapshot of their own event by themselves (a dialplan pattern with a dot lets them in)."""


@pytest.mark.parametrize("before", [b"", wire(block("NewConnectedLine", **snapshot(uid="1.1")))], ids=["first", "later"])
@pytest.mark.parametrize("name", ["Newchannel", "Newstate", "Hangup", "HangupRequest"])
@pytest.mark.parametrize("text", ENDS)
def test_a_dialled_number_does_not_make_its_event_one_of_another_channel(text: str, name: str, before: bytes) -> None:
    codec = a_codec()
    codec.receive(before)

    got = events(codec, wire(block(name, **snapshot(uid="1.1", Exten=text), Cause="16"), GENUINE))

    assert [(one.name, one.get("Uniqueid")) for one in got] == [(name, "1.1"), ("Hangup", "9.9")]
    assert codec.counters["forged"] == 1
    assert got[0].tampered


def test_an_end_and_an_event_that_is_passed_over_do_not_both_fit_into_a_number() -> None:
    shortest = "8\r\nPriority:\r\nUniqueid: 1795314829.43\r\nLinkedid:\r\n\r\nEvent: Abcd\r\nPrivilege: cdr,all\r\n"

    assert len(shortest) > INJECTION_BUDGET


@pytest.mark.parametrize("text", [text for name, text in FORGED if "\r\n" in text])
def test_an_injection_is_counted_and_marked(text: str) -> None:
    codec = a_codec()

    (event,) = events(codec, wire(block("Newchannel", **snapshot(CallerIDNum=text))))

    assert event.tampered
    assert codec.counters["forged"] > 0


@pytest.mark.parametrize("text", [text for _, text in FORGED], ids=[name for name, _ in FORGED])
def test_two_injected_values_of_one_event_are_both_undone(text: str) -> None:
    event = block("DialBegin", **snapshot(uid="1.1", CallerIDNum=text), **snapshot("Dest", uid="1.2"), DialString="1001")
    both = block("DialBegin", **snapshot(uid="1.1"), **snapshot("Dest", uid="1.2", ConnectedLineNum=text), DialString="1001")

    got = events(a_codec(), wire(event, both, GENUINE))

    assert [(one.get("Uniqueid"), one.get("DestUniqueid")) for one in got] == [("1.1", "1.2"), ("1.1", "1.2"), ("9.9", "")]
    assert got[0].number("CallerIDNum") == got[1].number("DestConnectedLineNum") == text


@pytest.mark.parametrize("text", [FORGED[0][1], FORGED[1][1], FORGED[7][1]])
def test_an_injection_is_undone_wherever_the_bytes_are_cut(text: str) -> None:
    data = wire(block("Newchannel", **snapshot(CallerIDNum=text)), GENUINE)
    whole = [(one.name, one.block) for one in events(a_codec(), data)]

    for cut in range(len(data)):
        codec = a_codec()
        got = events(codec, data[:cut]) + events(codec, data[cut:])

        assert [(one.name, one.block) for one in got] == whole


def test_a_head_without_its_tail_does_not_swallow_what_follows() -> None:
    head = block("Newchannel", **snapshot()).split(b"\r\nCallerIDName")[0]
    codec = a_codec()

    got = events(codec, wire(head, GENUINE, GENUINE))

    assert [one.block for one in got] == [GENUINE, GENUINE]
    assert codec.counters["malformed"] == 1


def test_a_head_gives_up_after_a_few_blocks() -> None:
    head = block("Newchannel", **snapshot()).split(b"\r\nCallerIDName")[0]
    codec = a_codec()

    got = events(codec, wire(head, *[b"A: b"] * 10, GENUINE))

    assert [one.block for one in got] == [GENUINE]


def test_the_first_of_two_equal_headers_is_the_genuine_one() -> None:
    (event,) = events(a_codec(), wire(block("Hangup", **snapshot(uid="1.1")) + b"\r\nUniqueid: 6.6"))

    assert event.get("Uniqueid") == "1.1"


def test_a_reply_is_taken_only_where_it_is_awaited() -> None:
    codec = a_codec()
    ours = f"Response: Success\r\nActionID: {OURS}\r\nMessage: Pong".encode()

    got = codec.receive(wire(ours, ours.replace(b"secret", b"guess"), b"Response: Error"))

    assert [(type(one), one.action_id) for one in got] == [(AmiReply, OURS)]
    assert codec.counters["unexpected"] == 2


def test_an_item_of_a_listing_is_taken_only_where_it_is_awaited() -> None:
    item = b"Event: QueueEntry\r\nQueue: q\r\nPosition: 1\r\nChannel: c\r\nUniqueid: 1.1\r\nActionID: %s"
    codec = a_codec()

    got = events(codec, wire(item % OURS.encode(), item % b"guess", item.partition(b"\r\nActionID")[0]))

    assert [one.action_id for one in got] == [OURS]
    assert codec.counters["forged"] == 2


@pytest.mark.parametrize(
    "broken",
    [
        b"Event: Hangup",
        b"Event: Hangup\r\nPrivilege: call,all\r\nChannel: x",
        b"Event: Hangup\r\nno colon at all",
        b"no colon at all",
        b": empty key",
        b"\0\0\0",
        b"Event: \xff\xfe\r\nPrivilege: call,all",
        block("Hangup", **snapshot()).replace(b"\r\n", b"\n"),
        block("Hangup", **snapshot()).replace(b"\r\nUniqueid", b"Uniqueid"),
    ],
)
def test_a_broken_block_is_thrown_away_alone(broken: bytes) -> None:
    codec = a_codec()

    got = events(codec, wire(GENUINE, broken, GENUINE))

    assert [one.block for one in got] == [GENUINE, GENUINE]


def test_three_line_ends_end_an_event_like_two() -> None:
    got = events(a_codec(), GENUINE + b"\r\n\r\n\r\n" + GENUINE + b"\r\n\r\n")

    assert [one.block for one in got] == [GENUINE, GENUINE]


def test_the_banner_stands_alone_or_before_the_first_answer() -> None:
    codec = a_codec()

    got = codec.receive(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: cti-secret-1\r\nMessage: Hello\r\n\r\n")

    assert codec.banner == "Asterisk Call Manager/11.0.0"
    assert len(got) == 1


@pytest.mark.parametrize("portion", [1 << 30, 65536], ids=["at once", "in portions"])
def test_an_oversized_event_is_passed_over_and_the_next_is_not(portion: int) -> None:
    codec = a_codec()
    data = b"Event: Hangup\r\nPrivilege: call,all\r\nChannel: " + b"x" * (3 * MAX_EVENT_BYTES) + b"\r\n\r\n" + wire(GENUINE)

    got = [one for at in range(0, len(data), portion) for one in events(codec, data[at : at + portion])]

    assert [one.block for one in got] == [GENUINE]


def test_an_endless_line_takes_no_more_memory_than_one_event() -> None:
    codec = a_codec()

    for _ in range(200):
        assert codec.receive(b"x" * 65536) == []

    assert codec.counters["oversized"] == 1
    assert len(codec._buffer) <= MAX_EVENT_BYTES + 65536


def test_line_separators_of_unicode_stay_in_a_name() -> None:
    name = "Jan\u2028Event: Hangup\u0085Uniqueid: 9.9\x0b\x0c\x1c"

    (event,) = events(a_codec(), wire(block("Newchannel", **snapshot(CallerIDName=name))))

    assert event.caller_name("CallerIDName") == name


def test_bytes_that_are_no_text_are_replaced() -> None:
    (event,) = events(a_codec(), wire(block("Newchannel", **snapshot(CallerIDNum="888\udcff\udcfe"))))

    assert event.number("CallerIDNum") == "888\ufffd\ufffd"


def test_asterisks_escapes_are_undone_in_names_only() -> None:
    (event,) = events(a_codec(), wire(block("Newchannel", **snapshot(CallerIDName=r"O\'Brien \"x\" \\n", CallerIDNum=r"1\n2"))))

    assert event.caller_name("CallerIDName") == 'O\'Brien "x" \\n'
    assert event.number("CallerIDNum") == r"1\n2"


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_unescaping_gives_back_what_asterisk_escaped(text: str) -> None:
    escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", '"': '\\"', "'": "\\'", "?": "\\?", "\t": "\\t"}

    assert unescape("".join(escapes.get(char, char) for char in text)) == text


def test_an_answer_keeps_repeated_lines() -> None:
    response = response_of(b"Response: Success\r\nOutput: one\r\nOutput: two\r\nMessage: a: b")

    assert (response.status, response.keys["Output"], response.keys["Message"]) == ("Success", "one\ntwo", "a: b")


PIECES = st.sampled_from(
    [GENUINE, b"\r\n\r\n", b"\r\n", b"\n", b"\r", b"\0", b"Event: Hangup", b"Event: ", b"Response: Success", b"CallerIDNum: 1"]
    + [block("Newchannel", **snapshot(CallerIDNum=text)) for _, text in FORGED]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=20), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_nothing_raises_and_chunks_change_nothing(pieces: list[bytes], sizes: list[int]) -> None:
    data = b"".join(pieces)
    whole, parts = a_codec(), a_codec()

    at_once = [one.block for one in events(whole, data)]
    in_parts: list[bytes] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        in_parts += [one.block for one in events(parts, data[at : at + size])]
        at, turn = at + size, turn + 1

    assert in_parts == at_once
    assert parts.counters == whole.counters
