"""The recorder: every finished call becomes exactly one interaction, on disk before it is said to be.

Calls come in through `put`, wait in a bounded buffer and go out in groups, one commit for all that came meanwhile: the
disk's sync is paid once a group, not once a call. The key is the `call_id`, so putting a call again (a replay after a
crash, a retry after "was it committed?") changes nothing. When the store is locked or away the calls wait and are tried
again; when the buffer is full, `put` refuses and the caller keeps the call.
What agents write (`set_wrap_up`) does not wait here: it is one transaction of its own, done when it returns.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Literal

import structlog
from sqlalchemy import Connection, bindparam, case, delete, false, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import Call, CallId, Direction, Outcome, call_document
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.interaction import Channel, Interaction
from cti_bridge.domain.recorded_call import RecordSource
from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource
from cti_bridge.domain.webhook import Happening, WebhookEvent, call_ended, interaction_scored
from cti_bridge.kill_points import kill_points
from storage.database import Database, is_integrity_error
from storage.interactions import INTERACTION_COLUMNS, agents_values, interaction_of_row
from storage.schema import accounts, interaction_legs, interactions, new_id
from storage.score_columns import IS_CUSTOMERS_WORD, score_columns, sparing_customers_word
from storage.webhooks import Outbox

log = structlog.get_logger(__name__)

CAPACITY = 10_000
"""Calls that may wait: at 57 calls/s (10,000 agents at peak) three minutes without a store."""
GROUP = 200
"""Calls in one commit at most; more gain nothing and make a wrap-up wait longer for its turn."""
_ASKED_AT_ONCE = 500
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.1, 5.0


class NotTaken(StorageError):
    """No room for this call, or the recorder ended before it was stored: it must be put again."""


Counter = Literal["recorded", "commits", "retries", "refused", "rejected"]


class Recorder:
    """`run()` is the writer; it may be cancelled at any time, what is not yet committed is then refused to its caller."""

    def __init__(self, database: Database, *, capacity: int = CAPACITY, outbox: Outbox | None = None) -> None:
        self._database = database
        self._outbox = outbox or Outbox(database=database)
        self._upsert = _upsert(database)
        self._capacity = capacity
        self._waiting: deque[tuple[Call, AccountId | None, asyncio.Future[None]]] = deque()
        self._came = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.counters: dict[Counter, int] = {"recorded": 0, "commits": 0, "retries": 0, "refused": 0, "rejected": 0}
        """refused: the buffer was full; rejected: the store can never take this one."""

    @property
    def waiting(self) -> int:
        """Calls not yet on disk."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Half empty at least: calls that found no room may come now."""
        return len(self._waiting) <= self._capacity // 2

    async def over(self, calls: Sequence[CallId]) -> frozenset[CallId]:
        """Those of the calls that are on record as over. Raises StorageError."""
        found: set[CallId] = set()
        for start in range(0, len(calls), _ASKED_AT_ONCE):
            some = calls[start : start + _ASKED_AT_ONCE]
            column = interactions.c
            rows = await self._database.fetch(
                select(column.call_id).where(column.call_id.in_(some), column.ended_at.is_not(None))
            )
            found.update(CallId(row.call_id) for row in rows)
        return frozenset(found)

    def put(self, call: Call, account_id: AccountId | None) -> asyncio.Future[None]:
        """Takes a finished call; the future is done once it is committed. An account that does not exist counts as None.

        The future raises StorageError where the store can never take this call, NotTaken where the recorder stops first.

        Raises NotTaken: the buffer is full.
        """
        if len(self._waiting) >= self._capacity:
            self.counters["refused"] += 1
            raise NotTaken(f"{self._capacity} calls wait for the store already: keep this one and put it again later")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((call, account_id, done))
        self._came.set()
        self._idle.clear()
        return done

    async def flush(self) -> None:
        """Returns when nothing waits any more; with the store away, that is never: set a time limit."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commits what waits, in order of arrival, until cancelled."""
        try:
            while True:
                await self._came.wait()
                group = list(islice(self._waiting, GROUP))
                await self._commit_in_time(group)
                for _ in group:
                    self._waiting.popleft()
                if not self._waiting:
                    self._came.clear()
                    self._idle.set()
        finally:
            while self._waiting:
                _refuse(self._waiting.popleft()[2], NotTaken("the recorder stopped before this call was stored"))

    async def set_wrap_up(self, call_id: CallId, changes: Mapping[str, Any], *, call: Call | None, now: datetime) -> Interaction:
        """Sets disposition, note, account_id or satisfaction (only the keys given) of a call's interaction; on disk on return.

        Before the call's own record exists, one is made as in progress, from `call` where it is known.
        Raises ValueError: another key, a text too long, no such account. Raises StorageError: not stored, safe to try again.
        """
        values = agents_values(changes)
        seen = _placeholder(now) if call is None else _seen(call)
        upsert = (
            self._database.insert(interactions)
            .values({"interaction_id": new_id(), "call_id": call_id, "account_set_by_agent": False, **seen, **values})
            .on_conflict_do_update(index_elements=["call_id"], set_=sparing_customers_word(values) or {"call_id": call_id})
            .returning(*INTERACTION_COLUMNS)
        )
        try:
            async with self._database.write() as connection:
                saved = interaction_of_row((await connection.execute(upsert)).one())
                if changes.get("satisfaction", saved) == saved.satisfaction:
                    await connection.run_sync(self._outbox.put, [interaction_scored(saved, at=now)])
                return saved
        except StorageError as error:
            if is_integrity_error(error):
                raise ValueError(f"there is no account {changes.get('account_id')}") from error
            raise

    async def _commit_in_time(self, group: Sequence[tuple[Call, AccountId | None, asyncio.Future[None]]]) -> None:
        """Commits the group, however long the store is away; calls that it can never take are refused one by one."""
        delay = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._commit([(call, account_id) for call, account_id, _ in group])
                break
            except StorageError as error:
                if _can_never_succeed(error):
                    await self._reject_or_commit(group, error)
                    return
                self.counters["retries"] += 1
                log.warning("recorder.store_away", error=str(error), waiting=self.waiting, retry_in_seconds=round(delay, 1))
                await asyncio.sleep(delay * random.uniform(0.5, 1))
                delay = min(delay * 2, LAST_RETRY_SECONDS)
        for _, _, done in group:
            if not done.done():
                done.set_result(None)

    async def _reject_or_commit(
        self, group: Sequence[tuple[Call, AccountId | None, asyncio.Future[None]]], error: StorageError
    ) -> None:
        """One call that cannot be stored must not hold up the others of its group."""
        if len(group) > 1:
            for one in group:
                await self._commit_in_time([one])
            return
        (call, _, done) = group[0]
        self.counters["rejected"] += 1
        log.error("recorder.call_rejected", call_id=call.call_id, error=str(error))
        _refuse(done, error)

    async def _commit(self, group: Sequence[tuple[Call, AccountId | None]]) -> None:
        latest = {call.call_id: (call, account_id) for call, account_id in group}

        def store(connection: Connection) -> None:
            rows = [row_of(call, account, source=RecordSource.AMI) for call, account in latest.values()]
            connection.execute(self._upsert, rows)
            calls = {call_id: call for call_id, (call, _) in latest.items()}
            replace_legs(connection, calls, source=RecordSource.AMI)
            self._outbox.put(connection, _surveyed(connection, calls.values()))
            if self._outbox.wants(WebhookEvent.CALL_ENDED):
                self._outbox.put(connection, _ended(connection, calls))

        kill_points.reached("store.commit")
        await self._database.commit(store)
        kill_points.reached("store.committed")
        self.counters["commits"] += 1
        self.counters["recorded"] += len(latest)


