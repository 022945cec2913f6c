"""The ports of the people's side in memory: fakes with real behaviour, for tests that need a server but no database."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import uuid_utils

from cti_bridge.domain.account import Account, AccountId, ContactKind, ContactPoint, Tier
from cti_bridge.domain.agent import AgentActivity, AgentState, AgentStatus, PhoneState
from cti_bridge.domain.audit import AuditReason, AuditResult
from cti_bridge.domain.call import Call, CallId, CallState, Direction, Extension, Offer, Outcome, Talk
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.figures import QueueFigures
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from cti_bridge.domain.phone_number import to_e164
from screen_pop.ports import Check, CommandRefused, GapSeen, InteractionFilter, Page, PbxLink, Role, RoutingStatus, User
from tests.support.gaps import a_gap

NOW = datetime(2026, 11, 22, 8, 30, 0, tzinfo=UTC)


def a_call(call_id: str = "main:1.1", **changes: Any) -> Call:
    """A call in the state that the changes say; `ringing` and `talking` name agents."""
    ringing, talking = changes.pop("ringing", ()), changes.pop("talking", ())
    call = Call(
        call_id=CallId(call_id),
        pbx="main",
        state=CallState.OFFERED if ringing else CallState.TALKING if talking else CallState.QUEUED,
        direction=Direction.INBOUND,
        customer_number="+442079460018",
        presented_number="02079460018",
        customer_name="Zoë",
        did="8001",
        queues=("support",),
        offered_to=tuple(Extension(agent) for agent in (*ringing, *talking)),
        rang_no_answer=(),
        answered_by=tuple(Extension(agent) for agent in talking),
        outcome=Outcome.ANSWERED if talking else Outcome.IN_PROGRESS,
        started_at=NOW,
        answered_at=NOW if talking else None,
        ended_at=None,
        wait_s=1.5,
        talk_s=0.0,
        hold_s=0.0,
        transfers=(),
        hung_up_by=None,
        held=False,
        parked=False,
        recorded=False,
        conference=False,
        estimated=False,
        offers=tuple(Offer(agent=Extension(agent), queue="support", rang_at=NOW) for agent in ringing),
        talks=tuple(Talk(party=agent, started_at=NOW) for agent in talking),
    )
    return call._replace(**changes)


def an_account(name: str = "Zoë Ångström", **changes: Any) -> Account:
    phone = ContactPoint(kind=ContactKind.PHONE, value="+442079460018", as_given="020 7946 0018")
    account = Account(
        account_id=AccountId(str(uuid_utils.uuid7())),
        name=name,
        company=None,
        tier=Tier.GOLD,
        language="en",
        note=None,
        contact_points=(phone,),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(account, **changes)


def an_interaction(**changes: Any) -> Interaction:
    interaction = Interaction(
        interaction_id=InteractionId(str(uuid_utils.uuid7())),
        account_id=None,
        channel=Channel.PHONE,
        direction=Direction.INBOUND,
        started_at=NOW,
        ended_at=NOW,
        agent=Extension("1001"),
        queue="support",
        outcome="answered",
        subject=None,
        disposition=None,
        note=None,
        call_id=None,
        call=None,
    )
    return replace(interaction, **changes)


def an_agent(extension: str = "1001", **changes: Any) -> AgentState:
    state = AgentState(
        agent=Extension(extension),
        name=f"Agent {extension}",
        status=AgentStatus.READY,
        pause_reason=None,
        activity=AgentActivity.IDLE,
        phone=PhoneState.IDLE,
        since=NOW,
        queues=("support",),
        call_id=None,
    )
    return replace(state, **changes)


def figures_of(queue: str = "support", **changes: Any) -> QueueFigures:
    figures = QueueFigures(
        queue=queue,
        since=NOW,
        waiting=0,
        longest_waiting_since=None,
        offered=4,
        answered=3,
        abandoned=1,
        short_abandons=0,
        overflowed=0,
        answered_in_time=2,
        service_level_seconds=20,
        wait_of_answered_s=42.0,
        agents={"ready": 1},
    )
    return replace(figures, **changes)


AGENT = User(user_id="u1", username="ada", name="Ada", role=Role.AGENT, extension=Extension("1001"), language="en")
OTHER_AGENT = User(user_id="u2", username="bo", name="Bo", role=Role.AGENT, extension=Extension("1002"), language="zh")
SUPERVISOR = User(user_id="u3", username="sue", name="Sue", role=Role.SUPERVISOR, extension=None)
ADMIN = User(user_id="u4", username="root", name="Root", role=Role.ADMIN, extension=None)
USERS = (AGENT, OTHER_AGENT, SUPERVISOR, ADMIN)
PASSWORD = "correct horse"


@dataclass
class FakeUsers:
    users: dict[str, User] = field(default_factory=lambda: {user.username: user for user in USERS})

    async def with_username(self, username: str) -> tuple[User, str] | None:
        user = self.users.get(username)
        return (user, f"hash of {PASSWORD}") if user else None

    async def by_id(self, user_id: str) -> User | None:
        return next((user for user in self.users.values() if user.user_id == user_id), None)


@dataclass
class FakePasswords:
    """Counts the checks, so that a test sees that an unknown name costs one too."""

    checked: list[str] = field(default_factory=list)

    async def __call__(self, password_hash: str, password: str, /) -> bool:
        self.checked.append(password_hash)
        return password_hash == f"hash of {password}"


@dataclass
class FakeSessions:
    users: FakeUsers
    kept: dict[bytes, tuple[str, datetime]] = field(default_factory=dict)
    is_away: bool = False

    async def create(self, user_id: str, *, token_hash: bytes, now: datetime, expires_at: datetime) -> None:
        self.kept[token_hash] = (user_id, expires_at)

    async def user_of(self, token_hash: bytes, *, now: datetime) -> User | None:
        if self.is_away:
            raise StorageError("the store is away")
        user_id, expires_at = self.kept.get(token_hash, ("", now))
        return await self.users.by_id(user_id) if now < expires_at else None

    async def end(self, token_hash: bytes) -> None:
        self.kept.pop(token_hash, None)


def _page(items: Sequence[Any], cursor: str | None, limit: int) -> Page[Any]:
    """Cursors are base64 of a place, so that one made up by hand is seen to be wrong."""
    start = int(base64.b64decode(cursor, validate=True)) if cursor else 0
    end = start + limit
    return Page(items=tuple(items[start:end]), next=base64.b64encode(b"%d" % end).decode() if end < len(items) else None)


@dataclass
class FakeAccounts:
    kept: dict[AccountId, Account] = field(default_factory=dict)
    searched_by_part: bool | None = None

    async def by_id(self, account_id: AccountId) -> Account | None:
        return self.kept.get(account_id)

    async def search(
        self, *, phone: str | None, email: str | None, q: str | None, cursor: str | None, limit: int, by_part: bool = True
    ) -> Page[Account]:
        self.searched_by_part = by_part
        wanted = {to_e164(phone, "GB") if phone else None, email} - {None}
        found = [
            account
            for account in self.kept.values()
            if wanted & {point.value for point in account.contact_points} or (q and q.casefold() in account.name.casefold())
        ]
        return _page(found, cursor, limit)

    async def create(self, *, contact_points: Sequence[Any], now: datetime, **fields: Any) -> Account:
        account = Account(
            account_id=AccountId(str(uuid_utils.uuid7())),
            contact_points=tuple(self.read_contact_point(*point) for point in contact_points),
            created_at=now,
            updated_at=now,
            **fields,
        )
        self.kept[account.account_id] = account
        return account

    async def change(
        self, account_id: AccountId, *, changes: dict[str, Any], contact_points: Sequence[Any] | None, now: datetime
    ) -> Account | None:
        account = self.kept.get(account_id)
        if account is None:
            return None
        if contact_points is not None:
            changes = {**changes, "contact_points": tuple(self.read_contact_point(*point) for point in contact_points)}
        self.kept[account_id] = replace(account, **changes, updated_at=now)
        return self.kept[account_id]

    def read_contact_point(self, kind: ContactKind, as_given: str, label: str | None) -> ContactPoint:
        value = to_e164(as_given, "GB") if kind is ContactKind.PHONE else as_given
        if value is None:
            raise ValueError("not a phone number")
        return ContactPoint(kind=kind, value=value, as_given=as_given, label=label)


@dataclass
class FakeInteractions:
    kept: dict[InteractionId, Interaction] = field(default_factory=dict)
    by_key: dict[str, Interaction] = field(default_factory=dict)

    def put(self, interaction: Interaction) -> Interaction:
        self.kept[interaction.interaction_id] = interaction
        return interaction

    async def by_id(self, interaction_id: InteractionId) -> Interaction | None:
        return self.kept.get(interaction_id)

    async def by_call(self, call_id: CallId) -> Interaction | None:
        return next((interaction for interaction in self.kept.values() if interaction.call_id == call_id), None)

    async def timeline(self, account_id: AccountId, *, cursor: str | None, limit: int) -> Page[Interaction]:
        return await self.list(InteractionFilter(account=account_id), cursor=cursor, limit=limit)

    async def list(self, wanted: InteractionFilter, *, cursor: str | None, limit: int) -> Page[Interaction]:
        found = [
            one
            for one in self.kept.values()
            if (wanted.account is None or one.account_id == wanted.account)
            and (wanted.agent is None or one.agent == wanted.agent)
            and (wanted.channel is None or one.channel.value == wanted.channel)
            and (wanted.since is None or one.started_at >= wanted.since)
        ]
        return _page(sorted(found, key=lambda one: one.started_at, reverse=True), cursor, limit)

    async def add(self, interaction: Interaction, *, idempotency_key: str | None) -> Interaction:
        if idempotency_key is None:
            return self.put(interaction)
        first = self.by_key.setdefault(idempotency_key, interaction)
        return self.put(first)

    async def change(self, interaction_id: InteractionId, *, changes: dict[str, Any]) -> Interaction | None:
        interaction = self.kept.get(interaction_id)
        return self.put(replace(interaction, **changes)) if interaction else None


@dataclass
class FakeWrapUps:
    interactions: FakeInteractions

    async def save(self, call_id: CallId, agent: Extension, changes: dict[str, Any]) -> Interaction:
        stored = await self.interactions.by_call(call_id)
        return self.interactions.put(replace(stored or an_interaction(call_id=call_id, agent=agent), **changes))


@dataclass
class FakeCommands:
    """Notes what it was told; refuses everything while `refusal` is set."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    refusal: CommandRefused | None = None

    async def dial(self, agent: Extension, to: str) -> str:
        self._note("dial", agent, to)
        return "r1"

    async def answer(self, agent: Extension, call_id: CallId) -> None:
        self._note("answer", agent, call_id)

    async def hang_up(self, agent: Extension, call_id: CallId) -> None:
        self._note("hang_up", agent, call_id)

    async def hold(self, agent: Extension, call_id: CallId, *, on: bool) -> None:
        self._note("hold", agent, call_id, on)

    async def transfer(self, agent: Extension, call_id: CallId, to: str) -> None:
        self._note("transfer", agent, call_id, to)

    async def set_state(self, agent: Extension, *, paused: bool, reason: str | None) -> None:
        self._note("set_state", agent, paused, reason)

    def _note(self, *what: Any) -> None:
        if self.refusal:
            raise self.refusal
        self.told.append(what)


