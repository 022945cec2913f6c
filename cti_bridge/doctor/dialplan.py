"""Judges the dialplan: the contexts that the service dials into, and the place where calls ask it for a queue.

The question over AGI must fail open: Asterisk waits for an AGI server without limit, so a dialplan that asks without a limit of
its own holds callers for ever when the service hangs (docs/asterisk.md, section 3).
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from config.settings import FastAgiSettings
from cti_bridge.doctor.connection import is_loopback
from cti_bridge.doctor.facts import ANY_ADDRESS, PbxFacts, Step
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning

_HERE: Final = Subject.DIALPLAN
_FILE: Final = "extensions.conf"
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,79})\}")
_QUESTION: Final = re.compile(r"agi://([^/:?,]*|\[[^\]]*\])(?::(\d{1,5}))?/route/?(?:\?|,|\Z)", re.IGNORECASE)
_WHO: Final = re.compile(r"[?&]pbx=([^&,]*)")
AGI_PORT: Final = 4573
MAX_NAMED: Final = 8


def judge_dialplan(facts: PbxFacts, *, fastagi: FastAgiSettings, example: str, says_who: bool = False) -> list[Finding]:
    """`example`: a customer's number that click-to-call must be able to dial; `says_who`: others may give the same Uniqueids."""
    return [*_contexts(facts, example), *_questions(facts, fastagi, says_who=says_who)]


def _contexts(facts: PbxFacts, example: str) -> list[Finding]:
    settings, there = facts.settings, facts.dialplan
    if not there:
        return [fine(_HERE, "dialplan.not_judged", f"contexts: not judged ({facts.unasked.get('Getvar', 'no answer')})")]
    findings = []
    click, transfer = settings.click_to_call_context, settings.transfer_context
    if there.get((click, None)) is False:
        findings.append(
            error(
                _HERE,
                "dialplan.no_click_to_call",
                f"there is no context {click} (click_to_call_context)",
                lost="click-to-call",
                change=Change(file=_FILE, section=click, line="exten => _[+0-9]X.,1,Dial(PJSIP/${EXTEN}@YOUR-TRUNK,30,tT)"),
            )
        )
    elif there.get((click, example)) is False:
        findings.append(
            warning(
                _HERE,
                "dialplan.click_to_call_pattern",
                f"in {click} nothing takes {example}, the form in which accounts hold numbers",
                lost="click-to-call from an account's page",
                change=Change(file=_FILE, section=click, line="exten => _[+0-9]X.,1,Dial(PJSIP/${EXTEN}@YOUR-TRUNK,30,tT)"),
            )
        )
    if there.get((transfer, None)) is False:
        findings.append(
            error(
                _HERE,
                "dialplan.no_transfer",
                f"there is no context {transfer} (transfer_context)",
                lost="transfers from the desktop",
                change=Change(file=_FILE, section=transfer, line="exten => _1XXX,1,Dial(PJSIP/${EXTEN},25,tT)"),
            )
        )
    else:
        findings += _unreachable_agents(facts)
    return findings or [fine(_HERE, "dialplan.contexts", f"{click} and {transfer} exist; every agent can be transferred to")]


def _unreachable_agents(facts: PbxFacts) -> list[Finding]:
    transfer = facts.settings.transfer_context
    gone = sorted(exten for (context, exten), there in facts.dialplan.items() if context == transfer and exten and not there)
    if not gone:
        return []
    more = f" and {len(gone) - MAX_NAMED} more" if len(gone) > MAX_NAMED else ""
    return [
        warning(
            _HERE,
            "dialplan.no_extension",
            f"in {transfer} there is no extension {', '.join(gone[:MAX_NAMED])}{more}",
            lost="transfers to these agents",
            change=Change(file=_FILE, section=transfer, line=f"exten => {gone[0]},1,Dial(PJSIP/${{EXTEN}},25,tT)"),
        )
    ]


def _questions(facts: PbxFacts, fastagi: FastAgiSettings, *, says_who: bool) -> list[Finding]:
    if facts.steps is None:
        return [fine(_HERE, "dialplan.routing_not_judged", f"routing: not judged ({facts.unasked.get('ShowDialPlan', '')})")]
    asking = [(step, address) for step in facts.steps if (address := _asked(step, facts)) is not None]
    if not asking:
        return [
            fine(
                _HERE,
                "dialplan.no_routing",
                "no extension asks this service for a queue",
                lost="the routing rules: every call goes where the dialplan sends it",
                change=Change(
                    file=_FILE, section="cti-route", line="AGI(${CTI_AGI}/route?did=${EXTEN}) (docs/asterisk.md, section 3)"
                ),
            )
        ]
    findings = []
    for step, (host, port) in asking:
        findings += _address(facts, step, host, port, fastagi)
        findings += _fail_open(facts.steps, step)
        findings += _says_who(step, facts.name, says_who=says_who)
    findings += _peers(facts, fastagi.peers)
    if findings:
        return findings
    places = ", ".join(sorted({f"{step.context} {step.exten}" for step, _ in asking})[:MAX_NAMED])
    _, (host, port) = asking[0]
    return [fine(_HERE, "dialplan.routing", f"{places} asks agi://{host}:{port}/route, with a limit of time and a way on")]


