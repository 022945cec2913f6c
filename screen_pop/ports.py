"""What the people's side needs from the rest, as protocols; app.py hands in the real ones (storage, commands, live board).

Every method may raise `StorageError` (the store is away) unless its docstring says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cti_bridge.domain.account import Account, AccountId, ContactKind, ContactPoint, Tier
from cti_bridge.domain.agent import AgentState
from cti_bridge.domain.audit import AuditResult
from cti_bridge.domain.audit_log import AuditAction, AuditEntry
from cti_bridge.domain.call import Call, CallId, Extension
from cti_bridge.domain.case import Case, CaseFilter, CaseId, CaseKind, Commitments
from cti_bridge.domain.figures import QueueFigures
from cti_bridge.domain.gap import Gap
from cti_bridge.domain.interaction import Interaction, InteractionId
from cti_bridge.domain.listing import InteractionFilter, Page
from cti_bridge.domain.merge import Duplicate, Merge, MergeId
from cti_bridge.domain.person import Erased
from cti_bridge.domain.satisfaction import Satisfaction
from cti_bridge.domain.tiers import TierChange
from cti_bridge.domain.user import Role, User
from cti_bridge.domain.webhook import Delivery, DeliveryId, DeliveryState
from screen_pop.pop import Identified

__all__ = [
    "Accounts",
    "AuditLog",
    "CallCommands",
    "Callers",
    "Cases",
    "CommandRefused",
    "Deliveries",
    "GapSeen",
    "Gaps",
    "InteractionFilter",
    "Interactions",
    "LiveState",
    "Merges",
    "Page",
    "PbxLink",
    "Persons",
    "Profiles",
    "Relations",
    "Role",
    "RoutingStatus",
    "Scores",
    "Sessions",
    "User",
    "Users",
]


class Users(Protocol):
    async def with_username(self, username: str) -> tuple[User, str] | None:
        """The user and the argon2id hash of the password."""

    async def by_id(self, user_id: str) -> User | None: ...


class Sessions(Protocol):
    """Server-side sessions; only the SHA-256 of a token is stored."""

    async def create(self, user_id: str, *, token_hash: bytes, now: datetime, expires_at: datetime) -> None: ...
    async def user_of(self, token_hash: bytes, *, now: datetime) -> User | None: ...
    async def end(self, token_hash: bytes) -> None: ...


class Accounts(Protocol):
    async def by_id(self, account_id: AccountId) -> Account | None: ...
    async def search(
        self, *, phone: str | None, email: str | None, q: str | None, cursor: str | None, limit: int, by_part: bool = True
    ) -> Page[Account]:
        """By any contact point or by part of the name; `phone` in any form. Raises ValueError for a cursor not ours.

        Not `by_part`: contact points by their whole value only, so that nobody finds a number out digit by digit.
        """

    async def create(
        self,
        *,
        name: str,
        company: str | None,
        tier: Tier | None,
        language: str | None,
        note: str | None,
        contact_points: Sequence[tuple[ContactKind, str, str | None]],
        now: datetime,
    ) -> Account:
        """Contact points are (kind, as given, label); phones are normalised with the site's region. ValueError: not readable."""

    async def change(
        self,
        account_id: AccountId,
        *,
        changes: dict[str, Any],
        contact_points: Sequence[tuple[ContactKind, str, str | None]] | None,
        now: datetime,
    ) -> Account | None:
        """`changes` holds only the fields to set; `contact_points` replaces them all where given. None: no such account."""

    def read_contact_point(self, kind: ContactKind, as_given: str, label: str | None) -> ContactPoint:
        """The normalised contact point. ValueError says what is wrong with it."""


class Cases(Protocol):
    async def open(
        self,
        account_id: AccountId,
        *,
        kind: CaseKind,
        subject: str,
        by: str,
        now: datetime,
        owner: str | None = None,
        due_at: datetime | None = None,
        interaction_id: str | None = None,
        problem: str | None = None,
    ) -> Case:
        """A new commitment. Raises CaseRefused; ValueError: not readable."""

    async def change(
        self, case_id: CaseId, changes: Mapping[str, Any], *, by: str, now: datetime, call_id: CallId | None = None
    ) -> Case:
        """Only the keys given; `call_id`: it is closed by this call. Raises CaseRefused; ValueError: not readable."""

    async def by_id(self, case_id: CaseId) -> Case | None: ...
    async def list(self, wanted: CaseFilter, *, now: datetime, cursor: str | None, limit: int) -> Page[Case]:
        """Newest first. ValueError for a cursor not ours."""

    async def open_of(self, account_id: AccountId, *, at_most: int = ...) -> Commitments:
        """The account's open ones, the most urgent first; by default as many as a pop shows."""


