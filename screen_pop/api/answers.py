"""The shapes of the answers, for the OpenAPI document; cti_bridge/domain writes them, a test holds both together."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cti_bridge.domain.account import ContactKind, MatchReason, Tier
from cti_bridge.domain.agent import AgentActivity, AgentStatus, PhoneState
from cti_bridge.domain.audit import AuditReason
from cti_bridge.domain.call import CallState, Direction, Outcome, Party, TransferType
from cti_bridge.domain.case import CaseKind, ComplaintStep
from cti_bridge.domain.gap import GapCause
from cti_bridge.domain.interaction import Channel
from cti_bridge.domain.merge import DuplicateReason
from cti_bridge.domain.profile import AlertKind, ChainPlace, CustomerKind, Stage
from cti_bridge.domain.recorded_call import FindingKind, RecordSource
from cti_bridge.domain.webhook import DeliveryState, WebhookEvent
from screen_pop.api.relation_shapes import RelationShape, SatisfactionShape
from screen_pop.pop import Recognition
from screen_pop.ports import Role


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserShape(_Answer):
    username: str
    name: str
    role: Role
    extension: str | None
    language: str | None


class UserAnswer(_Answer):
    user: UserShape


class SessionAnswer(UserAnswer):
    token: str


class ContactPointShape(_Answer):
    kind: ContactKind
    value: str
    as_given: str
    label: str | None
    extension: str | None


class KeyDateShape(_Answer):
    name: str
    on: date


class AlertShape(_Answer):
    kind: AlertKind
    text: str | None
    until: date | None


class ProfileShape(_Answer):
    kind: CustomerKind | None
    chain_place: ChainPlace | None
    stage: Stage | None
    revenue: float | None
    profit: float | None
    days_to_pay: float | None
    last_order_on: date | None
    preferred_agent: str | None
    preferences: str | None
    taboos: str | None
    dates: list[KeyDateShape]
    alerts: list[AlertShape]
    custom: dict[str, str | float | bool]


class TierChangeAnswer(_Answer):
    at: datetime
    before: Tier | None
    after: Tier | None
    reason: str
    by: str | None


class AccountAnswer(_Answer):
    account_id: str
    name: str
    company: str | None
    tier: Tier | None
    language: str | None
    note: str | None
    contact_points: list[ContactPointShape]
    created_at: datetime
    updated_at: datetime
    profile: ProfileShape
    tier_reason: str | None
    relation: RelationShape
    merged_into: str | None
    provisional: bool


class DuplicateAnswer(_Answer):
    account: AccountAnswer
    reasons: list[DuplicateReason]
    score: int


class MergeAnswer(_Answer):
    merge_id: str
    account_id: str
    from_account: str = Field(alias="from")
    by: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None


class ErasedAnswer(_Answer):
    account_id: str
    accounts: int
    interactions: int
    cases: int
    journal: int


class AuditEntryAnswer(_Answer):
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: dict[str, str | int | None]
    prev_hash: str
    hash: str


class CaseAnswer(_Answer):
    case_id: str
    account_id: str
    kind: CaseKind
    subject: str
    owner: str | None
    due_at: datetime | None
    opened_at: datetime
    opened_by: str
    interaction_id: str | None
    problem: str | None
    solution: str | None
    step: ComplaintStep | None
    escalated_at: datetime | None
    reopened_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    closed_by_call: str | None


class CommitmentsShape(_Answer):
    """A customer's open cases, the most urgent first; `more` are open beside them."""

    items: list[CaseAnswer]
    more: int


class TransferShape(_Answer):
    type: TransferType
    from_agent: str = Field(alias="from")
    to: str


class CallAnswer(_Answer):
    call_id: str
    pbx: str
    direction: Direction
    customer_number: str | None
    presented_number: str | None
    customer_name: str | None
    did: str | None
    queue: str | None
    queues: list[str]
    offered_to: list[str]
    rang_no_answer: list[str]
    answered_by: list[str]
    outcome: Outcome
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    wait_s: float
    talk_s: float
    hold_s: float
    transfers: list[TransferShape]
    hung_up_by: Party | None
    held: bool
    parked: bool
    recorded: bool
    conference: bool
    estimated: bool
    state: CallState
    ringing: list[str]
    talking: list[str]
    untrusted_caller: bool