def _surveyed(connection: Connection, calls: Iterable[Call]) -> list[Happening]:
    """Puts what customers answered to a survey on their contacts, once: what a supervisor made of it since stays."""
    told = []
    for call in calls:
        if call.survey_score is not None:
            at = call.ended_at or call.started_at
            given = Satisfaction(score=call.survey_score, source=ScoreSource.SURVEY, by=call.pbx, at=at)
            row = connection.execute(_SCORE_OF_CALL.values(score_columns(given)), {"of": call.call_id}).one_or_none()
            told += [interaction_scored(interaction_of_row(row), at=at)] if row is not None else []
    return told


_SCORE_OF_CALL = (
    update(interactions)
    .where(interactions.c.call_id == bindparam("of"), ~func.coalesce(IS_CUSTOMERS_WORD, false()))
    .returning(*INTERACTION_COLUMNS)
)


def _ended(connection: Connection, calls: Mapping[CallId, Call]) -> Iterator[Happening]:
    """Nobody is told of a call whose customer was erased."""
    column = interactions.c
    stored = select(column.call_id, column.interaction_id, column.account_id).where(
        column.call_id.in_(calls), column.erased_at.is_(None)
    )
    for row in connection.execute(stored).all():
        yield call_ended(calls[row.call_id], row.interaction_id, row.account_id)


