"""What the routes about the centre and the service answer: agents, queues, links, gaps, audits, deliveries, health."""

from datetime import datetime
from typing import Any

from cti_bridge.domain.agent import AgentActivity, AgentStatus, PhoneState
from cti_bridge.domain.audit import AuditReason
from cti_bridge.domain.gap import GapCause
from cti_bridge.domain.recorded_call import FindingKind, RecordSource
from cti_bridge.domain.webhook import DeliveryState, WebhookEvent
from screen_pop.api.answers import AnswerShape


class AgentAnswer(AnswerShape):
    agent: str
    name: str
    status: AgentStatus
    pause_reason: str | None
    activity: AgentActivity
    phone: PhoneState
    since: datetime
    queues: list[str]
    call_id: str | None


class FiguresAnswer(AnswerShape):
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


class LinkAnswer(AnswerShape):
    name: str
    state: str
    since: datetime
    detail: str
    version: str | None
    counters: dict[str, int]


class GapAnswer(AnswerShape):
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


class DeliveryAnswer(AnswerShape):
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


class FindingShape(AnswerShape):
    kind: FindingKind
    call_id: str
    field: str | None
    stored: str | None
    recorded: str | None
    repaired: bool


class RecordProblemShape(AnswerShape):
    where: str
    what: str
    hint: str


class AuditAnswer(AnswerShape):
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


class RoutingAnswer(AnswerShape):
    file: str
    version: str | None
    text: str
    problems: list[dict[str, Any]]
    loaded_at: datetime | None


class HealthAnswer(AnswerShape):
    status: str


class CheckShape(AnswerShape):
    name: str
    ok: bool
    required: bool
    detail: str


class ReadyAnswer(AnswerShape):
    status: str
    checks: list[CheckShape]
