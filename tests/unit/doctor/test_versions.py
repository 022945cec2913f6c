"""Known holes by the number of the version."""

import pytest

from cti_bridge.doctor.versions import judge_version, version_of
from tests.support.doctor_facts import facts, wrong

JUNE = {"version.ghsa-8jw3-ccr9-xrmf"}
MESSAGE = {"version.cve-2025-47779"}
ORIGINATE = {"version.cve-2024-42365"}


def core(version: str, **more: str) -> dict[str, str]:
    return {"AsteriskVersion": version, "CoreHTTPenabled": "No"} | more


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("Asterisk 20.5.0", (20, 5, 0)),
        ("18.26.4", (18, 26, 4)),
        ("22.10.1-rc1", (22, 10, 1)),
        ("certified/20.7-cert5", None),
        ("GIT-22-abcdef1", None),
        ("", None),
        ("22.10", None),
        ("9" * 5000 + ".1.1", None),
    ],
)
def test_version_is_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert version_of(text) == version


@pytest.mark.parametrize(
    ("version", "codes"),
    [
        ("22.10.1", set()),
        ("22.11.0", set()),
        ("23.4.1", set()),
        ("24.0.0", set()),
        ("20.20.1", set()),
        ("22.10.0", JUNE),
        ("22.4.1", JUNE),
        ("22.4.0", JUNE | MESSAGE),
        ("23.4.0", JUNE),
        ("20.14.1", JUNE),
        ("20.9.1", JUNE | MESSAGE | ORIGINATE),
        ("20.9.2", JUNE | MESSAGE),
        ("21.12.2", JUNE | {"version.old"}),
        ("18.26.4", JUNE | {"version.old"}),
        ("16.30.1", JUNE | MESSAGE | ORIGINATE | {"version.old"}),
    ],
)
def test_holes_of_a_version(version: str, codes: set[str]) -> None:
    assert wrong(judge_version(facts(core=core(version)))) == codes


def test_holes_of_parts_that_are_not_in_use_are_not_told() -> None:
    with_web = facts(core=core("22.10.0", CoreHTTPenabled="Yes"))
    with_sql = facts(core=core("22.10.0"), modules={"cel_pgsql": True})

    assert len(wrong(judge_version(with_web)) - JUNE) == 3
    assert wrong(judge_version(with_sql)) - JUNE == {"version.ghsa-ph27-3m5q-mj5m"}


def test_the_mended_version_is_named() -> None:
    (finding,) = [one for one in judge_version(facts(core=core("20.19.0"))) if one.change]

    assert str(finding.change) == "the PBX: update Asterisk 20.19.0 to 20.20.1 or later"