class Profiles(Protocol):
    async def change(self, account_id: AccountId, changes: Mapping[str, Any], *, now: datetime) -> Account | None:
        """Sets what is given of the file, and the tier that follows. None: no such account. ValueError: not readable."""

    async def set_tier(self, account_id: AccountId, tier: Tier | None, *, by: str, now: datetime) -> bool:
        """A person sets the tier."""

    async def tiers(self, account_id: AccountId) -> Sequence[TierChange]:
        """How the tier came about, newest first."""


class Merges(Protocol):
    async def merge(self, kept: AccountId, merged: AccountId, *, by: str, now: datetime) -> Merge:
        """Puts `merged` into `kept`. Raises MergeRefused: same-account, no-such-account, account-merged."""

    async def undo(self, merge_id: MergeId, *, by: str, now: datetime) -> Merge:
        """Parts them again. Raises MergeRefused: no-such-merge, already-undone, merged-on."""

    async def of(self, account_id: AccountId) -> Sequence[Merge]:
        """Newest first."""

    async def duplicates(self, account_id: AccountId) -> Sequence[Duplicate]:
        """Likeliest first."""


class Persons(Protocol):
    async def erase(self, account_id: AccountId, *, by: str, now: datetime) -> Erased:
        """The customer with all merged doubles. Raises PersonRefused: no-such-account, account-merged."""


class AuditLog(Protocol):
    async def append(
        self,
        action: AuditAction,
        *,
        actor: str,
        detail: Mapping[str, str | int | None],
        now: datetime,
        subject: str | None = None,
    ) -> None:
        """Committed when it returns."""

    async def list(self, *, cursor: str | None, limit: int) -> Page[AuditEntry]:
        """Newest first. ValueError for a cursor not ours."""


class Interactions(Protocol):
    async def by_id(self, interaction_id: InteractionId) -> Interaction | None: ...
    async def by_call(self, call_id: CallId) -> Interaction | None: ...
    async def timeline(self, account_id: AccountId, *, cursor: str | None, limit: int) -> Page[Interaction]:
        """Newest first, flat in cost however long it is. ValueError for a cursor not ours."""

    async def list(self, wanted: InteractionFilter, *, cursor: str | None, limit: int) -> Page[Interaction]:
        """Newest first. ValueError for a cursor not ours."""

    async def add(self, interaction: Interaction, *, idempotency_key: str | None) -> Interaction:
        """Adds a contact of another channel; the same key gives the first answer again."""

    async def change(self, interaction_id: InteractionId, *, changes: dict[str, Any]) -> Interaction | None:
        """Sets disposition, note or account_id (only the keys given); committed when it returns. None: no such interaction."""


class Scores(Protocol):
    async def set(
        self, interaction_id: InteractionId, given: Satisfaction | None, *, by: str, by_agent: bool, now: datetime
    ) -> Interaction | None:
        """Puts the score on the contact, None takes it back. None: no such contact. Raises ScoreRefused: customers-own-word."""


class Relations(Protocol):
    async def refresh(self, ids: Sequence[AccountId | None], *, now: datetime) -> None:
        """Judges the relation to these customers anew, after a change. Raises nothing: the night's pass mends what failed."""

    async def at_risk(self, *, cursor: str | None, limit: int) -> Page[Account]:
        """Accounts with a churn sign, newest noticed first. ValueError for a cursor not ours."""


class Gaps(Protocol):
    async def list(self, *, cursor: str | None, limit: int) -> Page[Gap]:
        """Newest first. ValueError for a cursor not ours."""


class Deliveries(Protocol):
    async def list(self, state: DeliveryState | None, *, cursor: str | None, limit: int) -> Page[Delivery]:
        """To webhooks, newest first. ValueError for a cursor not ours."""

    async def resend(self, delivery_id: DeliveryId, *, now: datetime) -> Delivery | None:
        """Begins anew with its tries. None: no such delivery."""


