import ast
from pathlib import Path

import pytest
from asterisk.ami import Action
from hypothesis import given
from hypothesis import strategies as st

import cti_bridge
from cti_bridge.ami import actions

BUILT = [
    actions.challenge(),
    actions.login_plain("cti", "secret", events="off"),
    actions.login_md5("cti", "0123", events="call,agent,user,system"),
    actions.ping(),
    actions.core_status(),
    actions.core_settings(),
    actions.core_show_channels(),
    actions.bridge_list(),
    actions.parked_calls(),
    actions.queue_status(),
    actions.list_commands(),
    actions.show_dialplan(),
    actions.config_value("manager.conf", "cti", "read"),
    actions.config_value("manager.conf", "cti", "eventfilter", index=3),
    actions.config_value("manager.conf", "cti", "eventfilter(action(exclude),name(Hangup))"),
    actions.dialplan_exists("agents"),
    actions.dialplan_exists("click2call", "+442079460018"),
    actions.queue_exists("support"),
    actions.module_loaded("cel_custom"),
    actions.global_variable("CTI_AGI"),
    actions.utc_offset(),
    actions.originate(channel="PJSIP/1001", context="click2call", exten="+442079460018", caller_id="1001", channel_id="cti-1"),
    actions.hangup("PJSIP/1001-0000002a"),
    actions.redirect("PJSIP/trunk-00000001", context="agents", exten="6001"),
    actions.blind_transfer("PJSIP/1001-0000002a", context="agents", exten="1002"),
    actions.attended_transfer("PJSIP/1001-0000002a", context="agents", exten="1002"),
    actions.cancel_attended_transfer("PJSIP/1001-0000002a"),
    actions.park("PJSIP/trunk-00000001", announce_to="PJSIP/1001-0000002a"),
    actions.queue_add("support", "PJSIP/1001", member_name="Agent One"),
    actions.queue_remove("support", "PJSIP/1001"),
    actions.queue_pause("PJSIP/1001", paused=True, reason="午休", queue="support"),
    actions.record_channel("Local/1001@agents-00000001;1", file="1795314829.43.wav"),
    actions.stop_recording("PJSIP/1001-0000002a"),
    actions.mute_recording("PJSIP/1001-0000002a", muted=True),
    actions.phone_talk("PJSIP/1001-0000002a"),
    actions.phone_hold("PJSIP/1001-0000002a"),
]


@pytest.mark.parametrize("action", BUILT, ids=lambda action: action.name)
def test_every_builder_makes_an_action_that_can_be_sent(action: Action) -> None:
    sent = actions.encode(action, "cti-token-7")

    assert sent.startswith(f"Action: {action.name}\r\nActionID: cti-token-7\r\n".encode())
    assert sent.endswith(b"\r\n\r\n")


def test_what_is_fixed_stands_before_what_people_give() -> None:
    """Asterisk takes the first header of a name, so a fixed one can not be overridden behind it."""
    action = actions.originate(channel="PJSIP/1001", context="click2call", exten="600", caller_id="1001", channel_id="cti-1")

    assert actions.encode(action, "a").decode().split("\r\n") == [
        "Action: Originate",
        "ActionID: a",
        "Async: true",
        "Context: click2call",
        "Priority: 1",
        "Timeout: 30000",
        "ChannelId: cti-1",
        "Channel: PJSIP/1001",
        "Exten: 600",
        "CallerID: 1001",
        "",
        "",
    ]


def test_asking_a_phone_to_answer_is_a_notify_in_its_dialog() -> None:
    assert actions.encode(actions.phone_talk("PJSIP/1001-0000002a"), "a") == (
        b"Action: PJSIPNotify\r\nActionID: a\r\nChannel: PJSIP/1001-0000002a\r\nVariable: Event=talk\r\n\r\n"
    )


@given(reason=st.text())
def test_no_value_adds_a_header_or_an_action(reason: str) -> None:
    action = Action("QueuePause", {"Paused": "true", "Interface": "PJSIP/1001", "Reason": reason})
    try:
        sent = actions.encode(action, "cti-1")
    except ValueError:
        return

    assert sent.count(b"\r\n\r\n") == 1
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r") == sent.count(b"\n") == 6
    assert max(map(len, sent.split(b"\r\n"))) + 2 <= actions.MAX_LINE_BYTES
    assert not set(sent) & (set(range(32)) - {10, 13})


