"""Names of channels and interfaces as Asterisk writes them."""

import pytest

from cti_bridge.tracking.channels import Channels, Kind, extension_of
from tests.support.replayed import INTERNAL


@pytest.mark.parametrize(
    ("name", "kind", "endpoint"),
    [
        ("PJSIP/1001-0000002a", Kind.AGENT, "1001"),
        ("SIP/1001-0000002a", Kind.AGENT, "1001"),
        ("AsyncGoto/PJSIP/1001-0000002a", Kind.AGENT, "1001"),
        ("PJSIP/1001-0000002a<ZOMBIE>", Kind.AGENT, "1001"),
        ("PJSIP/trunk-0000002a", Kind.TRUNK, "trunk"),
        ("PJSIP/my-carrier-nl-0000002a", Kind.TRUNK, "my-carrier-nl"),
        ("PJSIP/0612345678-0000002a", Kind.TRUNK, "0612345678"),
        ("Local/1003@agents-00000000;1", Kind.LOCAL, "1003"),
        ("Local/1003@agents-00000000;2", Kind.LOCAL, "1003"),
        ("Message/ast_msg_queue", Kind.OTHER, "Message/ast_msg_queue"),
        ("", Kind.OTHER, ""),
    ],
)
def test_a_channel_is_told_by_its_name(name: str, kind: Kind, endpoint: str) -> None:
    assert Channels(INTERNAL).classify(name) == (kind, endpoint)


@pytest.mark.parametrize(
    ("interface", "extension"),
    [
        ("PJSIP/1003", "1003"),
        ("Local/1003@agents/n", "1003"),
        ("Local/1003@agents", "1003"),
        ("SIP/1003-home", "1003"),
        ("x", "x"),
    ],
)
def test_a_members_extension_is_in_its_interface(interface: str, extension: str) -> None:
    assert extension_of(interface) == extension


def test_the_two_halves_of_a_local_channel_find_each_other_by_name() -> None:
    channels = Channels(INTERNAL)

    one = channels.create("1.1", "Local/1003@agents-00000000;1", 1.0)
    other = channels.create("1.3", "Local/1003@agents-00000001;1", 1.0)
    two = channels.create("1.2", "Local/1003@agents-00000000;2", 1.0)

    assert (one.twin, two.twin, other.twin) == (two, one, None)


def test_an_ended_channel_stays_ended_for_a_long_time() -> None:
    channels = Channels(INTERNAL)

    for number in range(60_000):
        channels.remember_ended(str(number))

    assert channels.has_ended("59999")
    assert channels.has_ended("10000")
    assert not channels.has_ended("9999")