class CommandRefused(Exception):
    """A call-control command was not done; `kind` is the stable problem type, the text says why in the user's terms."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class CallCommands(Protocol):
    """What an agent may do to a call. Each is sent to the PBX at most once; all raise CommandRefused."""

    async def dial(self, agent: Extension, to: str) -> str:
        """Click-to-call; gives the request's id."""

    async def answer(self, agent: Extension, call_id: CallId) -> None: ...
    async def hang_up(self, agent: Extension, call_id: CallId) -> None: ...
    async def hold(self, agent: Extension, call_id: CallId, *, on: bool) -> None: ...
    async def transfer(self, agent: Extension, call_id: CallId, to: str) -> None: ...
    async def set_state(self, agent: Extension, *, paused: bool, reason: str | None) -> None: ...


class WrapUps(Protocol):
    async def save(self, call_id: CallId, agent: Extension, changes: dict[str, Any]) -> Interaction:
        """Sets disposition, note, account_id or satisfaction (only the keys given) of the call's interaction; committed then.

        The call may still be going on. Raises CommandRefused: `not-in-this-call`, or `not-stored-yet` where it was not answered.
        """


class Callers(Protocol):
    """Who the caller of a call is taken to be. Each shows it on every pop of the call that stands, and gives it back.

    Who may, the route has checked. All raise CommandRefused where the call is not known.
    """

    async def choose(self, call_id: CallId, agent: Extension, account_id: AccountId | None, *, now: datetime) -> Identified:
        """The agent says who it is (None: none of those proposed): set on the call's interaction, and learnt for the number."""

    async def undo(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        """Takes the choice back: unlearnt, and the call stands where the number alone puts it."""

    async def add_provisional(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        """An account made from the call, without a name yet, and chosen; the one made before from this number, if any.

        Raises CommandRefused `no-number`.
        """

    async def add_external(self, call_id: CallId, agent: Extension, *, source: str, now: datetime) -> Identified:
        """An account of the one customer whom another system knows by this number, and chosen.

        Raises CommandRefused `no-number`, `not-one-there`.
        """

    async def chosen(self, call_id: CallId, account_id: AccountId | None, *, by: str, now: datetime) -> Identified:
        """As `choose`, where the interaction has the account already; `by` is an extension or a user's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of /readyz; a check that is not `required` makes the service degraded, not unready. `detail` names nobody."""

    name: str
    ok: bool
    required: bool
    detail: str = ""


class Readiness(Protocol):
    async def checks(self) -> Sequence[Check]:
        """The store, the PBX links, the recorder: answers within a second and raises nothing."""


class PasswordCheck(Protocol):
    async def __call__(self, password_hash: str, password: str, /) -> bool:
        """Whether the password is the hashed one; takes as long for a wrong one, and keeps the event loop free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxLink:
    """A PBX's link as the admin sees it: `state` connected | connecting | refused | disconnected, and what to do about it."""

    name: str
    state: str
    since: datetime
    detail: str
    version: str | None
    counters: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapSeen:
    """A gap as supervisors see it; `is_audited`: the PBX's own record can be read, so an audit will settle it."""

    gap: Gap
    is_audited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingStatus:
    """The rules file: its text, the version in force, and every mistake (which keeps the last good version in force)."""

    file: str
    version: str | None
    text: str
    problems: tuple[dict[str, Any], ...]
    """`{"line": int, "column": int, "message": str, "hint": str}` each."""
    loaded_at: datetime | None


class LiveState(Protocol):
    """The present state of calls, agents, queues and links; read from memory, never waits."""

    def calls(self) -> Sequence[Call]: ...
    def agents(self) -> Sequence[AgentState]: ...
    def queues(self) -> Sequence[QueueFigures]: ...
    def links(self) -> Sequence[PbxLink]: ...
    def gaps(self) -> Sequence[GapSeen]:
        """The newest first: those that are open, and those of the last day."""

    def is_audited(self, pbx: str) -> bool:
        """Whether the PBX's own record can be read."""

    def audits(self) -> Sequence[AuditResult]:
        """The newest of each PBX."""

    def routing(self) -> RoutingStatus: ...
