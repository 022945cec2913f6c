"""Scripted documents for page tests, in the shapes of `cti_bridge/domain`: each builder makes a whole, valid one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cti_bridge.domain.account import Account, AccountId, ContactKind, ContactPoint, Tier, account_document
from cti_bridge.domain.agent import AgentActivity, AgentState, AgentStatus, PhoneState, agent_document
from cti_bridge.domain.call import (
    Call,
    CallId,
    CallState,
    Direction,
    Extension,
    Offer,
    OfferResult,
    Outcome,
    Party,
    Talk,
    call_document,
    iso_utc,
)
from cti_bridge.domain.decision import RoutingDecision, decision_document
from cti_bridge.domain.figures import QueueFigures, figures_document
from cti_bridge.domain.gap import Gap, GapCause, GapId, gap_document
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId, interaction_document
from cti_bridge.domain.profile import NOTHING_KNOWN, Profile
from cti_bridge.domain.relation import NOTHING_MEASURED, Relation
from cti_bridge.domain.satisfaction import Satisfaction

EXTENSION = Extension("1001")
AGENT = {"username": "ana", "name": "Ana Duarte", "role": "agent", "extension": "1001", "language": "en"}
SUPERVISOR = {"username": "sven", "name": "Sven Holm", "role": "supervisor", "extension": None, "language": "en"}
ADMIN = {"username": "ada", "name": "Ada Byrne", "role": "admin", "extension": None, "language": "en"}


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def account(
    account_id: str = "a-wang",
    name: str = "Wang Fang 王芳",
    *,
    company: str | None = "Lantern Tea Ltd",
    tier: Tier | None = Tier.PLATINUM,
    note: str | None = None,
    phone: str = "+442079460018",
    profile: Profile = NOTHING_KNOWN,
    tier_reason: str | None = None,
    provisional: bool = False,
    relation: Relation = NOTHING_MEASURED,
) -> dict[str, Any]:
    return account_document(
        Account(
            account_id=AccountId(account_id),
            name=name,
            company=company,
            tier=tier,
            language="en",
            note=note,
            contact_points=(
                ContactPoint(kind=ContactKind.PHONE, value=phone, as_given=phone, label="mobile"),
                ContactPoint(kind=ContactKind.EMAIL, value="fang@lantern.example", as_given="fang@lantern.example"),
            ),
            created_at=ago(86_400 * 400),
            updated_at=ago(86_400),
            profile=profile,
            tier_reason=tier_reason,
            provisional=provisional,
            relation=relation,
        )
    )


def candidate(account: dict[str, Any], reason: str = "shared_number", **detail: Any) -> dict[str, Any]:
    blank = {"label": None, "extension": None, "range": None, "shared_by": 2, "last_contact_at": None}
    return {"account": account, "reason": reason, "detail": blank | {"chosen_by": None, "chosen_at": None} | detail}


def external(state: str = "found", *, source: str = "CRM", **what: Any) -> dict[str, Any]:
    """What another system says of the caller."""
    blank = dict.fromkeys(("id", "name", "company", "tier", "language", "link")) | {"facts": []}
    return {"source": source, "state": state} | blank | what


def call(
    call_id: str = "main:1795314829.43",
    *,
    state: CallState = CallState.OFFERED,
    number: str | None = "+442079460018",
    name: str | None = "Fang W",
    queue: str | None = "support",
    ringing: tuple[str, ...] = (),
    talking: tuple[str, ...] = (),
    answered_by: tuple[str, ...] = (),
    started: float = 9,
    wait_s: float = 7.4,
    talk_s: float = 0,
    hung_up_by: Party | None = None,
    untrusted: bool = False,
    direction: Direction = Direction.INBOUND,
    outcome: Outcome = Outcome.IN_PROGRESS,
) -> dict[str, Any]:
    """A call that began `started` seconds ago."""
    ended = state is CallState.ENDED
    return call_document(
        Call(
            call_id=CallId(call_id),
            pbx="main",
            state=state,
            direction=direction,
            customer_number=number,
            presented_number=number,
            customer_name=name,
            did="8001",
            queues=(queue,) if queue else (),
            offered_to=tuple(Extension(one) for one in {*ringing, *talking, *answered_by}),
            rang_no_answer=(),
            answered_by=tuple(Extension(one) for one in answered_by or talking),
            outcome=outcome,
            started_at=ago(started),
            answered_at=ago(started - wait_s) if talking or answered_by else None,
            ended_at=ago(1) if ended else None,
            wait_s=wait_s,
            talk_s=talk_s,
            hold_s=0,
            transfers=(),
            hung_up_by=hung_up_by,
            held=state is CallState.HELD,
            parked=False,
            recorded=False,
            conference=False,
            estimated=False,
            offers=tuple(Offer(agent=Extension(one), queue=queue, rang_at=ago(2)) for one in ringing)
            + tuple(
                Offer(agent=Extension(one), queue=queue, rang_at=ago(4), ended_at=ago(2), result=OfferResult.ANSWERED)
                for one in talking
            ),
            talks=tuple(Talk(party=one, started_at=ago(2)) for one in talking),
            untrusted_caller=untrusted,
        )
    )


def interaction(
    interaction_id: str,
    *,
    channel: Channel = Channel.PHONE,
    account_id: str | None = "a-wang",
    started: float = 86_400,
    subject: str | None = None,
    disposition: str | None = None,
    note: str | None = None,
    outcome: str | None = "answered",
    agent: str | None = "1002",
    queue: str | None = "support",
    call_id: str | None = None,
    document: dict[str, Any] | None = None,
    satisfaction: Satisfaction | None = None,
) -> dict[str, Any]:
    return interaction_document(
        Interaction(
            interaction_id=InteractionId(interaction_id),
            account_id=AccountId(account_id) if account_id else None,
            channel=channel,
            direction=Direction.INBOUND,
            started_at=ago(started),
            ended_at=ago(started - 100),
            agent=Extension(agent) if agent else None,
            queue=queue,
            outcome=outcome,
            subject=subject,
            disposition=disposition,
            note=note,
            call_id=CallId(call_id) if call_id else None,
            call=document,
            satisfaction=satisfaction,
        )
    )


def history() -> list[dict[str, Any]]:
    day = 86_400
    short = "Order 5512 arrived short by two tins; promised to ring back."
    return [
        interaction("h1", started=day, disposition="call_back", note=short),
        interaction("h2", channel=Channel.EMAIL, started=day * 3, subject="Invoice 2291: wrong delivery address", queue=None),
        interaction("h3", started=day * 12, disposition="resolved", agent="1004", queue="sales"),
        interaction("h4", channel=Channel.VISIT, started=day * 40, subject="Tasting at the shop", agent=None, queue=None),
        interaction("h5", started=day * 65, outcome="abandoned", agent=None),
    ]


def pop(pop_id: str = "p1", *, of: dict[str, Any] | None = None, lookup: str = "found", **what: Any) -> dict[str, Any]:
    """A pop's payload; by default for a call that rings at the agent's phone from a known customer."""
    known = account(note="Prefers to be called Ms Wang. Allergic to nuts: never offer samples with almonds.")
    payload = {
        "pop_id": pop_id,
        "agent": EXTENSION,
        "call": of or call(ringing=(EXTENSION,)),
        "account": known if lookup == "found" else None,
        "candidates": [candidate(known, "exact_number", shared_by=1)] if lookup == "found" else [],
        "history": history() if lookup == "found" else [],
        "commitments": {"items": [], "more": 0} if lookup == "found" else None,
        "routing": decision_document(
            RoutingDecision(
                rule="VIP first",
                queue="support",
                priority=10,
                reason="the caller's tier is platinum",
                rules_version="3f6c0e1a9b2d",
            )
        ),
        "lookup": lookup,
        "chosen": None,
        "external": [],
    }
    return payload | what


def agent(
    extension: str = EXTENSION,
    name: str = "Ana Duarte",
    *,
    status: AgentStatus = AgentStatus.READY,
    activity: AgentActivity = AgentActivity.IDLE,
    since: float = 252,
    reason: str | None = None,
    phone: PhoneState = PhoneState.IDLE,
    queues: tuple[str, ...] = ("support", "sales"),
) -> dict[str, Any]:
    return agent_document(
        AgentState(
            agent=Extension(extension),
            name=name,
            status=status,
            pause_reason=reason,
            activity=activity,
            phone=phone,
            since=ago(since),
            queues=queues,
            call_id=None,
        )
    )


def figures(queue: str, **what: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "waiting": 0,
        "longest_waiting_since": None,
        "offered": 121,
        "answered": 112,
        "abandoned": 6,
        "short_abandons": 2,
        "overflowed": 1,
        "answered_in_time": 101,
        "wait_of_answered_s": 1344.0,
        "agents": {"ready": 2, "talking": 3, "wrap_up": 1, "paused": 1},
    }
    return figures_document(QueueFigures(queue=queue, since=ago(20_000), service_level_seconds=20, **values | what))


def queues() -> list[dict[str, Any]]:
    nothing = {"offered": 0, "answered": 0, "abandoned": 0, "short_abandons": 0, "answered_in_time": 0, "wait_of_answered_s": 0.0}
    busy = {"talking": 4, "paused": 2}
    return [
        figures("sales", waiting=1, longest_waiting_since=ago(18)),
        figures("support", waiting=3, longest_waiting_since=ago(47), answered_in_time=86, abandoned=9, agents=busy),
        figures("vip", overflowed=0, agents={"ready": 2}, **nothing),
    ]


def links(state: str = "connected", **what: Any) -> list[dict[str, Any]]:
    link = {
        "name": "main",
        "state": state,
        "since": iso_utc(ago(5400)),
        "detail": "Asterisk Call Manager/9.0.0 at 127.0.0.1:5038",
        "version": "22.10.1",
        "counters": {"events": 18_204, "forged": 0, "malformed": 0, "reconnects": 1},
    }
    return [link | what]


def gap(began: float = 300, lasted: float | None = 28, **what: Any) -> dict[str, Any]:
    """A time without PBX main, that began so many seconds ago; None: it still lasts."""
    since = ago(began)
    until = None if lasted is None else ago(began - lasted)
    values = {"rebuilt": 3, "ended_unseen": 1, "appeared": 0, "queues": ("sales", "support"), "is_audited": True} | what
    is_audited = values.pop("is_audited")
    found = Gap(gap_id=GapId(f"main:{since.timestamp() * 1000:.0f}"), pbx="main", cause=GapCause.LINK, since=since, until=until)
    return gap_document(replace(found, **values)) | {"is_audited": is_audited}


def audit(**what: Any) -> dict[str, Any]:
    """The last audit's result, in short; by default nothing was missing."""
    counts = dict.fromkeys(("lost", "ghost", "doubled", "stuck", "wrong"), 0)
    clean = {"pbx": "main", "at": iso_utc(ago(60)), "calls": 1204, "counts": counts, "left": 0, "error": None}
    return clean | what


