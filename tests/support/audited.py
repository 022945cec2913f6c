"""A store and a PBX's record of the same calls, and defects to plant in the store: each as a hand would make it, with SQL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from cti_bridge.domain.audit import AuditReason, AuditResult
from cti_bridge.domain.call import Call
from cti_bridge.domain.recorded_call import FindingKind, RecordSource
from cti_bridge.record.auditor import Auditor
from storage.accounts import Accounts
from storage.audits import Audits
from storage.database import Database
from storage.recorder import insert_call, replace_legs, row_of
from storage.schema import interaction_legs, interactions
from tests.support.records import DAY, FakeRecord, Told, an_abandoned_call, an_answered_call, began, id_of

CALLS = 48
END = DAY + timedelta(minutes=CALLS + 1)
NOW = END + timedelta(minutes=5)


def the_calls() -> list[Told]:
    """Every fourth was abandoned."""
    return [an_abandoned_call(number) if number % 4 == 3 else an_answered_call(number) for number in range(CALLS)]


async def store_calls(database: Database, calls: Sequence[Call]) -> None:
    statement = insert_call(database)

    def do(connection: Connection) -> None:
        connection.execute(statement, [row_of(call, None, source=RecordSource.AMI) for call in calls])
        replace_legs(connection, {call.call_id: call for call in calls}, source=RecordSource.AMI)

    await database.commit(do)


async def no_wait() -> None:
    pass


def auditor_of(
    database: Database,
    record: FakeRecord,
    now: Callable[[], Any] = lambda: NOW,
    *,
    nightly_at: str = "03:30",
    settled: Callable[[], Any] = no_wait,
) -> Auditor:
    accounts = Accounts(database, region="GB")
    return Auditor({"main": record}, Audits(database), accounts, now=now, settled=settled, nightly_at=nightly_at)


async def audited(database: Database, record: FakeRecord, *, repair: bool = False) -> AuditResult:
    return await auditor_of(database, record).audit("main", DAY, END, reason=AuditReason.COMMAND, repair=repair)


def found(result: AuditResult) -> set[tuple[str, str, str | None]]:
    return {(finding.kind.value, finding.call_id, finding.field) for finding in result.findings}


Plant = Callable[[Connection, int], None]


def in_document(**changes: Any) -> Plant:
    """The fields changed in the call's document alone."""

    def plant(connection: Connection, number: int) -> None:
        of_call = interactions.c.call_id == id_of(number)
        document = connection.execute(select(interactions.c.call).where(of_call)).scalar_one()
        told = {name: change(document) if callable(change) else change for name, change in changes.items()}
        connection.execute(update(interactions).where(of_call).values(call={**document, **told}))

    return plant


def in_columns(**changes: Any) -> Plant:
    def plant(connection: Connection, number: int) -> None:
        connection.execute(update(interactions).where(interactions.c.call_id == id_of(number)).values(**changes))

    return plant


def both(*plants: Plant) -> Plant:
    def plant(connection: Connection, number: int) -> None:
        for one in plants:
            one(connection, number)

    return plant


def deleted(connection: Connection, number: int) -> None:
    connection.execute(delete(interactions).where(interactions.c.call_id == id_of(number)))


def renamed(connection: Connection, number: int) -> None:
    connection.execute(update(interactions).where(interactions.c.call_id == id_of(number)).values(call_id="main:1790000000.9"))


def doubled(connection: Connection, number: int) -> None:
    """Another row, named after an agent's channel of the same call."""
    row = dict(connection.execute(select(interactions).where(interactions.c.call_id == id_of(number))).one()._mapping)
    row |= {"interaction_id": f"double {number}", "call_id": f"{id_of(number)}1"}
    connection.execute(interactions.insert().values(row))


def ghost(connection: Connection, number: int) -> None:
    row = dict(connection.execute(select(interactions).where(interactions.c.call_id == id_of(number))).one()._mapping)
    row |= {"interaction_id": f"ghost {number}", "call_id": f"main:{1700000000 + number}.1"}
    connection.execute(interactions.insert().values(row))


def moved(seconds: float, *names: str) -> Plant:
    """The times of this name, in column and document, by so many seconds."""

    def plant(connection: Connection, number: int) -> None:
        of_call = interactions.c.call_id == id_of(number)
        row = connection.execute(select(interactions).where(of_call)).one()
        document = dict(row.call)
        for name in names:
            at = began(0).fromisoformat(document[name]) + timedelta(seconds=seconds)
            document[name] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            if name in {"started_at", "ended_at"}:
                connection.execute(update(interactions).where(of_call).values({name: at}))
        connection.execute(update(interactions).where(of_call).values(call=document))

    return plant


def legs_of(kind: str, agent: str, other: str | None) -> Plant:
    """The rings or the talk of one agent given to another, or taken away."""

    def plant(connection: Connection, number: int) -> None:
        rows = select(interactions.c.interaction_id).where(interactions.c.call_id == id_of(number)).scalar_subquery()
        leg = interaction_legs.c
        of_agent = (leg.interaction_id == rows, leg.party == agent, leg.kind == kind)
        if other is None:
            connection.execute(delete(interaction_legs).where(*of_agent))
        else:
            connection.execute(update(interaction_legs).where(*of_agent).values(party=other))

    return plant


@dataclass(frozen=True)
class Defect:
    name: str
    plant: Plant
    kind: FindingKind
    fields: tuple[str | None, ...] = (None,)
    unanswered: bool = False


