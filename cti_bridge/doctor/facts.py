"""What a PBX answered, before anybody judges it: the one type between asking (`ask`) and judging (all other files here).

Everything may be missing: an account without a right, a module that is not loaded, a PBX that did not answer in time. `None` and
absent keys mean "not known", never "no"; `unasked` tells why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from config.settings import PbxSettings

TRUE_WORDS: Final = frozenset({"yes", "true", "y", "t", "1", "on"})
"""What Asterisk takes for yes (ast_true, main/utils.c)."""
ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - read, not listened on


class ConfigKey(NamedTuple):
    """A line of one of the PBX's configuration files; `nth` counts lines of the same name, from 0."""

    file: str
    section: str
    name: str
    nth: int = 0


class Member(NamedTuple):
    """A seat in a queue as QueueStatus lists it; `status` is Asterisk's device state number."""

    queue: str
    interface: str
    state_interface: str
    name: str
    status: str


class Step(NamedTuple):
    """One line of the dialplan in the PBX's memory."""

    context: str
    exten: str
    priority: str
    application: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the PBX showed on its TLS port, verified; `protocol` as `TLSv1.3`."""

    protocol: str
    expires: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """`ahead_seconds`: how far the PBX's clock is before ours (negative: behind), read at best within `round_trip_seconds`."""

    ahead_seconds: float
    round_trip_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Who was there when asked: channel names by Uniqueid, waiting callers as (queue, Uniqueid), a member's state and pause."""

    channels: Mapping[str, str]
    waiting: frozenset[tuple[str, str]]
    members: Mapping[tuple[str, str], tuple[str, str]]


class HeardEvent(NamedTuple):
    name: str
    subject: str
    """Uniqueid, or the member's interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the events connection told in `seconds`, between two listings (None: not to be had)."""

    seconds: float
    events: tuple[HeardEvent, ...]
    booted: bool
    """FullyBooted came with the login: Asterisk writes it to whoever may read class `system`."""
    timestamped: bool | None
    """Whether events carry the PBX's time; None: no event came."""
    before: Listing | None
    after: Listing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxFacts:
    """All answers of one PBX."""

    settings: PbxSettings
    banner: str
    certificate: Certificate | None = None
    deaf_because: str = ""
    """Why the second connection, for events, was not to be had."""
    commands: Mapping[str, frozenset[str]] | None = None
    """Every action that the account may send, with the classes of which one is enough (ListCommands)."""
    denied: frozenset[str] = frozenset()
    """Actions that were tried and answered "Permission denied"."""
    unanswered: frozenset[str] = frozenset()
    """Actions that had no answer in time."""
    core: Mapping[str, str] | None = None
    status: Mapping[str, str] | None = None
    config: Mapping[ConfigKey, str] | None = None
    modules: Mapping[str, bool] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    utc_offset: str = ""
    queues: Mapping[str, str] | None = None
    """Queue name -> strategy."""
    queue_exists: Mapping[str, bool] = field(default_factory=dict)
    """Of queues that QueueStatus did not list."""
    members: tuple[Member, ...] = ()
    dialplan: Mapping[tuple[str, str | None], bool] = field(default_factory=dict)
    """(context, extension or None for the context itself) -> is there."""
    steps: tuple[Step, ...] | None = None
    clock: ClockReading | None = None
    heard: Heard | None = None
    unasked: Mapping[str, str] = field(default_factory=dict)
    """Action -> why it was not answered."""

    @property
    def name(self) -> str:
        return self.settings.name

    def setting(self, file: str, section: str, name: str) -> str | None:
        """A configuration value; empty where the line is not there, None where it could not be asked."""
        return None if self.config is None else self.config.get(ConfigKey(file, section, name))

    def is_on(self, file: str, section: str, name: str, *, default: bool) -> bool | None:
        """A yes/no line with Asterisk's own default; None where it could not be asked."""
        value = self.setting(file, section, name)
        if value is None:
            return None
        return value.strip().lower() in TRUE_WORDS if value.strip() else default


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """The PBX is away, does not answer, or refuses the login: `why` says what to do."""

    settings: PbxSettings
    code: str
    why: str
