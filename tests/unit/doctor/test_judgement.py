"""What the doctor makes of a PBX's answers: a sound one gives no finding, each change gives its own."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from config.settings import FastAgiSettings
from cti_bridge.doctor.clock import judge_clock
from cti_bridge.doctor.connection import judge_connection
from cti_bridge.doctor.dialplan import judge_dialplan
from cti_bridge.doctor.facts import Certificate, ClockReading, Heard, HeardEvent, Listing, Member, PbxFacts, Step
from cti_bridge.doctor.finding import Finding, Severity
from cti_bridge.doctor.queues import judge_queues
from cti_bridge.doctor.record import CEL_WRITERS, judge_record
from cti_bridge.doctor.rights import judge_rights, missing_reads
from cti_bridge.doctor.together import judge_together
from tests.support.doctor_facts import EXAMPLE, QUIET, STEPS, a_pbx, facts, wrong

NOW = datetime(2026, 11, 22, 8, 50, tzinfo=UTC)
INTERNAL = re.compile("^[1-9][0-9]{2,4}$")


def queues(given: PbxFacts, *ruled: str, elsewhere: tuple[str, ...] = ()) -> list[Finding]:
    return judge_queues(given, ruled=dict.fromkeys(ruled or ("support",), 7), internal=INTERNAL, elsewhere=elsewhere)


def dialplan(given: PbxFacts, **fastagi: Any) -> list[Finding]:
    return judge_dialplan(given, fastagi=FastAgiSettings(**fastagi), example=EXAMPLE)


def test_a_sound_pbx_gives_no_finding() -> None:
    sound = facts()

    assert [
        wrong(judge_connection(sound, now=NOW)),
        wrong(judge_rights(sound)),
        wrong(queues(sound)),
        wrong(dialplan(sound)),
        wrong(judge_record(sound)),
        wrong(judge_clock(sound, now=NOW)),
    ] == [set()] * 6


def test_a_pbx_that_tells_nothing_is_not_called_wrong_for_it() -> None:
    """What is not known is said to be so; only what was refused is a finding."""
    bare = PbxFacts(settings=a_pbx(), banner="Asterisk Call Manager/5.0.5", queues={"support": "ringall"})
    findings = [*judge_connection(bare, now=NOW), *judge_rights(bare), *queues(bare), *dialplan(bare), *judge_record(bare)]

    assert wrong(findings) == set()
    assert len([finding for finding in findings if finding.code.endswith("not_judged")]) >= 5


# --- connection


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"settings": a_pbx(host="10.0.0.7", allow_insecure=True)}, "connection.clear_text"),
        (
            {"certificate": Certificate(protocol="TLSv1.3", expires=NOW + timedelta(days=3))},
            "connection.certificate_expires",
        ),
        ({"deaf_because": "[cti] is signed in elsewhere"}, "connection.one_session"),
        ({"unanswered": frozenset({"CoreSettings"})}, "connection.unanswered"),
    ],
)
def test_connection(changes: dict[str, Any], code: str) -> None:
    assert wrong(judge_connection(facts(**changes), now=NOW)) == {code}


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        ({("manager.conf", "general", "bindaddr"): "0.0.0.0"}, {"connection.open_to_all"}),
        ({("manager.conf", "general", "bindaddr"): "0.0.0.0:5038"}, {"connection.open_to_all"}),
        ({("manager.conf", "general", "bindaddr"): ""}, {"connection.open_to_all"}),
        ({("manager.conf", "general", "bindaddr"): "0.0.0.0", ("manager.conf", "cti", "deny"): "0.0.0.0/0"}, set()),
        ({("manager.conf", "cti", "writetimeout"): ""}, {"connection.write_timeout"}),
        (
            {("manager.conf", "cti", "writetimeout"): "", ("manager.conf", "general", "writetimeout"): "2000"},
            set(),
        ),
        ({("manager.conf", "general", "allowmultiplelogin"): "no"}, {"connection.one_session"}),
        (
            {("manager.conf", "general", "allowmultiplelogin"): "no", ("manager.conf", "cti", "allowmultiplelogin"): "yes"},
            set(),
        ),
    ],
)
def test_connection_settings(config: dict[tuple[str, str, str], str], codes: set[str]) -> None:
    assert wrong(judge_connection(facts(config), now=NOW)) == codes


# --- rights


def test_a_class_that_was_heard_is_there_whatever_the_file_says() -> None:
    event = HeardEvent("Newchannel", "1.1")
    heard = Heard(seconds=3, events=(event,), booted=True, timestamped=True, before=QUIET, after=QUIET)
    unread = facts({("manager.conf", "cti", "read"): "agent"}, heard=heard)

    assert missing_reads(unread) == {"user"}


def test_rights_that_are_not_in_force_yet_are_told() -> None:
    deaf = Heard(seconds=3, events=(), booted=False, timestamped=None, before=QUIET, after=QUIET)

    assert wrong(judge_rights(facts(heard=deaf))) == {"rights.not_in_force"}


def test_a_refused_action_tells_the_missing_class_where_the_pbx_lists_none() -> None:
    refused = facts(commands=None, denied=frozenset({"CoreShowChannels", "ParkedCalls"}))

    assert wrong(judge_rights(refused)) == {"rights.write_reporting", "rights.write_call"}


def test_the_line_to_write_keeps_what_is_there_and_adds_what_is_missing() -> None:
    commands = {name: classes for name, classes in (facts().commands or {}).items() if "originate" not in classes}
    (finding,) = [
        finding
        for finding in judge_rights(facts({("manager.conf", "cti", "write"): "reporting, call,agent,cdr"}, commands=commands))
        if finding.severity is Severity.ERROR
    ]

    assert str(finding.change) == "manager.conf [cti]: write = call,agent,originate,reporting,cdr"


# --- queues


@pytest.mark.parametrize(
    ("member", "codes"),
    [
        (Member("support", "PJSIP/1001", "PJSIP/1001", "Alice", "1"), set()),
        (Member("support", "PJSIP/1001", "PJSIP/1001", "Alice", "5"), set()),
        (Member("support", "PJSIP/alice", "PJSIP/alice", "Alice", "1"), {"queues.not_internal"}),
        (Member("support", "PJSIP/1001", "PJSIP/1001", "Alice", "4"), {"queues.invalid"}),
        (Member("support", "PJSIP/1001", "PJSIP/1001", "Alice", "0"), {"queues.no_state"}),
        (Member("support", "Local/1001@agents/n", "Local/1001@agents/n", "Alice", "1"), {"queues.no_state"}),
        (Member("support", "Local/1001@agents/n", "PJSIP/1001", "Alice", "1"), set()),
    ],
)
def test_seat(member: Member, codes: set[str]) -> None:
    assert wrong(queues(facts(members=(member,)))) == codes


def test_many_wrong_seats_are_one_finding() -> None:
    members = tuple(Member("support", f"PJSIP/x{number}", "", "X", "1") for number in range(500))

    (finding,) = [one for one in queues(facts(members=members)) if one.severity is not Severity.OK]
    assert finding.what.startswith("PJSIP/x0 in support, ")
    assert "and 492 more" in finding.what


def test_a_queue_kept_in_a_database_exists_though_it_is_not_listed() -> None:
    assert wrong(queues(facts(queue_exists={"night": True}), "support", "night")) == set()
    assert wrong(queues(facts(queue_exists={"night": False}), "support", "night")) == {"queues.missing"}


def test_a_queue_of_another_pbx_is_a_warning_only() -> None:
    found = queues(facts(queue_exists={"night": False}), "night", elsewhere=("night",))

    assert wrong(found) == {"queues.not_here"}


def test_autofill_of_the_queue_wins_over_everybodys() -> None:
    own = {("queues.conf", "general", "autofill"): "no", ("queues.conf", "support", "autofill"): "yes"}

    assert wrong(queues(facts(own))) == set()
    assert wrong(queues(facts({("queues.conf", "support", "autofill"): "no"}))) == {"queues.autofill"}
    assert wrong(queues(facts({("queues.conf", "general", "autofill"): ""}))) == {"queues.autofill"}


# --- dialplan


@pytest.mark.parametrize(
    ("steps", "codes"),
    [
        (STEPS, set()),
        (STEPS[1:], {"dialplan.agi_without_limit"}),
        ((STEPS[0], *STEPS[2:]), {"dialplan.agi_without_limit"}),
        (STEPS[:-1], {"dialplan.agi_not_caught"}),
        ((), set()),
        ((Step("a", "s", "1", "AGI", "agi://10.9.9.9/another"),), set()),
        ((Step("a", "s", "1", "AGI", "/usr/share/asterisk/agi-bin/route"),), set()),
        ((Step("a", "s", "1", "AGI", "agi://127.0.0.1/route"),), {"dialplan.agi_without_limit"}),
    ],
    ids=["sound", "no exit on hangup", "no limit", "no T", "no routing", "another AGI", "a script", "bare"],
)
def test_the_question_must_fail_open(steps: tuple[Step, ...], codes: set[str]) -> None:
    assert wrong(dialplan(facts(steps=steps))) == codes


@pytest.mark.parametrize(
    ("host", "asks", "fastagi", "codes"),
    [
        ("127.0.0.1", "agi://127.0.0.1:4573", {}, set()),
        ("127.0.0.1", "agi://localhost", {}, set()),
        ("127.0.0.1", "agi://127.0.0.1:4574", {}, {"dialplan.agi_address"}),
        ("127.0.0.1", "agi://127.0.0.1:4574", {"port": 0}, set()),
        ("10.0.0.7", "agi://127.0.0.1:4573", {"peers": ("10.0.0.7/32",)}, {"dialplan.agi_loopback"}),
        ("10.0.0.7", "agi://10.0.0.8:4573", {"host": "0.0.0.0", "peers": ("10.0.0.7/32",)}, set()),
        ("10.0.0.7", "agi://10.0.0.8:4573", {"host": "0.0.0.0"}, {"dialplan.agi_peer"}),
        ("10.0.0.7", "agi://10.0.0.9:4573", {"host": "10.0.0.8", "peers": ("10.0.0.0/8",)}, {"dialplan.agi_address"}),
        ("10.0.0.7", "agi://cti.example:4573", {"host": "10.0.0.8", "peers": ("10.0.0.0/8",)}, set()),
    ],
)
def test_where_the_dialplan_asks(host: str, asks: str, fastagi: dict[str, Any], codes: set[str]) -> None:
    given = facts(settings=a_pbx(host=host, allow_insecure=True), variables={"CTI_AGI": asks})

    assert wrong(dialplan(given, **fastagi)) == codes


@pytest.mark.parametrize(
    ("says", "must", "codes"),
    [
        ("", False, set()),
        ("", True, {"dialplan.agi_which_pbx"}),
        ("&pbx=main", True, set()),
        ("&pbx=other", True, {"dialplan.agi_which_pbx"}),
        ("&pbx=other", False, {"dialplan.agi_which_pbx"}),
    ],
)
def test_pbx_says_who_asks(says: str, *, must: bool, codes: set[str]) -> None:
    steps = (*STEPS[:2], STEPS[2]._replace(data=STEPS[2].data + says), *STEPS[3:])
    found = judge_dialplan(facts(steps=steps), fastagi=FastAgiSettings(), example=EXAMPLE, says_who=must)

    assert wrong(found) == codes


def test_the_line_for_peers_can_be_pasted() -> None:
    given = facts(settings=a_pbx(host="10.0.0.7", allow_insecure=True), variables={"CTI_AGI": "agi://10.0.0.8"})
    (finding,) = [
        one for one in dialplan(given, host="0.0.0.0", peers=(ip_network("127.0.0.0/8"),)) if one.code == "dialplan.agi_peer"
    ]

    assert finding.change is not None
    assert finding.change.line == 'peers = ["127.0.0.0/8", "10.0.0.7"]'


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (("click2call", None), "dialplan.no_click_to_call"),
        (("click2call", EXAMPLE), "dialplan.click_to_call_pattern"),
        (("agents", None), "dialplan.no_transfer"),
        (("agents", "1001"), "dialplan.no_extension"),
    ],
)
def test_what_the_service_dials_must_be_there(place: tuple[str, str | None], code: str) -> None:
    sound = facts()

    assert wrong(dialplan(replace(sound, dialplan={**sound.dialplan, place: False}))) == {code}


# --- the PBX's own record


@pytest.mark.parametrize(
    ("config", "changes", "codes"),
    [
        ({("cel.conf", "general", "enable"): "no"}, {}, {"record.cel_off"}),
        ({("cel.conf", "general", "enable"): ""}, {}, {"record.cel_off"}),
        ({("cel.conf", "general", "events"): "CHAN_START,CHAN_END"}, {}, {"record.cel_events"}),
        ({("cel.conf", "general", "apps"): "dial"}, {}, {"record.cel_apps"}),
        ({("cel.conf", "general", "apps"): "all"}, {}, set()),
        ({}, {"modules": dict.fromkeys(CEL_WRITERS, False)}, {"record.cel_not_written"}),
        ({}, {"core": {"CoreCDRenabled": "No"}}, {"record.cdr_off"}),
        ({("cdr.conf", "csv", "loguniqueid"): ""}, {}, {"record.cdr_uniqueid"}),
        ({("cdr.conf", "csv", "newcdrcolumns"): "no"}, {}, {"record.cdr_linkedid"}),
        ({("cdr.conf", "general", "unanswered"): "no"}, {}, {"record.cdr_unanswered"}),
        ({("logger.conf", "general", "queue_log"): "no"}, {}, {"record.queue_log_off"}),
    ],
)  # fmt: skip
def test_record(config: dict[tuple[str, str, str], str], changes: dict[str, Any], codes: set[str]) -> None:
    assert wrong(judge_record(facts(config, **changes))) == codes


# --- clock


@pytest.mark.parametrize(
    ("ahead", "round_trip", "is_wrong"),
    [(0.0, 0.001, False), (1.9, 0.001, False), (-2.1, 0.001, True), (300.0, 0.02, True), (2.5, 1.5, False)],
)
def test_clock(ahead: float, round_trip: float, *, is_wrong: bool) -> None:
    """What half the round trip may explain is not held against the PBX."""
    given = facts(clock=ClockReading(ahead_seconds=ahead, round_trip_seconds=round_trip))

    assert wrong(judge_clock(given, now=NOW)) == ({"clock.differs"} if is_wrong else set())


@pytest.mark.parametrize(
    ("record", "offset", "codes"),
    [
        ({}, "+0900", set()),
        ({"queue_log": "/x", "cel_csv": "/y", "timezone": "Europe/Amsterdam"}, "+0900", set()),
        ({"cdr_csv": "/x", "timezone": "Asia/Tokyo"}, "+0900", set()),
        ({"cdr_csv": "/x", "timezone": "Europe/Amsterdam"}, "+0900", {"clock.zone_differs"}),
        ({"queue_log_url": "sqlite:///x", "timezone": "Mars/Olympus"}, "+0900", {"clock.zone_unknown"}),
        ({"cdr_csv": "/x", "timezone": "Asia/Kathmandu"}, "+0545", set()),
    ],
)
def test_time_zone(record: dict[str, str], offset: str, codes: set[str]) -> None:
    assert wrong(judge_clock(facts(settings=a_pbx(record=record), utc_offset=offset), now=NOW)) == codes


# --- several PBXs


def test_two_pbxs_need_names_of_their_own() -> None:
    one, two = facts(), facts(settings=a_pbx(name="two"), status={"CoreStartupDate": "2026-11-22", "CoreStartupTime": "09:00:00"})
    named = [replace(given, core={"SystemName": name}, status=given.status) for given, name in ((one, "one"), (two, "two"))]

    assert wrong(judge_together([one])) == set()
    assert wrong(judge_together([one, two])) == {"connection.system_name"}
    assert wrong(judge_together(named)) == set()


def test_one_pbx_twice_is_an_error() -> None:
    found = judge_together([facts(), facts(settings=a_pbx(name="again"))])

    assert "connection.same_pbx" in wrong(found)


def test_listings_that_agree_prove_nothing_missed() -> None:
    """A state that changed twice looks unchanged: that is no finding."""
    listing = Listing(channels={"1.1": "PJSIP/trunk-1"}, waiting=frozenset(), members={("q", "PJSIP/1"): ("1", "0")})
    heard = Heard(seconds=1, events=(), booted=True, timestamped=None, before=listing, after=listing)

    assert wrong(judge_rights(facts(heard=heard))) == set()
