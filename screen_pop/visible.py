"""What each person may see, decided in one place for the REST API, the snapshot and the live feed.

In: a user and the live state; out: the part of it that is this user's to see. An agent sees the own calls, queues and state;
a supervisor all of them; an admin the queues, the PBX links and the routing file. Where the settings say so for a role, numbers
and addresses of customers are masked in what its people are shown, but an agent sees those of the own calls and of the customer
on the phone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cti_bridge.domain.account import Account, account_document
from cti_bridge.domain.agent import AgentState, agent_document
from cti_bridge.domain.audit import AuditResult, audit_document
from cti_bridge.domain.call import Call, CallId, Extension, call_document, iso_utc
from cti_bridge.domain.figures import QueueFigures, figures_document
from cti_bridge.domain.gap import gap_document
from cti_bridge.domain.interaction import Interaction, interaction_document
from cti_bridge.domain.merge import Duplicate, duplicate_document
from screen_pop.masking import EXTERNAL, masked_account, masked_call, masked_interaction
from screen_pop.pop import ScreenPop, pop_document
from screen_pop.ports import GapSeen, LiveState, PbxLink, Role, RoutingStatus, User

MASKED_FROM_NOBODY = frozenset[Role]()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one person is shown calls, contacts and customers; `pops` are those that stand at the person."""

    user: User
    masked_roles: frozenset[Role]
    pops: Callable[[], Iterable[ScreenPop]]

    @property
    def revealed(self) -> "View":
        """The same with nothing masked, for once: who asks has said why, and that is written down."""
        return replace(self, masked_roles=MASKED_FROM_NOBODY)

    @property
    def is_masked(self) -> bool:
        return self.user.role in self.masked_roles

    def call(self, call: Call) -> dict[str, Any]:
        document = call_document(call)
        return masked_call(document) if self.is_masked and self.user.extension not in agents_of(call) else document

    def interaction(self, interaction: Interaction) -> dict[str, Any]:
        document = interaction_document(interaction)
        return masked_interaction(document) if self.is_masked and not self._had(interaction) else document

    def stored_call(self, interaction: Interaction) -> dict[str, Any]:
        """The call of an interaction that has one."""
        document: dict[str, Any] = self.interaction(interaction)["call"]
        return document

    def account(self, account: Account) -> dict[str, Any]:
        document = account_document(account)
        return masked_account(document) if self.is_masked and not self._has_now(account) else document

    def duplicate(self, duplicate: Duplicate) -> dict[str, Any]:
        return {**duplicate_document(duplicate), "account": self.account(duplicate.account)}

    def _had(self, interaction: Interaction) -> bool:
        return self.user.extension in talked_in(interaction)

    def _has_now(self, account: Account) -> bool:
        """The customer rings at the agent, or the agent has the customer: so a card shows."""
        return any(
            account.account_id
            in {pop.account.account_id if pop.account else None, *(one.account.account_id for one in pop.candidates)}
            for pop in self.pops()
        )


def agents_of(call: Call) -> frozenset[str]:
    """The agents whom the call concerns: those it rings at, those who have it or had it. Not those who missed it."""
    return agents_in(call) | frozenset(call.answered_by)


def agents_in(call: Call) -> frozenset[str]:
    """The agents who are in the call now and may steer it."""
    talking = (party for party in call.talking if not party.startswith(EXTERNAL))
    return frozenset((*call.ringing, *talking, *(agent for agent, _ in call.agent_channels)))


def talked_in(interaction: Interaction) -> frozenset[str]:
    """The agents who had this contact, and so may label it."""
    answered_by = interaction.call.get("answered_by", ()) if interaction.call else ()
    return frozenset((*answered_by, *((interaction.agent,) if interaction.agent else ())))


def visible_calls(user: User, live: LiveState) -> Sequence[Call]:
    """An agent's own calls; every call for a supervisor; none for an admin."""
    match user.role:
        case Role.AGENT:
            return [call for call in live.calls() if user.extension in agents_of(call)]
        case Role.SUPERVISOR:
            return live.calls()
        case Role.ADMIN:
            return ()


def visible_queues(user: User, live: LiveState) -> Sequence[QueueFigures]:
    """The figures of the queues that an agent sits in; all of them for the others."""
    if user.role is not Role.AGENT:
        return live.queues()
    own = queues_of(user.extension, live.agents())
    return [figures for figures in live.queues() if figures.queue in own]


def queues_of(agent: Extension | None, agents: Iterable[AgentState]) -> frozenset[str]:
    """The queues that this agent sits in."""
    return frozenset(queue for state in agents if state.agent == agent for queue in state.queues)


def live_call(live: LiveState, call_id: CallId) -> Call | None:
    """The call if it is going on."""
    return next((call for call in live.calls() if call.call_id == call_id), None)


def snapshot_of(view: View, live: LiveState) -> dict[str, Any]:
    """Everything this user's page needs to begin with, by role as docs/protocol.md lists it."""
    user = view.user
    queues = [figures_document(figures) for figures in visible_queues(user, live)]
    links = [link_document(link) for link in live.links()]
    calls = [view.call(call) for call in visible_calls(user, live)]
    agents = live.agents()
    match user.role:
        case Role.AGENT:
            own = next((agent_document(state) for state in agents if state.agent == user.extension), None)
            pops_shown = [pop_document(pop) for pop in view.pops()]
            return {"calls": calls, "pops": pops_shown, "agent": own, "queues": queues, "links": links}
        case Role.SUPERVISOR:
            shown_agents = [agent_document(state) for state in agents]
            return {"calls": calls, "agents": shown_agents, "queues": queues, "links": links, **_completeness(live)}
        case Role.ADMIN:
            routing = routing_document(live.routing())
            return {"queues": queues, "links": links, **_completeness(live), "routing": routing}


def user_document(user: User) -> dict[str, Any]:
    """The signed-in person as the REST API and the websocket show it."""
    return {
        "username": user.username,
        "name": user.name,
        "role": user.role.value,
        "extension": user.extension,
        "language": user.language,
    }


def seen_gap_document(seen: GapSeen) -> dict[str, Any]:
    """The gap as the REST API and the websocket show it, with whether an audit can settle it."""
    return gap_document(seen.gap) | {"is_audited": seen.is_audited}


def audit_summary(result: AuditResult) -> dict[str, Any]:
    """The audit's result without the single findings: what a line on a board says."""
    document = audit_document(replace(result, findings=(), problems=()))
    return {key: value for key, value in document.items() if key not in {"findings", "problems"}}


def _completeness(live: LiveState) -> dict[str, Any]:
    return {
        "gaps": [seen_gap_document(seen) for seen in live.gaps()],
        "audits": [audit_summary(result) for result in live.audits()],
    }


def link_document(link: PbxLink) -> dict[str, Any]:
    """A PBX link as the REST API and the websocket show it."""
    return {
        "name": link.name,
        "state": link.state,
        "since": iso_utc(link.since),
        "detail": link.detail,
        "version": link.version,
        "counters": dict(link.counters),
    }


def routing_document(routing: RoutingStatus) -> dict[str, Any]:
    """The rules file as the REST API and the websocket show it."""
    return {
        "file": routing.file,
        "version": routing.version,
        "text": routing.text,
        "problems": [dict(problem) for problem in routing.problems],
        "loaded_at": iso_utc(routing.loaded_at),
    }