def recent() -> list[dict[str, Any]]:
    """The agent's own past calls as the store has them."""
    rows = [
        ("r1", "a-wang", "Wang Fang", "resolved", 1500, "support"),
        ("r2", None, "Oliver Brandt", None, 2700, "sales"),
        ("r3", "a-silva", "M Silva", "information", 4100, "support"),
        ("r4", None, "Zoë Ødegård", "complaint", 90_000, "support"),
    ]
    return [
        interaction(
            row_id,
            account_id=account_id,
            started=started,
            disposition=disposition,
            agent=EXTENSION,
            queue=queue,
            call_id=f"main:{row_id}",
            document=call(
                f"main:{row_id}",
                state=CallState.ENDED,
                name=name,
                number="+447700900123",
                queue=queue,
                answered_by=(EXTENSION,),
                started=started,
                talk_s=185,
                hung_up_by=Party.CUSTOMER,
                outcome=Outcome.ANSWERED,
            ),
        )
        for row_id, account_id, name, disposition, started, queue in rows
    ]


def agent_snapshot() -> dict[str, Any]:
    return {"calls": [], "pops": [], "agent": agent(), "queues": queues()[:2], "links": links()}


def supervisor_snapshot() -> dict[str, Any]:
    return {
        "calls": [
            call("main:1", state=CallState.QUEUED, name="Liu Yang 刘洋", number="+8613812345678", started=47, wait_s=0),
            call("main:2", state=CallState.OFFERED, name="Amelia Clarke", ringing=("1003",), started=22, wait_s=0),
            call("main:3", state=CallState.TALKING, name="Jonas Weber", talking=("1002",), started=312),
            call("main:4", state=CallState.HELD, name="Chen Wei 陈伟", talking=("1004",), started=505, queue="sales"),
            call("main:5", state=CallState.TALKING, name=None, number=None, talking=("1005",), started=75, queue="sales"),
        ],
        "agents": [
            agent("1001", "Ana Duarte", since=252),
            agent("1002", "Li Na 李娜", activity=AgentActivity.TALKING, since=305, phone=PhoneState.IN_USE),
            agent("1003", "Tom Reed", activity=AgentActivity.RINGING, since=19, phone=PhoneState.RINGING),
            agent("1004", "Zhang Wei 张伟", activity=AgentActivity.HOLD, since=143, phone=PhoneState.ON_HOLD, queues=("sales",)),
            agent("1005", "Priya Nair", activity=AgentActivity.TALKING, since=68, phone=PhoneState.IN_USE, queues=("sales",)),
            agent("1006", "Marek Novák", activity=AgentActivity.WRAP_UP, since=71),
            agent("1007", "Grace Obi", status=AgentStatus.PAUSED, reason="lunch", since=1290),
            agent("1008", "Wu Min 吴敏", phone=PhoneState.UNAVAILABLE, since=640, queues=("vip",)),
        ],
        "queues": queues(),
        "links": links(),
        "gaps": [],
        "audits": [],
    }