SEEN = ("channel", "direction", "started_at", "ended_at", "agent", "queue", "outcome", "call", "source")
"""The columns that say what the system saw, as against what people wrote."""


def _upsert(database: Database) -> sqlite.Insert | postgresql.Insert:
    """What the system saw replaces what it saw before; what the agent wrote stays, and so does an account once known.

    What the PBX's own record has set right stays too: a replay of the journal brings no mistake back, and nobody who was erased.
    """
    statement = insert_call(database)
    new, old = statement.excluded, interactions.c
    from_ami = old.source == RecordSource.AMI.value
    first_known = func.coalesce(old.account_id, new.account_id)
    return statement.on_conflict_do_update(
        index_elements=["call_id"],
        set_={name: case((from_ami, new[name]), else_=old[name]) for name in SEEN}
        | {
            "call": case((from_ami & old.erased_at.is_(None), new.call), else_=old.call),
            "account_id": case((old.account_set_by_agent, old.account_id), else_=first_known),
            "is_ghost": false(),
        },
    )


def insert_call(database: Database) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of a `row_of`; an account that is gone becomes none, one that was merged the one it was merged into."""
    given = accounts.c.account_id == bindparam("given_account_id")
    return database.insert(interactions).values(
        {name: bindparam(name) for name in ("interaction_id", "call_id", "account_set_by_agent", *SEEN)}
        | {"account_id": select(func.coalesce(accounts.c.merged_into, accounts.c.account_id)).where(given).scalar_subquery()}
    )


def replace_legs(connection: Connection, calls: Mapping[CallId, Call], *, source: RecordSource) -> None:
    """The legs of the calls that come from this source; those of others, and of erased customers, stay as they are."""
    ids = select(interactions.c.call_id, interactions.c.interaction_id).where(
        interactions.c.call_id.in_(calls), interactions.c.source == source.value, interactions.c.erased_at.is_(None)
    )
    found = {row.call_id: row.interaction_id for row in connection.execute(ids)}
    connection.execute(delete(interaction_legs).where(interaction_legs.c.interaction_id.in_(found.values())))
    rows = [row for call_id, interaction_id in found.items() for row in _leg_rows(interaction_id, calls[call_id])]
    if rows:
        connection.execute(insert(interaction_legs), rows)


def row_of(call: Call, account_id: AccountId | None, *, source: RecordSource) -> dict[str, Any]:
    return {
        "interaction_id": new_id(),
        "call_id": call.call_id,
        "given_account_id": account_id,
        "account_set_by_agent": False,
        "source": source.value,
        **_seen(call),
    }


def _seen(call: Call) -> dict[str, Any]:
    """`agent` is the last one who got the customer: the one who ends the contact and labels it."""
    return {
        "channel": Channel.PHONE.value,
        "direction": call.direction.value,
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "agent": call.answered_by[-1] if call.answered_by else None,
        "queue": call.queue,
        "outcome": call.outcome.value,
        "call": call_document(call),
    }


def _placeholder(now: datetime) -> dict[str, Any]:
    return {
        "channel": Channel.PHONE.value,
        "direction": Direction.INBOUND.value,
        "started_at": now,
        "outcome": Outcome.IN_PROGRESS.value,
    }


def _leg_rows(interaction_id: str, call: Call) -> list[dict[str, Any]]:
    offers = [
        {
            "kind": "offer",
            "party": offer.agent,
            "queue": offer.queue,
            "started_at": offer.rang_at,
            "ended_at": offer.ended_at,
            "result": offer.result.value if offer.result else None,
        }
        for offer in call.offers
    ]
    talks = [
        {
            "kind": "talk",
            "party": talk.party,
            "queue": None,
            "started_at": talk.started_at,
            "ended_at": talk.ended_at,
            "result": None,
        }
        for talk in call.talks
    ]
    return [{"interaction_id": interaction_id, "position": position, **leg} for position, leg in enumerate([*offers, *talks])]


def _can_never_succeed(error: StorageError) -> bool:
    """True where the store refuses the values themselves; anything else (locked, away, full, no rights) may pass."""
    match error.__cause__:
        case DataError() | IntegrityError():
            return True
        case DBAPIError():
            return False
        case cause:
            return isinstance(cause, StatementError)


def _refuse(done: asyncio.Future[None], why: StorageError) -> None:
    if not done.done():
        done.set_exception(why)
        done.exception()  # marks it as seen: whoever put the call may be gone already