def wrong(name: str, plant: Plant, *fields: str, unanswered: bool = False) -> Defect:
    return Defect(name, plant, FindingKind.WRONG, fields, unanswered)


TRANSFER = {"type": "attended", "from": "1002", "to": "1004"}
DEFECTS = (
    Defect("row deleted", deleted, FindingKind.LOST),
    Defect("abandoned call deleted", deleted, FindingKind.LOST, unanswered=True),
    Defect("doubled under an agent's channel", doubled, FindingKind.DOUBLED),
    Defect("ghost", ghost, FindingKind.GHOST),
    Defect("never closed", in_columns(ended_at=None, outcome="in_progress"), FindingKind.STUCK),
    Defect("open, with an outcome", in_columns(ended_at=None), FindingKind.STUCK),
    Defect("wrap-up without the call", in_columns(ended_at=None, outcome="in_progress", call=None), FindingKind.STUCK),
    wrong("direction", both(in_document(direction="outbound"), in_columns(direction="outbound")), "direction"),
    wrong("direction, column alone", in_columns(direction="internal"), "direction"),
    wrong("number, one digit", in_document(customer_number="+442079460019"), "customer_number"),
    wrong("number missing", in_document(customer_number=None), "customer_number"),
    wrong("did", in_document(did="8002"), "did"),
    wrong("visits swapped", both(in_document(queues=["sales", "support"], queue="sales"), in_columns(queue="sales")), "queues"),
    wrong("queue missing", in_document(queues=["support"]), "queues"),
    wrong("queue, column alone", in_columns(queue="billing"), "queues"),
    wrong("offer missing", in_document(offered_to=["1002", "1004"]), "offered_to"),
    wrong("offer too many", in_document(offered_to=["1001", "1002", "1004", "1005"]), "offered_to"),
    wrong("offers swapped", in_document(offered_to=["1002", "1001", "1004"]), "offered_to"),
    wrong("ring given to another", legs_of("offer", "1001", "1003"), "offered_to"),
    wrong("ring taken away", legs_of("offer", "1002", None), "offered_to"),
    wrong("two agents swapped", both(in_document(answered_by=["1004", "1002"]), in_columns(agent="1002")), "answered_by"),
    wrong("another agent", both(in_document(answered_by=["1002", "1003"]), in_columns(agent="1003")), "answered_by"),
    wrong("agent, column alone", in_columns(agent="1001"), "answered_by"),
    wrong("talk given to another", legs_of("talk", "1004", "1003"), "answered_by"),
    wrong("talk taken away", legs_of("talk", "1004", None), "answered_by"),
    wrong("never talked", both(in_document(answered_by=["1001"]), in_columns(agent="1001")), "answered_by", unanswered=True),
    wrong("transfer missing", in_document(transfers=[]), "transfers"),
    wrong("transfer too many", in_document(transfers=[TRANSFER, TRANSFER]), "transfers"),
    wrong("transfer to another", in_document(transfers=[{**TRANSFER, "to": "queue:sales"}]), "transfers"),
    wrong("transfer by another", in_document(transfers=[{**TRANSFER, "from": "1001"}]), "transfers"),
    wrong("outcome", both(in_document(outcome="abandoned"), in_columns(outcome="abandoned")), "outcome"),
    wrong("outcome, column alone", in_columns(outcome="lost"), "outcome"),
    wrong("hung up by the customer", in_document(hung_up_by="customer"), "hung_up_by"),
    wrong("hung up by nobody", in_document(hung_up_by=None), "hung_up_by"),
    wrong("began 2 s late", moved(2, "started_at"), "started_at"),
    wrong("answered 2 s early", moved(-2, "answered_at"), "answered_at"),
    wrong("ended 2 s late", moved(2, "ended_at"), "ended_at"),
    wrong("answered, but was not", in_document(answered_at=began(1).isoformat()), "answered_at", unanswered=True),
    wrong("talk 2 s too long", in_document(talk_s=31.1), "talk_s"),
    wrong("wait 2 s too short", in_document(wait_s=6.9), "wait_s"),
)  # fmt: skip


def places() -> list[tuple[Defect, int]]:
    """A call of its own for each defect."""
    abandoned = iter([number for number in range(CALLS) if number % 4 == 3])
    answered = iter([*(number for number in range(CALLS) if number % 4 != 3)])
    spare = [number for number in range(CALLS) if number % 4 == 3][::-1]
    out = []
    for defect in DEFECTS:
        if defect.unanswered:
            out.append((defect, next(abandoned)))
        else:
            out.append((defect, next(answered, None) or spare.pop(0)))
    return out


def expected(defect: Defect, number: int) -> set[tuple[str, str, str | None]]:
    match defect.kind:
        case FindingKind.DOUBLED:
            call_id = f"{id_of(number)}1"
        case FindingKind.GHOST:
            call_id = f"main:{1700000000 + number}.1"
        case _:
            call_id = id_of(number)
    return {(defect.kind.value, call_id, name) for name in defect.fields}


async def planted(database: Database, *defects: tuple[Defect, int]) -> None:
    def do(connection: Connection) -> None:
        for defect, number in defects:
            defect.plant(connection, number)

    await database.commit(do)


def defect(name: str) -> Defect:
    return next(one for one in DEFECTS if one.name == name)


async def everything(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch(select(interactions).order_by(interactions.c.call_id))
    legs = await database.fetch(select(interaction_legs).order_by(interaction_legs.c.interaction_id, interaction_legs.c.position))
    return [*map(tuple, rows), *map(tuple, legs)]
