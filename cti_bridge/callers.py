"""Who is calling, as agents say it: chosen among the candidates, taken back, or an account made of an unknown caller.

In: an agent's word about a call. Out: the account on the call's interaction, the choice learnt for the number, and every pop
of the call that stands shown anew. What is chosen in a call is kept while it lasts, so that it is known where the call goes
next. Nothing is learnt for a number that is withheld, malformed or forged, and no account is made unless an agent asks.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from cti_bridge.commands import WrapUpDesk
from cti_bridge.domain.account import HISTORY_SHOWN, Account, AccountId, ContactKind, Found, LookupResult, TimedOut, Withheld
from cti_bridge.domain.call import CallId, Direction, Extension, call_document
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.external import ExternalRecord
from cti_bridge.external.source import ExternalSource
from cti_bridge.live.board import Board
from cti_bridge.lookup import Lookup
from screen_pop.hub import Hub
from screen_pop.pop import Chosen, Identified, identified_anew, identify
from screen_pop.ports import CommandRefused
from storage.accounts import Accounts
from storage.cases import Cases
from storage.identity import Choices
from storage.interactions import Interactions

CHOICES_REMEMBERED = 10_000
"""Calls whose choice is kept in memory; far more than are up at once."""
LONGEST_NAME = 120


class CallerDesk:
    """Implements `screen_pop.ports.Callers`; `chosen_for` tells the call tasks."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        interactions: Interactions,
        cases: Cases,
        choices: Choices,
        lookup: Lookup,
        wrap_ups: WrapUpDesk,
        board: Board,
        hub: Hub,
        entered_for: Callable[[str, str], str | None],
        external: Sequence[ExternalSource] = (),
    ) -> None:
        self._accounts = accounts
        self._interactions = interactions
        self._cases = cases
        self._choices = choices
        self._lookup = lookup
        self._wrap_ups = wrap_ups
        self._board = board
        self._hub = hub
        self._external = {source.name: source for source in external}
        self._entered_for = entered_for
        self._chosen: OrderedDict[CallId, Chosen] = OrderedDict()
        self._making = asyncio.Lock()
        """One provisional account at a time, so that two agents who ask at once get the same one."""

    def chosen_for(self, call_id: CallId) -> Chosen | None:
        """What was chosen in this call since the service started."""
        return self._chosen.get(call_id)

    async def choose(self, call_id: CallId, agent: Extension, account_id: AccountId | None, *, now: datetime) -> Identified:
        """The agent says who it is; None: none of those proposed. Raises CommandRefused, StorageError (safe to repeat)."""
        await self._wrap_ups.save(call_id, agent, {"account_id": account_id})
        return await self.chosen(call_id, account_id, by=agent, now=now)

    async def chosen(self, call_id: CallId, account_id: AccountId | None, *, by: str, now: datetime) -> Identified:
        """As `choose`, where the interaction has the account already. Raises StorageError (safe to repeat)."""
        call = await self._call(call_id)
        number = self._number_of(call)
        learnt = False
        if account_id is None or number is None:
            await self._choices.forget(call_id)
        else:
            learnt = await self._choices.learn(number, account_id, call_id=call_id, chosen_by=by, now=now)
        account = await self._accounts.by_id(account_id) if account_id is not None else None
        newest = await self._interactions.timeline(account_id, cursor=None, limit=HISTORY_SHOWN) if account_id else None
        chosen = Chosen(
            account=account,
            history=newest.items if newest else (),
            commitments=await self._cases.open_of(account_id) if account_id else None,
            by=by,
            at=now,
            learnt=learnt,
        )
        self._chosen[call_id] = chosen
        if len(self._chosen) > CHOICES_REMEMBERED:
            self._chosen.popitem(last=False)
        return await self._show(call_id, await self._found(call), chosen, now)

    async def undo(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        """Unlearns what was chosen in this call and puts it where the number alone does. Raises as `choose`."""
        await self._wrap_ups.save(call_id, agent, {"account_id": None})
        await self._choices.forget(call_id)
        self._chosen.pop(call_id, None)
        found = await self._found(await self._call(call_id))
        if isinstance(found, TimedOut):
            raise StorageError("the store did not say in time who has this number")
        if isinstance(found, Found) and found.clear:
            await self._wrap_ups.save(call_id, agent, {"account_id": found.clear.account.account_id})
        return await self._show(call_id, found, None, now)

    async def add_provisional(self, call_id: CallId, agent: Extension, *, now: datetime) -> Identified:
        """Makes an account of the number, or takes the one that was made of it before. Raises CommandRefused `no-number`."""
        call = await self._call(call_id)
        number = self._number_of(call)
        if number is None:
            raise CommandRefused("no-number", "this caller shows no number: make an account with a name")
        async with self._making:
            there = [one.account for one in await self._accounts.by_phone(number) if one.account.provisional]
            account = there[0] if there else await self._accounts.create(
                name=_printable(call.get("customer_name") or "") or number,
                company=None,
                tier=None,
                language=None,
                note=None,
                contact_points=[(ContactKind.PHONE, number, None)],
                now=now,
                provisional=True,
            )  # fmt: skip
        return await self.choose(call_id, agent, account.account_id, now=now)

    async def add_external(self, call_id: CallId, agent: Extension, *, source: str, now: datetime) -> Identified:
        """Takes over the one customer whom `source` knows by this number, and chooses that account.

        The account that has their id as customer number gets the phone number; a provisional one of this number gets the name;
        where there is neither, a new one is made. Raises CommandRefused `no-number`, `not-one-there`.
        """
        number = self._number_of(await self._call(call_id))
        if number is None:
            raise CommandRefused("no-number", "this caller shows no number: make an account with a name")
        there = self._external.get(source)
        record = (await there.by_number(number)).only if there is not None else None
        if record is None:
            raise CommandRefused("not-one-there", "that system does not tell exactly one customer with this number")
        async with self._making:
            account = await self._taken_over(record, number, source, now)
        return await self.choose(call_id, agent, account.account_id, now=now)

    async def _taken_over(self, record: ExternalRecord, number: str, source: str, now: datetime) -> Account:
        phone = (ContactKind.PHONE, number, None)
        theirs = [(ContactKind.CUSTOMER_NUMBER, record.external_id, source)] if record.external_id else []
        fields: dict[str, Any] = {"name": record.name or record.company or number, "company": record.company}
        fields |= {"tier": record.tier, "language": record.language}
        known = await self._known_as(record.external_id, source) if record.external_id else []
        unnamed = [one.account for one in await self._accounts.by_phone(number) if one.account.provisional]
        account = None
        if len(known) == 1:
            account = await self._changed(known[0], {}, phone, now=now)
        elif unnamed:
            account = await self._changed(unnamed[0], fields, *theirs, now=now)
        return account or await self._accounts.create(
            **fields, note=None, contact_points=[phone, *theirs], now=now, provisional=record.name is None
        )

    async def _known_as(self, external_id: str, source: str) -> list[Account]:
        """Who has this id as customer number: not as that of another system, which may give the same one to somebody else."""
        value = self._accounts.read_contact_point(ContactKind.CUSTOMER_NUMBER, external_id, None).value
        others = self._external.keys() - {source}
        return [
            found.account
            for found in await self._accounts.of_caller(None, value)
            if any(
                point.kind is ContactKind.CUSTOMER_NUMBER and point.value == value and point.label not in others
                for point in found.account.contact_points
            )
        ]

    async def _changed(
        self, account: Account, changes: dict[str, Any], *more: tuple[ContactKind, str, str | None], now: datetime
    ) -> Account | None:
        """The account with `changes` and `more` contact points; None where it was erased meanwhile."""
        points = [(point.kind, point.as_given, point.label) for point in account.contact_points]
        return await self._accounts.change(account.account_id, changes=changes, contact_points=[*points, *more], now=now)

    async def _show(self, call_id: CallId, found: LookupResult, chosen: Chosen | None, now: datetime) -> Identified:
        identified = identify(found, chosen)
        for pop in self._hub.pops_of(call_id):
            await self._hub.update_pop(identified_anew(pop, identified), at=now)
        return identified

    async def _call(self, call_id: CallId) -> dict[str, Any]:
        """The call's document, live or stored; empty where nothing is known of it yet."""
        live = self._board.call(call_id)
        if live is not None:
            return call_document(live)
        stored = await self._interactions.by_call(call_id)
        return (stored and stored.call) or {}

    async def _found(self, call: dict[str, Any]) -> LookupResult:
        """What the caller's number, and the customer number that was typed, say."""
        if not call:
            return Withheld()
        entered = self._entered_for(call["pbx"], str(call["call_id"]).partition(":")[2])
        return await self._lookup.by_number(self._number_of(call), untrusted=call.get("untrusted_caller", True), entered=entered)

    def _number_of(self, call: dict[str, Any]) -> str | None:
        """The number that the caller is known by, in E.164; None where there is none that may be trusted."""
        match call.get("direction"):
            case Direction.INBOUND:
                presented = call["presented_number"]
            case Direction.OUTBOUND:
                presented = call["customer_number"]
            case _:
                presented = None
        return self._lookup.number_of(presented, untrusted=call.get("untrusted_caller", True))


def _printable(name: str) -> str:
    """A caller's own name without what would not be seen: control characters, marks of direction."""
    return "".join(character for character in name if character.isprintable())[:LONGEST_NAME].strip()
