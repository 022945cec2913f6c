"""What goes on the wire, byte for byte."""

from cti_bridge.simulator.wire import block, escaped, event


def test_names_are_escaped_by_c_rules():
    assert escaped('O\'Brien "& Sons"\\\r\n?') == r"O\'Brien \"& Sons\"\\\r\n\?"


def test_an_event_begins_with_name_privilege_and_timestamp():
    sent = event("Hold", "call", 1795315242.0242441, [("Channel", "PJSIP/1002-00000050"), ("AccountCode", "")])

    assert sent == (
        b"Event: Hold\r\nPrivilege: call,all\r\nTimestamp: 1795315242.024244\r\n"
        b"Channel: PJSIP/1002-00000050\r\nAccountCode: \r\n\r\n"
    )


def test_a_callers_number_goes_out_raw_as_asterisk_lets_it():
    """The service has to stand it: the number's bytes, line ends included, are not escaped (Asterisk 22.10.1)."""
    assert block([("CallerIDNum", "1\r\nEvent: Fake"), ("X", "\udcff")]) == b"CallerIDNum: 1\r\nEvent: Fake\r\nX: \xff\r\n\r\n"