@dataclass
class FakeLive:
    the_calls: list[Call] = field(default_factory=list)
    the_agents: list[AgentState] = field(default_factory=lambda: [an_agent("1001"), an_agent("1002", queues=("sales",))])
    the_queues: list[QueueFigures] = field(default_factory=lambda: [figures_of("sales"), figures_of("support")])
    the_links: list[PbxLink] = field(
        default_factory=lambda: [
            PbxLink(name="main", state="connected", since=NOW, detail="", version="22.10.1", counters={"events": 7})
        ]
    )
    the_routing: RoutingStatus = field(
        default_factory=lambda: RoutingStatus(
            file="routing.yaml", version="0123456789ab", text="rules: []", problems=(), loaded_at=NOW
        )
    )

    the_gaps: list[GapSeen] = field(default_factory=lambda: [GapSeen(gap=a_gap(), is_audited=True)])

    the_audits: list[AuditResult] = field(
        default_factory=lambda: [AuditResult(pbx="main", reason=AuditReason.GAP, at=NOW, since=NOW, until=NOW, calls=1204)]
    )

    def calls(self) -> Sequence[Call]:
        return self.the_calls

    def agents(self) -> Sequence[AgentState]:
        return self.the_agents

    def queues(self) -> Sequence[QueueFigures]:
        return self.the_queues

    def links(self) -> Sequence[PbxLink]:
        return self.the_links

    def gaps(self) -> Sequence[GapSeen]:
        return self.the_gaps

    def is_audited(self, pbx: str) -> bool:
        return pbx == "main"

    def audits(self) -> Sequence[AuditResult]:
        return self.the_audits

    def routing(self) -> RoutingStatus:
        return self.the_routing


@dataclass
class FakeReadiness:
    lines: list[Check] = field(
        default_factory=lambda: [
            Check(name="store", ok=True, required=True),
            Check(name="pbx main", ok=True, required=False),
        ]
    )

    async def checks(self) -> Sequence[Check]:
        return self.lines
