"""Asks one PBX: two short connections, as the service has them, read-only questions, a deadline on each.

Comes in: the settings of one PBX, the queues that the rules name. Goes out: `PbxFacts`, or `NotAsked` with the reason. Nothing is
changed on the PBX: only listings, `Ping` and `Getvar` of a closed list of readings are sent (ami/actions.py).
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from asterisk.ami import Action

from config.settings import PbxSettings
from cti_bridge.ami import actions
from cti_bridge.ami.connection import AmiConnection, Limits, Listener, LoginFailed, open_connection, system_clock
from cti_bridge.ami.control import AmiControl
from cti_bridge.ami.link import why_refused, why_unreachable
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import EVENT_CLASSES
from cti_bridge.doctor.facts import Certificate, ClockReading, ConfigKey, Member, NotAsked, PbxFacts, Step
from cti_bridge.doctor.hearing import Hearing, at_once
from cti_bridge.doctor.questions import MODULES, Questions
from cti_bridge.domain.errors import AmiDisconnected, AmiError, AmiRefused, AmiTimeout

LIMITS: Final = Limits(connect=4.0, login=5.0)
ANSWER_SECONDS: Final = 5.0
PBX_SECONDS: Final = 22.0
"""For everything about one PBX; the PBXs are asked at the same time."""
PINGS: Final = 5
_AT_ONCE: Final = 100
"""Questions under way; Asterisk works them off one by one in well under a millisecond each."""
_PRIVILEGE: Final = re.compile(r"\(Priv: ([a-z,<>]+)\)\s*\Z")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,79})\}")


async def ask(settings: PbxSettings, secret: str, questions: Questions, *, listen_seconds: float) -> PbxFacts | NotAsked:
    """Everything that can be known of this PBX within PBX_SECONDS."""

    def not_asked(code: str, why: str) -> NotAsked:
        return NotAsked(settings=settings, code=f"connection.{code}", why=why)

    where = f"{settings.host}:{settings.port}"
    try:
        async with asyncio.timeout(PBX_SECONDS) as limit:
            return await _ask(settings, secret, questions, listen_seconds)
    except LoginFailed as refused:
        return not_asked("refused", why_refused(str(refused), settings))
    except OSError as error:
        if limit.expired():
            return not_asked("silent", f"{where} did not answer everything within {PBX_SECONDS:g} s: is the PBX overloaded?")
        return not_asked("away", why_unreachable(error, settings))
    except AmiTimeout as error:
        return not_asked("silent", f"{where} takes the login and then says nothing: does Asterisk hang? ({error})")
    except AmiError as error:
        return not_asked("lost", f"{where}: {error}")


async def _ask(settings: PbxSettings, secret: str, questions: Questions, listen_seconds: float) -> PbxFacts:
    control, hearing = AmiControl(username=settings.username, ready=at_once), Hearing(settings.username)
    async with signed_in(settings, secret, "off", control) as (connection, banner):
        known = PbxFacts(
            settings=settings, banner=banner, certificate=_certificate(connection.tls), clock=await read_clock(control)
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with signed_in(settings, secret, f"{EVENT_CLASSES},dialplan", hearing):
                await hearing.begin()
                facts = await _answers(control, questions, known)
                await asyncio.sleep(listen_seconds - (loop.time() - began))
                return replace(facts, heard=await hearing.end())
        except LoginFailed as refused:
            facts = await _answers(control, questions, known)
            return replace(facts, deaf_because=why_refused(str(refused), settings))


@asynccontextmanager
async def signed_in(
    settings: PbxSettings, secret: str, events: str, listener: Listener
) -> AsyncIterator[tuple[AmiConnection, str]]:
    """A connection with its banner, ended with the context. Raises OSError, LoginFailed, AmiDisconnected."""
    connection = await open_connection(settings, secret, events=events, limits=LIMITS, clock=system_clock, listener=listener)
    try:
        yield connection, await connection.signed_in()
    finally:
        await connection.leave("the examination is over")


def _certificate(tls: ssl.SSLObject | None) -> Certificate | None:
    if tls is None:
        return None
    told = tls.getpeercert() or {}
    until = told.get("notAfter")
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if isinstance(until, str) else None
    return Certificate(protocol=tls.version() or "TLS", expires=expires)


async def read_clock(control: AmiControl) -> ClockReading | None:
    """The PBX's clock against ours, from the quickest of some pings: its stamp is taken to be made half-way there and back.

    None where the PBX tells no time. Raises AmiError.
    """
    best: ClockReading | None = None
    for _ in range(PINGS):
        asked = system_clock()
        response = await control.send(actions.ping(), timeout_seconds=ANSWER_SECONDS)
        round_trip = system_clock().mono - asked.mono
        stamp = response.keys.get("Timestamp", "")
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", stamp):
            return None
        if best is None or round_trip < best.round_trip_seconds:
            best = ClockReading(ahead_seconds=float(stamp) - asked.wall - round_trip / 2, round_trip_seconds=round_trip)
    return best


class _Asker:
    """Asks side by side; whatever is refused or not answered is noted, and missing from the answers."""

    def __init__(self, control: AmiControl) -> None:
        self._control = control
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self.unasked: dict[str, str] = {}
        self.denied: set[str] = set()
        self.unanswered: set[str] = set()
        self._lost: AmiDisconnected | None = None

    async def response(self, action: Action) -> Mapping[str, str] | None:
        """The headers of the answer."""
        async with self._turn:
            try:
                answer = await self._control.send(action, timeout_seconds=ANSWER_SECONDS)
            except AmiError as error:
                self._note(action, error)
                return None
            return dict(answer.keys)

    async def items(self, action: Action) -> tuple[AmiEvent, ...] | None:
        """The items of a listing."""
        async with self._turn:
            try:
                return await self._control.list_of(action, timeout_seconds=ANSWER_SECONDS)
            except AmiError as error:
                self._note(action, error)
                return None

    async def values(self, questions: Iterable[Action]) -> list[str | None]:
        """The answers to `Getvar`s, in order; none is sent after one was refused for want of rights."""
        actions_ = list(questions)
        if "Getvar" in self.unasked:
            return [None] * len(actions_)
        answers = await asyncio.gather(*(self.response(question) for question in actions_))
        return [None if answer is None else answer.get("Value") for answer in answers]

    def check(self) -> None:
        """Raises AmiDisconnected where the link broke on the way."""
        if self._lost is not None:
            raise self._lost

    def _note(self, action: Action, error: AmiError) -> None:
        self.unasked[action.name] = str(error)
        if isinstance(error, AmiDisconnected):
            self._lost = error
        if isinstance(error, AmiTimeout):
            self.unanswered.add(action.name)
        if isinstance(error, AmiRefused) and "permission denied" in str(error).lower():
            self.denied.add(action.name)


async def _answers(control: AmiControl, questions: Questions, known: PbxFacts) -> PbxFacts:
    """Two rounds: what needs no other answer, then what follows from it."""
    asker = _Asker(control)
    core, status, commands, (offset,) = await asyncio.gather(
        asker.response(actions.core_settings()),
        asker.response(actions.core_status()),
        asker.response(actions.list_commands()),
        asker.values([actions.utc_offset()]),
    )
    queues, steps, _ = await asyncio.gather(
        asker.items(actions.queue_status()),
        asker.items(actions.show_dialplan()),
        asker.items(actions.parked_calls()),  # for the right to it only
    )
    asker.check()
    facts = replace(
        known,
        core=core,
        status=status,
        commands=_classes_of(commands or {}) or None,
        queues=None if queues is None else {one.get("Queue"): one.get("Strategy") for one in queues if one.name == "QueueParams"},
        members=tuple(_member(item) for item in queues or () if item.name == "QueueMember"),
        steps=None if steps is None else tuple(_step(item) for item in steps if item.get("Application")),
        utc_offset=offset or "",
    )
    facts = await _readings(asker, questions, facts)
    asker.check()
    return replace(facts, denied=frozenset(asker.denied), unanswered=frozenset(asker.unanswered), unasked=asker.unasked)


async def _readings(asker: _Asker, questions: Questions, facts: PbxFacts) -> PbxFacts:
    keys = [key for key in questions.config(facts.queues or ()) if _can_be_asked(key)]
    dialplan = questions.dialplan(facts.members)
    unlisted = [queue for queue in questions.queues if facts.queues is not None and queue not in facts.queues]
    names = [
        "ENTITYID",
        *sorted({name for step in facts.steps or () if step.application == "AGI" for name in _VARIABLE.findall(step.data)}),
    ]
    config, exists, known_queues, modules, variables = await asyncio.gather(
        asker.values(actions.config_value(key.file, key.section, key.name, index=key.nth) for key in keys),
        asker.values(actions.dialplan_exists(context, exten) for context, exten in dialplan),
        asker.values(actions.queue_exists(queue) for queue in unlisted),
        asker.values(actions.module_loaded(module) for module in MODULES),
        asker.values(actions.global_variable(name) for name in names),
    )
    told = {key: value for key, value in zip(keys, config, strict=True) if value is not None}
    return replace(
        facts,
        config=told if any(told.values()) else None,  # without the module func_config every answer is empty
        dialplan={place: value == "1" for place, value in zip(dialplan, exists, strict=True) if value},
        queue_exists={queue: value == "1" for queue, value in zip(unlisted, known_queues, strict=True) if value},
        modules={module: value == "1" for module, value in zip(MODULES, modules, strict=True) if value},
        variables={name: value for name, value in zip(names, variables, strict=True) if value},
    )


def _can_be_asked(key: ConfigKey) -> bool:
    """A user or queue of an unusual name is not asked about."""
    try:
        actions.config_value(key.file, key.section, key.name, index=key.nth)
    except ValueError:
        return False
    return True


def _classes_of(commands: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Action -> the classes of which one is enough, `all` left out; empty where none is needed."""
    found = {}
    for name, text in commands.items():
        privilege = _PRIVILEGE.search(text)
        if privilege:
            found[name] = frozenset(privilege[1].split(",")) - {"all", "<none>"}
    return found


def _member(item: AmiEvent) -> Member:
    return Member(
        queue=item.get("Queue"),
        interface=item.get("Location"),
        state_interface=item.get("StateInterface"),
        name=item.get("Name"),
        status=item.get("Status"),
    )


def _step(item: AmiEvent) -> Step:
    return Step(
        context=item.get("Context"),
        exten=item.get("Extension"),
        priority=item.get("Priority"),
        application=item.get("Application"),
        data=item.get("AppData"),
    )
