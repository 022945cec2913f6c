"""Judges Asterisk's version: how old, and which known holes concern this service (asterisk/asterisk security advisories)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Severity, Subject, error, fine, warning
from cti_bridge.doctor.rights import held_classes

Version = tuple[int, int, int]

_HERE: Final = Subject.VERSION
_VERSION: Final = re.compile(r"(?:Asterisk )?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?!\d)")
TRIED: Final[int] = 22
"""The branch that the tests run on."""
OLDEST_MENDED: Final[int] = 20
"""Older branches get no fixes any more (18 since October 2025, 21 since October 2026)."""
_ENDED: Final = frozenset({21})


def _always(_: PbxFacts) -> bool:
    return True


def _with_http(facts: PbxFacts) -> bool:
    return (facts.core or {}).get("CoreHTTPenabled", "").lower() != "no"


def _with_sql_cel(facts: PbxFacts) -> bool:
    return facts.modules.get("cel_pgsql", True) or facts.modules.get("cel_tds", True)


def _with_config(facts: PbxFacts) -> bool:
    return "config" in (held_classes(facts) or {"config"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One published hole. `fixed`: by branch, the first version without it; a later branch than all of these never had it, an
    older one was not mended. `concerns`: whether this PBX is set up so that it matters (where that is known)."""

    name: str
    what: str
    fixed: tuple[Version, ...]
    severity: Severity = Severity.WARNING
    concerns: Callable[[PbxFacts], bool] = _always

    def is_open_in(self, version: Version) -> bool:
        for first in self.fixed:
            if first[0] == version[0]:
                return version < first
        return version[0] < max(first[0] for first in self.fixed)


_JUNE_2026: Final = ((20, 20, 1), (22, 10, 1), (23, 4, 1))
ADVISORIES: Final = (
    Advisory(
        name="CVE-2024-42365",
        what="an AMI account with write class originate can write files and run commands on the PBX",
        fixed=((18, 24, 2), (20, 9, 2), (21, 4, 2), (22, 0, 0)),
        severity=Severity.ERROR,
    ),
    Advisory(
        name="GHSA-33x6-fj46-6rfh",
        what="an AMI account with write class config can list files outside the configuration folder",
        fixed=((18, 26, 1), (20, 11, 1), (21, 6, 1), (22, 1, 1)),
        concerns=_with_config,
    ),
    Advisory(
        name="CVE-2025-47779",
        what="a SIP MESSAGE can come in the name of somebody else",
        fixed=((18, 26, 2), (20, 14, 1), (21, 9, 1), (22, 4, 1)),
    ),
    Advisory(
        name="CVE-2026-23738",
        what="the page /httpstatus of Asterisk's web server runs scripts of others",
        fixed=((20, 18, 2), (21, 12, 1), (22, 8, 2), (23, 2, 2)),
        concerns=_with_http,
    ),
    Advisory(
        name="GHSA-8jw3-ccr9-xrmf",
        what="a SIP NOTIFY from anybody can crash Asterisk, and with it every call",
        fixed=_JUNE_2026,
    ),
    Advisory(
        name="GHSA-3rhj-hhw7-m6fw",
        what="an unknown user of AMI over HTTP can crash Asterisk",
        fixed=_JUNE_2026,
        concerns=_with_http,
    ),
    Advisory(
        name="GHSA-wcvv-g26m-wx5c",
        what="an ARI account that may only read can write, over its websocket",
        fixed=_JUNE_2026,
        concerns=_with_http,
    ),
    Advisory(
        name="GHSA-vrfp-mg3q-3959",
        what="ARI writes files although live_dangerously = no",
        fixed=_JUNE_2026,
        concerns=_with_http,
    ),
    Advisory(
        name="GHSA-ph27-3m5q-mj5m",
        what="a CEL user event can run SQL in the database that cel_pgsql or cel_tds writes, the record that audit reads",
        fixed=_JUNE_2026,
        concerns=_with_sql_cel,
    ),
)


def version_of(text: str) -> Version | None:
    """The number of a release, a packager's addition (`22.10.1+dfsg…`) left out; None for others (`certified/20.7-cert5`)."""
    found = _VERSION.match(text.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def judge_version(facts: PbxFacts) -> list[Finding]:
    text = (facts.core or {}).get("AsteriskVersion", "")
    version = version_of(text)
    if version is None:
        told = f"{text} is no plain release: its holes are not judged" if text else "not told (write class reporting is missing)"
        return [fine(_HERE, "version.not_judged", f"Asterisk's version: {told}")]
    named = ".".join(map(str, version))
    findings = [_age(version, named)]
    for advisory in ADVISORIES:
        if not (advisory.is_open_in(version) and advisory.concerns(facts)):
            continue
        findings.append(
            (error if advisory.severity is Severity.ERROR else warning)(
                _HERE,
                f"version.{advisory.name.lower()}",
                f"{advisory.name}: {advisory.what}",
                lost="the safety of the PBX",
                change=Change(file="the PBX", line=f"update Asterisk {named} to {_update(advisory, version)} or later"),
                judged_by="the version number; a packager may have mended it under the old number",
            )
        )
    return findings


def _age(version: Version, named: str) -> Finding:
    newest = ".".join(map(str, next(first for first in _JUNE_2026 if first[0] == TRIED)))
    if version[0] < OLDEST_MENDED or version[0] in _ENDED:
        return warning(
            _HERE,
            "version.old",
            f"Asterisk {named}: its branch gets no fixes any more",
            lost="the safety of the PBX; this service was tried with Asterisk 22",
            change=Change(file="the PBX", line=f"update to Asterisk {newest} or later"),
        )
    tried = "" if version[0] == TRIED else "; this service was tried with Asterisk 22"
    return fine(_HERE, "version.known", f"Asterisk {named}{tried}")


def _update(advisory: Advisory, version: Version) -> str:
    """The mended version of the same branch, else the oldest of a later one."""
    same = [first for first in advisory.fixed if first[0] == version[0]]
    later = [first for first in advisory.fixed if first[0] > version[0]]
    return ".".join(map(str, (same or later)[0]))
