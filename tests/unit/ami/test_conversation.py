import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cti_bridge.ami import actions
from cti_bridge.ami.conversation import (
    MAX_PENDING,
    Accepted,
    Conversation,
    LoggedIn,
    LoginRefused,
    News,
    Phase,
    Refused,
)
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.errors import AmiDisconnected

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
MASK = "call,agent,user,system"


def a_conversation(auth: str = "plain") -> Conversation:
    return Conversation(username="cti", secret="s3cret", auth=auth, events=MASK, token="token")


def signed_in() -> Conversation:
    conversation = a_conversation()
    conversation.receive(BANNER)
    conversation.data_to_send()
    conversation.receive(b"Response: Success\r\nActionID: cti-token-0\r\nMessage: Authentication accepted\r\n\r\n")
    return conversation


def answer(action_id: str, *headers: str, status: str = "Success") -> bytes:
    return "\r\n".join([f"Response: {status}", f"ActionID: {action_id}", *headers, "", ""]).encode()


def listing(action_id: str, name: str, *items: str) -> bytes:
    blocks = [f"Event: {item}".replace("\r\n", f"\r\nActionID: {action_id}\r\n", 1) for item in items]
    blocks.append(f"Event: {name}\r\nActionID: {action_id}\r\nEventList: Complete\r\nListItems: {len(items)}")
    return answer(action_id, "EventList: start", "Message: list") + "".join(f"{block}\r\n\r\n" for block in blocks).encode()


def shown(news: list[News]) -> list[object]:
    return [item.name if isinstance(item, AmiEvent) else item for item in news]


QUEUES = (
    "QueueParams\r\nQueue: support\r\nMax: 0\r\nStrategy: ringall",
    "QueueParams\r\nQueue: sales\r\nMax: 0\r\nStrategy: linear",
)


def test_nothing_is_sent_before_the_greeting() -> None:
    conversation = a_conversation()
    conversation.receive(BANNER[:-1])

    assert conversation.data_to_send() == b""


def test_a_plain_login_sets_the_event_mask_with_the_login() -> None:
    conversation = a_conversation("plain")
    conversation.receive(BANNER)

    assert conversation.data_to_send() == (
        b"Action: Login\r\nActionID: cti-token-0\r\nEvents: call,agent,user,system\r\nUsername: cti\r\nSecret: s3cret\r\n\r\n"
    )
    assert conversation.receive(answer("cti-token-0", "Message: Authentication accepted")) == [
        LoggedIn(banner="Asterisk Call Manager/11.0.0")
    ]
    assert conversation.phase is Phase.OPEN


def test_an_md5_login_never_sends_the_secret() -> None:
    conversation = a_conversation("md5")
    conversation.receive(BANNER)
    asked = conversation.data_to_send()
    conversation.receive(answer("cti-token-0", "Challenge: 169383"))
    proof = conversation.data_to_send()

    assert asked == b"Action: Challenge\r\nActionID: cti-token-0\r\nAuthType: MD5\r\n\r\n"
    assert b"\r\nUsername: cti\r\nKey: 2b59ec4ea487ff202325991905b6371d\r\n" in proof
    assert b"s3cret" not in asked + proof
    assert conversation.receive(answer("cti-token-1", "Message: Authentication accepted")) == [
        LoggedIn(banner="Asterisk Call Manager/11.0.0")
    ]


@pytest.mark.parametrize("auth", ["plain", "md5"])
def test_a_refused_login_is_told_with_the_pbx_own_words(auth: str) -> None:
    conversation = a_conversation(auth)
    conversation.receive(BANNER)

    news = conversation.receive(answer("cti-token-0", "Message: Authentication failed", status="Error"))

    assert news == [LoginRefused(message="Authentication failed")]
    assert conversation.phase is Phase.REFUSED


def test_a_server_that_is_no_pbx_is_not_told_the_secret() -> None:
    conversation = a_conversation()
    conversation.receive(b"SSH-2.0-OpenSSH_9.2\r\n" + b"x" * 10_000)

    assert conversation.data_to_send() == b""
    assert conversation.phase is Phase.BANNER


def test_no_action_is_sent_before_the_login_or_after_a_refusal() -> None:
    with pytest.raises(AmiDisconnected, match="Ping was not sent"):
        a_conversation().perform(actions.ping())