class InteractionAnswer(_Answer):
    interaction_id: str
    account_id: str | None
    channel: Channel
    direction: Direction
    started_at: datetime
    ended_at: datetime | None
    agent: str | None
    queue: str | None
    outcome: str | None
    subject: str | None
    disposition: str | None
    note: str | None
    satisfaction: SatisfactionShape | None
    call_id: str | None
    call: CallAnswer | None


class MatchDetailShape(_Answer):
    label: str | None
    extension: str | None
    range: str | None
    shared_by: int
    last_contact_at: datetime | None
    last_order_on: date | None
    entered: str | None
    chosen_by: str | None
    chosen_at: datetime | None


class CandidateShape(_Answer):
    account: AccountAnswer
    reason: MatchReason
    detail: MatchDetailShape


class ChosenShape(_Answer):
    by: str
    at: datetime
    learnt: bool


class IdentityAnswer(_Answer):
    """Who the caller of a call is taken to be."""

    call_id: str
    account: AccountAnswer | None
    candidates: list[CandidateShape]
    history: list[InteractionAnswer]
    commitments: CommitmentsShape | None
    lookup: Recognition
    chosen: ChosenShape | None


class AgentAnswer(_Answer):
    agent: str
    name: str
    status: AgentStatus
    pause_reason: str | None
    activity: AgentActivity
    phone: PhoneState
    since: datetime
    queues: list[str]
    call_id: str | None


class FiguresAnswer(_Answer):
    queue: str
    since: datetime
    waiting: int
    longest_waiting_since: datetime | None
    offered: int
    answered: int
    abandoned: int
    short_abandons: int
    overflowed: int
    service_level: float | None
    service_level_seconds: int
    average_speed_of_answer_s: float | None
    agents: dict[str, int]
    provisional: bool


class LinkAnswer(_Answer):
    name: str
    state: str
    since: datetime
    detail: str
    version: str | None
    counters: dict[str, int]


class GapAnswer(_Answer):
    gap_id: str
    pbx: str
    cause: GapCause
    since: datetime
    until: datetime | None
    rebuilt: int
    ended_unseen: int
    appeared: int
    added: int
    corrected: int
    queues: list[str]
    settled_at: datetime | None
    is_audited: bool


class DeliveryAnswer(_Answer):
    delivery_id: str
    webhook: str
    event: WebhookEvent
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime | None
    tries: int
    delivered_at: datetime | None
    dead_at: datetime | None
    last_error: str | None


class FindingShape(_Answer):
    kind: FindingKind
    call_id: str
    field: str | None
    stored: str | None
    recorded: str | None
    repaired: bool


class RecordProblemShape(_Answer):
    where: str
    what: str
    hint: str


class AuditAnswer(_Answer):
    pbx: str
    reason: AuditReason
    at: datetime
    since: datetime
    until: datetime
    sources: list[RecordSource]
    newest: datetime | None
    calls: int
    stored: int
    going_on: int
    counts: dict[FindingKind, int]
    added: int
    corrected: int
    merged: int
    removed: int
    left: int
    clock_ahead_seconds: float
    findings: list[FindingShape]
    problems: list[RecordProblemShape]
    problem_count: int
    error: str | None


class RoutingAnswer(_Answer):
    file: str
    version: str | None
    text: str
    problems: list[dict[str, Any]]
    loaded_at: datetime | None


class RequestAnswer(_Answer):
    request_id: str


class MistakeShape(_Answer):
    at: str
    message: str


class ProblemAnswer(_Answer):
    """RFC 9457; `type` is `urn:cti-bridge:problem:<kind>` and stable."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[MistakeShape]


class HealthAnswer(_Answer):
    status: str


class CheckShape(_Answer):
    name: str
    ok: bool
    required: bool
    detail: str


class ReadyAnswer(_Answer):
    status: str
    checks: list[CheckShape]
