"""The shapes of the answers, for the OpenAPI document; cti_bridge/domain writes them, a test holds both together."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from cti_bridge.domain.account import ContactKind, MatchReason, Tier
from cti_bridge.domain.call import CallState, Direction, Outcome, Party, TransferType
from cti_bridge.domain.case import CaseKind, ComplaintStep
from cti_bridge.domain.interaction import Channel
from cti_bridge.domain.merge import DuplicateReason
from cti_bridge.domain.profile import AlertKind, ChainPlace, CustomerKind, Stage
from screen_pop.api.relation_shapes import RelationShape, SatisfactionShape
from screen_pop.pop import Recognition
from screen_pop.ports import Role


class AnswerShape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserShape(AnswerShape):
    username: str
    name: str
    role: Role
    extension: str | None
    language: str | None


class UserAnswer(AnswerShape):
    user: UserShape


class SessionAnswer(UserAnswer):
    token: str


class ContactPointShape(AnswerShape):
    kind: ContactKind
    value: str
    as_given: str
    label: str | None
    extension: str | None


class KeyDateShape(AnswerShape):
    name: str
    on: date


class AlertShape(AnswerShape):
    kind: AlertKind
    text: str | None
    until: date | None


class ProfileShape(AnswerShape):
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


class TierChangeAnswer(AnswerShape):
    at: datetime
    before: Tier | None
    after: Tier | None
    reason: str
    by: str | None


class AccountAnswer(AnswerShape):
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


class DuplicateAnswer(AnswerShape):
    account: AccountAnswer
    reasons: list[DuplicateReason]
    score: int


class MergeAnswer(AnswerShape):
    merge_id: str
    account_id: str
    from_account: str = Field(alias="from")
    by: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None


class ErasedAnswer(AnswerShape):
    account_id: str
    accounts: int
    interactions: int
    cases: int
    journal: int


class AuditEntryAnswer(AnswerShape):
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: dict[str, str | int | None]
    prev_hash: str
    hash: str


class CaseAnswer(AnswerShape):
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


class CommitmentsShape(AnswerShape):
    """A customer's open cases, the most urgent first; `more` are open beside them."""

    items: list[CaseAnswer]
    more: int


class TransferShape(AnswerShape):
    type: TransferType
    from_agent: str = Field(alias="from")
    to: str


class CallAnswer(AnswerShape):
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


class InteractionAnswer(AnswerShape):
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


class MatchDetailShape(AnswerShape):
    label: str | None
    extension: str | None
    range: str | None
    shared_by: int
    last_contact_at: datetime | None
    last_order_on: date | None
    entered: str | None
    chosen_by: str | None
    chosen_at: datetime | None


class CandidateShape(AnswerShape):
    account: AccountAnswer
    reason: MatchReason
    detail: MatchDetailShape


class ChosenShape(AnswerShape):
    by: str
    at: datetime
    learnt: bool


class IdentityAnswer(AnswerShape):
    """Who the caller of a call is taken to be."""

    call_id: str
    account: AccountAnswer | None
    candidates: list[CandidateShape]
    history: list[InteractionAnswer]
    commitments: CommitmentsShape | None
    lookup: Recognition
    chosen: ChosenShape | None


class RequestAnswer(AnswerShape):
    request_id: str


class MistakeShape(AnswerShape):
    at: str
    message: str


class ProblemAnswer(AnswerShape):
    """RFC 9457; `type` is `urn:cti-bridge:problem:<kind>` and stable."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[MistakeShape]