def test_an_action_gets_its_own_answer() -> None:
    conversation = signed_in()
    first, second = conversation.perform(actions.ping()), conversation.perform(actions.core_status())

    news = conversation.receive(answer(second, "CoreCurrentCalls: 3") + answer(first, "Ping: Pong"))

    assert [(item.action_id, item.action) for item in news if isinstance(item, Accepted)] == [
        (second, "CoreStatus"),
        (first, "Ping"),
    ]


def test_an_answer_to_nobodys_question_is_no_answer() -> None:
    """A caller can write `Response: Success` into the stream, but cannot know the ActionID."""
    conversation = signed_in()
    conversation.perform(actions.ping())

    assert conversation.receive(answer("cti-guessed-1") + answer("")) == []
    assert conversation.counters["unexpected"] == 2


def test_a_refused_action_says_why() -> None:
    conversation = signed_in()
    action_id = conversation.perform(actions.core_show_channels())

    assert conversation.receive(answer(action_id, "Message: Permission denied", status="Error")) == [
        Refused(action_id=action_id, action="CoreShowChannels", message="Permission denied")
    ]


def test_a_listing_is_answered_when_its_complete_event_came() -> None:
    conversation = signed_in()
    action_id = conversation.perform(actions.queue_status(), collect=True)

    news = conversation.receive(listing(action_id, "QueueStatusComplete", *QUEUES))

    assert shown(news[:-1]) == ["QueueParams", "QueueParams", "QueueStatusComplete"]
    answered = news[-1]
    assert isinstance(answered, Accepted)
    assert [item.get("Queue") for item in answered.items] == ["support", "sales"]


def test_a_listing_that_is_not_collected_is_still_told_event_by_event() -> None:
    conversation = signed_in()
    action_id = conversation.perform(actions.queue_status())

    news = conversation.receive(listing(action_id, "QueueStatusComplete", *QUEUES))

    assert shown(news[:-1]) == ["QueueParams", "QueueParams", "QueueStatusComplete"]
    assert isinstance(news[-1], Accepted)
    assert news[-1].items == ()


def test_a_list_of_nothing_that_comes_as_an_error_is_an_empty_list() -> None:
    """ConfbridgeListRooms without conferences (Asterisk 22)."""
    conversation = signed_in()
    action_id = conversation.perform(actions.ping())

    news = conversation.receive(answer(action_id, "Message: No active conferences.", status="Error"))

    assert isinstance(news[0], Accepted)


def test_a_late_answer_is_dropped_in_silence() -> None:
    conversation = signed_in()
    action_id = conversation.perform(actions.ping())
    conversation.forget(action_id)

    assert conversation.receive(answer(action_id)) == []
    assert conversation.counters["unexpected"] == 0


def test_too_many_unanswered_actions_are_not_sent() -> None:
    conversation = signed_in()
    for _ in range(MAX_PENDING):
        conversation.perform(actions.ping())

    with pytest.raises(AmiDisconnected, match="have no answer yet"):
        conversation.perform(actions.ping())


@given(st.lists(st.integers(1, 60), max_size=40))
def test_any_chunking_tells_the_same(cuts: list[int]) -> None:
    def story(sizes: list[int]) -> list[object]:
        conversation = a_conversation()
        stream = BANNER + answer("cti-token-0", "Message: Authentication accepted")
        told = []
        for size in [*sizes, len(stream)]:
            told += conversation.receive(stream[:size])
            stream = stream[size:]
        listed = conversation.perform(actions.queue_status(), collect=True)
        stream = listing(listed, "QueueStatusComplete", *QUEUES)
        for size in [*sizes, len(stream)]:
            told += conversation.receive(stream[:size])
            stream = stream[size:]
        return [
            (item.action, [event.block for event in item.items]) if isinstance(item, Accepted) else item
            for item in told
            if not isinstance(item, AmiEvent)
        ]

    assert story(cuts) == story([])


@given(st.binary(max_size=400))
@example(b"Event: ")
def test_no_bytes_break_it(data: bytes) -> None:
    for conversation in (a_conversation(), a_conversation("md5"), signed_in()):
        conversation.receive(data)
        conversation.receive(b"\r\n\r\n" + data + b"\r\n\r\n")
