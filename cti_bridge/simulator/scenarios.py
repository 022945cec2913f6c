"""What people do in the demo, drawn from a random source: how long a caller waits, how soon an agent answers, who holds, who
transfers. Pure: a plan is drawn at once and carried out by `callers`.

Arrivals are a Poisson process, patience is exponential, talk times are lognormal: the usual assumptions of call-centre
staffing (Erlang A).
"""

import math
from dataclasses import dataclass
from random import Random

from cti_bridge.simulator.world import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The parameters; seconds and shares from 0 to 1."""

    mean_patience: float = 90.0
    median_talk: float = 55.0
    talk_spread: float = 0.6
    longest_talk: float = 420.0
    person_rings: float = 12.0
    ring_no_answer: float = 0.07
    decline: float = 0.02
    hold: float = 0.15
    blind_transfer: float = 0.07
    attended_transfer: float = 0.05
    agent_hangs_up: float = 0.35
    outside_answers: float = 0.8
    outside_busy: float = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPlan:
    """Hangs up after `patience` seconds unanswered, or after `talk` seconds of conversation."""

    patience: float
    talk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPlan:
    """`answer_after` None lets it ring. Then at most one of: hold for a while, transfer; or hang up before the caller does.

    Seconds; `hold_at`, `transfer_at` and `hang_up_at` count from the answer.
    """

    answer_after: float | None
    decline: bool = False
    hold_at: float | None = None
    hold_for: float = 0.0
    transfer_at: float | None = None
    attended: bool = False
    hang_up_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsidePlan:
    """A customer whom an agent calls: answers after `answer_after`, is `busy`, or (neither) does not answer."""

    answer_after: float | None
    busy: bool
    talk: float


def plan_caller(random: Random, habits: Habits) -> CallerPlan:
    return CallerPlan(patience=max(3.0, random.expovariate(1 / habits.mean_patience)), talk=_talk(random, habits))


def plan_outside(random: Random, habits: Habits) -> OutsidePlan:
    draw = random.random()
    answers = draw < habits.outside_answers
    busy = not answers and draw < habits.outside_answers + habits.outside_busy
    return OutsidePlan(answer_after=random.uniform(2.0, 7.0) if answers else None, busy=busy, talk=_talk(random, habits))


def plan_agent(random: Random, agent: Agent, habits: Habits, *, own_call: bool) -> AgentPlan:
    """How this agent takes this ring. `own_call`: click-to-call rings the agent's own phone, which is lifted at once.

    An agent who is not `auto` is left in peace otherwise: holding, transferring and hanging up are the person's.
    """
    if own_call:
        return AgentPlan(answer_after=1.0)
    if not agent.auto:
        return AgentPlan(answer_after=habits.person_rings)
    draw = random.random()
    if draw < habits.ring_no_answer:
        return AgentPlan(answer_after=None)
    answer_after = random.uniform(1.0, 5.0)
    if draw < habits.ring_no_answer + habits.decline:
        return AgentPlan(answer_after=answer_after, decline=True)
    return _plan_conversation(random, habits, answer_after)


def _plan_conversation(random: Random, habits: Habits, answer_after: float) -> AgentPlan:
    draw = random.random()
    at = random.uniform(8.0, 25.0)
    if draw < habits.hold:
        return AgentPlan(answer_after=answer_after, hold_at=at, hold_for=random.uniform(5.0, 20.0))
    draw -= habits.hold
    if draw < habits.blind_transfer:
        return AgentPlan(answer_after=answer_after, transfer_at=at)
    draw -= habits.blind_transfer
    if draw < habits.attended_transfer:
        return AgentPlan(answer_after=answer_after, transfer_at=at, attended=True)
    if random.random() < habits.agent_hangs_up:
        return AgentPlan(answer_after=answer_after, hang_up_at=_talk(random, habits))
    return AgentPlan(answer_after=answer_after)


def _talk(random: Random, habits: Habits) -> float:
    talk = random.lognormvariate(math.log(habits.median_talk), habits.talk_spread)
    return min(habits.longest_talk, max(8.0, talk))