@given(st.text(alphabet=st.sampled_from("\r\n\0\x0b\x1b\x7f"), min_size=1), st.integers(0, 10))
def test_control_characters_are_refused_wherever_they_stand(control: str, at: int) -> None:
    text = "lunch time"
    with pytest.raises(ValueError, match="control character"):
        actions.encode(Action("QueuePause", {"Reason": text[:at] + control + text[at:]}), "a")


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(Action("Command", {"Command": "core stop now"}), id="an action that is not on the list"),
        pytest.param(Action("Originate", {"Application": "System"}), id="a header that is not on the list"),
        pytest.param(Action("Originate", {"Channel\r\nAction": "x"}), id="line break in a header's name"),
        pytest.param(Action("Originate", {}, {"__X": "${SHELL(id)}"}), id="a free variable"),
        pytest.param(Action("PJSIPNotify", {}, {"Event": "check-sync"}), id="a variable's other value"),
        pytest.param(Action("Hangup", {"Channel": "/.*/"}), id="a channel that is a pattern"),
        pytest.param(Action("Originate", {"Channel": "PJSIP/1001&PJSIP/1002"}), id="several channels"),
        pytest.param(Action("QueuePause", {"Reason": "x" * 1000}), id="a long line"),
        pytest.param(Action("QueuePause", {"Reason": "中" * 340}), id="a line long in bytes"),
        pytest.param(Action("QueuePause", {"Reason": "\ud800"}), id="half a character"),
        pytest.param(Action("QueuePause", {"Reason": 7}), id="not text"),
        pytest.param(Action("Getvar", {"Variable": "SHELL(id)"}), id="a dialplan function that does things"),
        pytest.param(Action("Getvar", {"Variable": "AST_CONFIG(manager.conf,cti,secret)"}), id="a secret"),
        pytest.param(Action("Getvar", {"Variable": "AST_CONFIG(a.conf,b,c)${SHELL(id)}"}), id="a function behind a reading"),
        pytest.param(Action("Getvar", {"Variable": "AST_CONFIG(${SHELL(id)},b,c)"}), id="a function inside a reading"),
        pytest.param(Action("Getvar", {"Variable": "DIALPLAN_EXISTS(agents,${X},1)"}), id="a variable inside a reading"),
        pytest.param(Action("Getvar", {}), id="no question"),
    ],
)
def test_the_encoder_refuses(action: Action) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each refusal has its own words
        actions.encode(action, "a")


@pytest.mark.parametrize("action_id", ["", "a b", "a\r\nAction: Logoff", "x" * 65])
def test_an_action_id_is_a_plain_word(action_id: str) -> None:
    with pytest.raises(ValueError, match="ActionID"):
        actions.encode(actions.ping(), action_id)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "12 34",
        "1\r\n2",
        "１２３",
        "100@evil",
        "sip:1@x",
        "1,2",
        "1&2",
        "1;2",
        "p123",
        "1w2",
        "${SHELL(id)}",
        "1" * 33,
        "12\n",
    ],
)
def test_only_digits_star_hash_and_plus_are_dialled(number: str) -> None:
    with pytest.raises(ValueError, match="number"):
        actions.number(number)


@pytest.mark.parametrize("number", ["1002", "+442079460018", "*50", "#9", "0" * 32])
def test_a_number_is_dialled_as_given(number: str) -> None:
    assert actions.number(number) == number


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: actions.hangup("/PJSIP/"), id="pattern"),
        pytest.param(lambda: actions.hangup("PJSIP/1001-1", cause=300), id="cause"),
        pytest.param(lambda: actions.hangup("PJSIP/1\r\n2"), id="line break"),
        pytest.param(lambda: actions.phone_hold("Local/1001@agents-1;1"), id="no phone"),
        pytest.param(lambda: actions.record_channel("PJSIP/1-1", file="../../etc/passwd"), id="path"),
        pytest.param(lambda: actions.config_value("../manager.conf,a", "cti", "read"), id="a file elsewhere"),
        pytest.param(lambda: actions.config_value("manager.conf", "cti", "secret"), id="a secret"),
        pytest.param(lambda: actions.config_value("manager.conf", "a)b", "read"), id="a section that closes the question"),
        pytest.param(lambda: actions.queue_pause("PJSIP/1001", paused=True, reason="x" * 81), id="long reason"),
        pytest.param(lambda: actions.queue_pause("PJSIP/1&PJSIP/2", paused=True), id="two interfaces"),
        pytest.param(
            lambda: actions.originate(channel="PJSIP/1", context="a b", exten="1", caller_id="1", channel_id="c"),
            id="context",
        ),
        pytest.param(
            lambda: actions.originate(
                channel="PJSIP/1", context="a", exten="1", caller_id="1", channel_id="c", timeout_seconds=0
            ),
            id="timeout",
        ),
    ],
)
def test_builders_refuse_what_asterisk_would_read_otherwise(build) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each refusal has its own words
        build()


def test_actions_are_built_in_one_place_only() -> None:
    """`Action(...)` anywhere else would be a way around the closed list."""
    places = {
        path.name
        for path in Path(cti_bridge.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Action", "SimpleAction"}
    }

    assert places == {"actions.py"}


def test_every_action_on_the_list_is_built_by_a_function() -> None:
    assert {action.name for action in BUILT} == set(actions._HEADERS)
