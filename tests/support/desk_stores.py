"""Stand-ins for what is done to accounts: merges and customers' files; they note what they were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import uuid_utils

from cti_bridge.domain.account import Account, AccountId, NotFound, Tier
from cti_bridge.domain.audit_log import AuditAction, AuditEntry
from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.case import Case, CaseFilter, CaseId, CaseKind, CaseRefused, Commitments, ComplaintStep
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.interaction import Interaction, InteractionId
from cti_bridge.domain.listing import Page
from cti_bridge.domain.merge import Duplicate, Merge, MergeId, MergeRefused
from cti_bridge.domain.person import Erased, PersonRefused
from cti_bridge.domain.satisfaction import Satisfaction, ScoreRefused
from cti_bridge.domain.tiers import TierChange
from cti_bridge.domain.webhook import Delivery, DeliveryId, DeliveryState
from screen_pop.pop import Chosen, Identified, identify
from screen_pop.ports import CommandRefused
from tests.support.stores import FakeAccounts, FakeInteractions, an_account


@dataclass
class FakeProfiles:
    accounts: FakeAccounts
    told: list[tuple[Any, ...]] = field(default_factory=list)
    history: list[TierChange] = field(default_factory=list)

    async def change(self, account_id: AccountId, changes: Mapping[str, Any], *, now: datetime) -> Account | None:
        if "custom" in changes:
            raise ValueError("custom.x is no field of this site")
        self.told.append(("change", account_id, dict(changes)))
        return self.accounts.kept.get(account_id)

    async def set_tier(self, account_id: AccountId, tier: Tier | None, *, by: str, now: datetime) -> bool:
        self.told.append(("set_tier", account_id, tier, by))
        self.accounts.kept[account_id] = replace(self.accounts.kept[account_id], tier=tier)
        return True

    async def tiers(self, account_id: AccountId) -> Sequence[TierChange]:
        return self.history


@dataclass
class FakeMerges:
    """Refuses everything while `refusal` is set."""

    done: list[Merge] = field(default_factory=list)
    proposals: list[Duplicate] = field(default_factory=list)
    refusal: MergeRefused | None = None

    async def merge(self, kept: AccountId, merged: AccountId, *, by: str, now: datetime) -> Merge:
        if self.refusal:
            raise self.refusal
        self.done.append(Merge(merge_id=MergeId(str(uuid_utils.uuid7())), kept=kept, merged=merged, by=by, at=now))
        return self.done[-1]

    async def undo(self, merge_id: MergeId, *, by: str, now: datetime) -> Merge:
        if self.refusal:
            raise self.refusal
        return replace(next(one for one in self.done if one.merge_id == merge_id), undone_by=by, undone_at=now)

    async def of(self, account_id: AccountId) -> Sequence[Merge]:
        return [one for one in self.done if account_id in {one.kept, one.merged}]

    async def duplicates(self, account_id: AccountId) -> Sequence[Duplicate]:
        return self.proposals


@dataclass
class FakePersons:
    accounts: FakeAccounts
    erased: list[tuple[AccountId, str]] = field(default_factory=list)
    refusal: PersonRefused | None = None

    async def erase(self, account_id: AccountId, *, by: str, now: datetime) -> Erased:
        if self.refusal:
            raise self.refusal
        del self.accounts.kept[account_id]
        self.erased.append((account_id, by))
        return Erased(account_id=account_id, accounts=1, interactions=2, cases=0)


@dataclass
class FakeAuditLog:
    """Takes nothing while `is_away`."""

    entries: list[AuditEntry] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    is_away: bool = False

    async def append(
        self, action: AuditAction, *, actor: str, detail: Mapping[str, Any], now: datetime, subject: str | None = None
    ) -> None:
        if self.is_away:
            raise StorageError("away")
        self.told.append((action.value, actor, subject, dict(detail)))

    async def list(self, *, cursor: str | None, limit: int) -> Page[AuditEntry]:
        if cursor is not None:
            raise ValueError("not ours")
        return Page(items=tuple(self.entries[:limit]), next=None)


@dataclass
class FakeCases:
    """Refuses everything while `refusal` is set."""

    kept: dict[CaseId, Case] = field(default_factory=dict)
    asked: list[CaseFilter] = field(default_factory=list)
    refusal: CaseRefused | None = None

    async def open(self, account_id: AccountId, *, kind: CaseKind, subject: str, by: str, now: datetime, **more: Any) -> Case:
        if self.refusal:
            raise self.refusal
        case = Case(
            case_id=CaseId(str(uuid_utils.uuid7())),
            account_id=account_id,
            kind=kind,
            subject=subject,
            opened_at=now,
            opened_by=by,
            solution=None,
            step=ComplaintStep.RECORDED if kind is CaseKind.COMPLAINT else None,
            escalated_at=None,
            reopened_at=None,
            closed_at=None,
            closed_by=None,
            **more,
        )
        self.kept[case.case_id] = case
        return case

    async def change(
        self, case_id: CaseId, changes: Mapping[str, Any], *, by: str, now: datetime, call_id: CallId | None = None
    ) -> Case:
        if self.refusal:
            raise self.refusal
        values = dict(changes)
        if values.pop("is_open", None) is False:
            values |= {"closed_at": now, "closed_by": by, "closed_by_call": call_id}
        self.kept[case_id] = replace(self.kept[case_id], **values)
        return self.kept[case_id]

    async def by_id(self, case_id: CaseId) -> Case | None:
        return self.kept.get(case_id)

    async def list(self, wanted: CaseFilter, *, now: datetime, cursor: str | None, limit: int) -> Page[Case]:
        if cursor is not None:
            raise ValueError("not ours")
        self.asked.append(wanted)
        return Page(items=tuple(self.kept.values()), next=None)

    async def open_of(self, account_id: AccountId, *, at_most: int = 5) -> Commitments:
        found = [case for case in self.kept.values() if case.account_id == account_id and case.closed_at is None]
        return Commitments(cases=tuple(found[:at_most]), more=len(found[at_most:]))


@dataclass
class FakeScores:
    """Refuses everything while `refusal` is set."""

    interactions: FakeInteractions
    refusal: ScoreRefused | None = None

    async def set(
        self, interaction_id: InteractionId, given: Satisfaction | None, *, by: str, by_agent: bool, now: datetime
    ) -> Interaction | None:
        if self.refusal:
            raise self.refusal
        return self.interactions.put(replace(self.interactions.kept[interaction_id], satisfaction=given))


@dataclass
class FakeRelations:
    """`refreshed`: the accounts that were to be judged anew, in order."""

    accounts: FakeAccounts
    refreshed: list[AccountId | None] = field(default_factory=list)

    async def refresh(self, ids: Sequence[AccountId | None], *, now: datetime) -> None:
        self.refreshed += ids

    async def at_risk(self, *, cursor: str | None, limit: int) -> Page[Account]:
        if cursor is not None:
            raise ValueError("not ours")
        return Page(items=tuple(one for one in self.accounts.kept.values() if one.relation.signs)[:limit], next=None)


@dataclass
class FakeDeliveries:
    kept: dict[DeliveryId, Delivery] = field(default_factory=dict)

    async def list(self, state: DeliveryState | None, *, cursor: str | None, limit: int) -> Page[Delivery]:
        if cursor is not None:
            raise ValueError("not ours")
        return Page(items=tuple(one for one in self.kept.values() if state in {None, one.state}), next=None)

    async def resend(self, delivery_id: DeliveryId, *, now: datetime) -> Delivery | None:
        if delivery_id in self.kept:
            self.kept[delivery_id] = replace(self.kept[delivery_id], next_try_at=now, tries=0, delivered_at=None, dead_at=None)
        return self.kept.get(delivery_id)


@dataclass
class FakeCallers:
    """Knows no candidates: shows what was chosen. Notes what it was told; refuses everything while `refusal` is set."""

    accounts: FakeAccounts
    told: list[tuple[Any, ...]] = field(default_factory=list)
    refusal: CommandRefused | None = None

    async def choose(self, call_id: CallId, agent: Extension, account_id: AccountId | None, *, now: datetime) -> Identified:
        self._note("choose", call_id, agent, account_id)
        return self._chosen(account_id, agent, now)

    async def chosen(self, call_id: CallId, account_id: AccountId | None, *, by: str, now: datetime) -> Identified:
        self._note("chosen", call_id, account_id, by)
        return self._chosen(account_id, by, now)

    async def undo(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        self._note("undo", call_id, agent)
        return identify(NotFound(), None)

    async def add_provisional(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        self._note("add_provisional", call_id, agent)
        account = an_account("+442079460018", provisional=True)
        self.accounts.kept[account.account_id] = account
        return self._chosen(account.account_id, agent, now)

    async def add_external(self, call_id: CallId, agent: Extension, *, source: str, now: datetime) -> Identified:
        self._note("add_external", call_id, agent, source)
        account = an_account(f"Customer of {source}")
        self.accounts.kept[account.account_id] = account
        return self._chosen(account.account_id, agent, now)

    def _chosen(self, account_id: AccountId | None, by: str, now: datetime) -> Identified:
        account = self.accounts.kept[account_id] if account_id else None
        return identify(NotFound(), Chosen(account=account, history=(), by=by, at=now, learnt=account is not None))

    def _note(self, *what: Any) -> None:
        if self.refusal:
            raise self.refusal
        self.told.append(what)