def _asked(step: Step, facts: PbxFacts) -> tuple[str, int] | None:
    """Host and port where this step asks for a route, with variables of [globals] filled in; None for other steps."""
    if step.application != "AGI":
        return None
    data = _VARIABLE.sub(lambda found: facts.variables.get(found[1], ""), step.data)
    found = _QUESTION.match(data)
    return (found[1].strip("[]"), int(found[2] or AGI_PORT)) if found else None


def _address(facts: PbxFacts, step: Step, host: str, port: int, fastagi: FastAgiSettings) -> list[Finding]:
    where = f"{step.context} {step.exten}, step {step.priority}"
    wrong_port = fastagi.port not in {0, port}
    wrong_host = fastagi.host not in {*ANY_ADDRESS, "", host} and _is_address(host)
    here = _is_loopback(host)
    if here and not is_loopback(facts.settings):
        return [
            error(
                _HERE,
                "dialplan.agi_loopback",
                f"{where} asks agi://{host}:{port}, which is the PBX itself, and this service is elsewhere",
                lost="the routing rules: every call goes to the default queue",
                change=Change(file=_FILE, section="globals", line=f"CTI_AGI = agi://ADDRESS OF THIS MACHINE:{fastagi.port}"),
            )
        ]
    if wrong_port or wrong_host:
        return [
            error(
                _HERE,
                "dialplan.agi_address",
                f"{where} asks agi://{host}:{port}, this service listens at {fastagi.host}:{fastagi.port}",
                lost="the routing rules: every call goes to the default queue",
                change=Change(file=_FILE, section="globals", line=f"CTI_AGI = agi://{fastagi.host}:{fastagi.port}"),
            )
        ]
    return []


def _fail_open(steps: Sequence[Step], asking: Step) -> list[Finding]:
    """What stands before the question in its extension, and whether the context catches the time-out."""
    before = [
        step
        for step in steps
        if (step.context, step.exten) == (asking.context, asking.exten) and _number(step.priority) < _number(asking.priority)
    ]
    limited = any(step.application == "Set" and step.data.startswith("TIMEOUT(absolute)=") for step in before)
    leaves = any(step.application == "Set" and step.data.startswith("AGIEXITONHANGUP=") for step in before)
    caught = any(step.context == asking.context and step.exten == "T" for step in steps)
    where = f"{asking.context} {asking.exten}"
    findings = []
    if not (limited and leaves):
        lacking = "AGIEXITONHANGUP=yes" if limited else "TIMEOUT(absolute)=0.5"
        findings.append(
            error(
                _HERE,
                "dialplan.agi_without_limit",
                f"{where} asks for a queue without a limit of time: {lacking.partition('=')[0]} is not set before the AGI",
                lost="calls themselves: Asterisk waits without end for a service that hangs",
                change=Change(file=_FILE, section=asking.context, line=f"same => n,Set({lacking}) (before the AGI)"),
            )
        )
    elif not caught:
        findings.append(
            error(
                _HERE,
                "dialplan.agi_not_caught",
                f"{where} limits the question's time, but the context has no extension T",
                lost="calls themselves: when the service hangs, the caller is hung up instead of going to the default queue",
                change=Change(file=_FILE, section=asking.context, line="exten => T,1,Goto(chosen,1)"),
            )
        )
    return findings


def _says_who(asking: Step, name: str, *, says_who: bool) -> list[Finding]:
    """Where several PBXs ask, each says its name: two calls may have the same Uniqueid."""
    found = _WHO.search(asking.data)
    if found[1] == name if found else not says_who:
        return []
    return [
        warning(
            _HERE,
            "dialplan.agi_which_pbx",
            f"{asking.context} {asking.exten} asks as PBX {found[1]}"
            if found
            else f"{asking.context} {asking.exten} does not say which PBX asks",
            lost="the rule in the pop, for calls of two PBXs that have the same Uniqueid",
            change=Change(
                file=_FILE, section=asking.context, line=f"same => n,AGI(${{CTI_AGI}}/route?did=${{EXTEN}}&pbx={name})"
            ),
        )
    ]


def _peers(facts: PbxFacts, peers: Sequence[IPv4Network | IPv6Network]) -> list[Finding]:
    """FastAGI hears only the networks of the settings; the PBX's own address must be in them."""
    host = facts.settings.host
    if not _is_address(host) or any(ip_address(host) in network for network in peers):
        return []
    networks = ", ".join(f'"{network}"' for network in (*peers, host))
    return [
        error(
            _HERE,
            "dialplan.agi_peer",
            f"this service hears no AGI from {host}: it is of none of the networks in fastagi.peers",
            lost="the routing rules: every call of this PBX goes to the default queue",
            change=Change(file="cti.toml", section="fastagi", line=f"peers = [{networks}]"),
        )
    ]


def _number(priority: str) -> int:
    return int(priority) if priority.isdecimal() else 0


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
