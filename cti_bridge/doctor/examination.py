"""The whole examination: every PBX asked at the same time, everything judged, one report with one exit code.

Comes in: the settings. Goes out: a `Report`. Under 30 s, whatever the PBXs do.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from config.load import read_secret
from config.settings import PbxSettings, Settings
from cti_bridge.doctor.ask import ask
from cti_bridge.doctor.clock import judge_clock
from cti_bridge.doctor.connection import judge_connection, judge_not_asked
from cti_bridge.doctor.dialplan import judge_dialplan
from cti_bridge.doctor.events import judge_events
from cti_bridge.doctor.facts import NotAsked, PbxFacts
from cti_bridge.doctor.finding import Finding, Severity, plain
from cti_bridge.doctor.questions import Questions
from cti_bridge.doctor.queues import judge_queues
from cti_bridge.doctor.record import judge_record
from cti_bridge.doctor.rights import judge_rights
from cti_bridge.doctor.samples import Sample, judge_samples, read_samples
from cti_bridge.doctor.service import check_rules, check_service, queues_of
from cti_bridge.doctor.together import have_own_names, judge_together
from cti_bridge.doctor.versions import judge_version

LISTEN_SECONDS: Final = 3.0
MAX_LISTEN_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxReport:
    """What was found about one PBX; `asked` False: it could not be asked."""

    name: str
    address: str
    version: str
    asked: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything found; `together`: about several PBXs side by side."""

    pbxes: tuple[PbxReport, ...]
    together: tuple[Finding, ...]
    service: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 all well, 1 findings, 2 a PBX could not be asked."""
        if not all(pbx.asked for pbx in self.pbxes):
            return 2
        return int(any(self.count(severity) for severity in (Severity.ERROR, Severity.WARNING)))

    def count(self, severity: Severity) -> int:
        everything = (*self.together, *self.service, *(finding for pbx in self.pbxes for finding in pbx.findings))
        return sum(finding.severity is severity for finding in everything)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "exit_code": self.exit_code,
            "errors": self.count(Severity.ERROR),
            "warnings": self.count(Severity.WARNING),
            "pbx": [
                {
                    "name": pbx.name,
                    "address": pbx.address,
                    "version": plain(pbx.version) or None,
                    "asked": pbx.asked,
                    "findings": [finding.document() for finding in pbx.findings],
                }
                for pbx in self.pbxes
            ],
            "together": [finding.document() for finding in self.together],
            "service": [finding.document() for finding in self.service],
        }


async def examine(settings: Settings, *, now: datetime, listen_seconds: float = LISTEN_SECONDS) -> Report:
    """Asks and judges everything. `now`: aware, of this machine. Raises ConfigError where a secret cannot be read."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    rules, rules_findings = check_rules(settings.routing.file)
    ruled = queues_of(rules)
    secrets = [read_secret(pbx).get_secret_value() for pbx in settings.pbx]
    questions = [Questions(pbx, queues=tuple(ruled), region=settings.numbers.region) for pbx in settings.pbx]
    answers, service = await asyncio.gather(
        asyncio.gather(
            *(
                ask(pbx, secret, question, listen_seconds=listen_seconds)
                for pbx, secret, question in zip(settings.pbx, secrets, questions, strict=True)
            )
        ),
        check_service(settings, rules_findings),
    )
    # After the questions: what the PBX counted as over by then must be written by now.
    now += timedelta(seconds=loop.time() - began)
    samples = await asyncio.gather(*(read_samples(pbx.record, now=now) for pbx in settings.pbx))
    asked = [answer for answer in answers if isinstance(answer, PbxFacts)]
    return Report(
        pbxes=tuple(
            _judge(answer, sample, asked, settings, ruled, questions[0].customer_number, now)
            for answer, sample in zip(answers, samples, strict=True)
        ),
        together=tuple(judge_together(asked)),
        service=tuple(service),
    )


def _judge(
    answer: PbxFacts | NotAsked,
    samples: tuple[Sample, ...],
    asked: Sequence[PbxFacts],
    settings: Settings,
    ruled: Mapping[str, int],
    example: str,
    now: datetime,
) -> PbxReport:
    where = _address(answer.settings)
    if isinstance(answer, NotAsked):
        return PbxReport(name=answer.settings.name, address=where, version="", asked=False, findings=(judge_not_asked(answer),))
    elsewhere = {queue for facts in asked if facts is not answer for queue in facts.queues or ()}
    findings = (
        *judge_connection(answer, now=now),
        *judge_rights(answer),
        *judge_events(answer),
        *judge_version(answer),
        *judge_queues(answer, ruled=ruled, internal=re.compile(settings.numbers.internal), elsewhere=elsewhere),
        *judge_dialplan(answer, fastagi=settings.fastagi, example=example, says_who=not have_own_names(asked)),
        *judge_record(answer),
        *judge_samples(samples, answer, now=now),
        *judge_clock(answer, now=now),
    )
    version = (answer.core or {}).get("AsteriskVersion", "")
    return PbxReport(name=answer.name, address=where, version=version, asked=True, findings=findings)


def _address(pbx: PbxSettings) -> str:
    return f"{pbx.host}:{pbx.port}"
