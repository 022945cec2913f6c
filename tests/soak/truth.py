"""What really happened on the PBX, read from its CEL: a small reader of its own, that shares no code with the service.

It knows only the calls of `tests.support.crowd`: every call comes over the trunk, no two calls ever meet, so all channels of a
call carry its Linkedid. That makes it simple enough to be believed, and it is the measure for everything else.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRUNK = "PJSIP/trunk-"
COLUMNS = (
    "event", "at", "name", "number", "ani", "rdnis", "dnid", "exten", "context", "channel", "app", "data", "amaflags", "account",
    "uniqueid", "linkedid", "peer", "userfield", "user_type", "extra",
)  # fmt: skip
"""As tests/pbx/etc/cel_custom.conf writes them."""

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueCall:
    """One customer's call. Times are Unix seconds; `ended_at` and `talk_s` are None where it goes on, or the PBX died with it.

    `talking` has it now, `rang_to_the_death` rings still; `rings` counts each agent's rings, `first_rings` is when they began.
    The rest is meant as in the public contract.
    """

    call_id: str
    uniqueids: frozenset[str]
    presented_number: str
    customer_name: str
    did: str
    queues: tuple[str, ...]
    offered_to: tuple[str, ...]
    rang_no_answer: tuple[str, ...]
    rang_to_the_death: tuple[str, ...]
    answered_by: tuple[str, ...]
    outcome: str
    transfers: tuple[tuple[str, str], ...]
    hung_up_by: str
    started_at: float
    answered_at: float | None
    ended_at: float | None
    talk_s: float | None
    talking: tuple[str, ...]
    rings: Mapping[str, int]
    first_rings: Mapping[str, float]

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that say which call it was and who had it."""
        return {
            "call_id": self.call_id,
            "direction": "inbound",
            "presented_number": self.presented_number,
            "customer_name": self.customer_name,
            "customer_number": f"+44{self.presented_number[1:]}",
            "did": self.did,
            "queues": list(self.queues),
            "offered_to": list(self.offered_to),
            "rang_no_answer": sorted(self.rang_no_answer),
            "answered_by": list(self.answered_by),
            "outcome": self.outcome,
            "transfers": [list(transfer) for transfer in self.transfers],
            "hung_up_by": self.hung_up_by,
        }


def read_truth(cel_csv: Path, *, since: int = 0) -> list[TrueCall]:
    """The calls whose rows stand from the byte `since` on, in order of arrival. A last line half written is left out."""
    return [true_call for rows in _groups(cel_csv, since) if (true_call := _call_of(rows)) is not None]


def live_calls(cel_csv: Path, *, since: int = 0) -> list[TrueCall]:
    """Those of them that have not ended by the record."""
    return [call for call in read_truth(cel_csv, since=since) if call.ended_at is None]


def _groups(cel_csv: Path, since: int) -> Iterable[list[Row]]:
    text = cel_csv.read_bytes()[since:].decode(errors="replace")
    groups: dict[str, list[Row]] = {}
    for fields in csv.reader(text[: text.rfind("\n") + 1].splitlines()):
        if len(fields) == len(COLUMNS):
            row = dict(zip(COLUMNS, fields, strict=True))
            groups.setdefault(row["linkedid"], []).append(row)
    return groups.values()


def _call_of(rows: list[Row]) -> TrueCall | None:
    first = rows[0]
    if first["event"] != "CHAN_START" or not first["channel"].startswith(TRUNK):
        return None
    customer = [row for row in rows if row["uniqueid"] == first["uniqueid"]]
    end = next((row for row in customer if row["event"] == "HANGUP"), None)
    talks = _talks(rows, first)
    rings = [row for row in rows if row["event"] == "CHAN_START" and _agent(row)]
    answered = {row["uniqueid"] for row in rows if row["event"] == "ANSWER"}
    over = {row["uniqueid"] for row in rows if row["event"] == "HANGUP"}
    answered_by = tuple(dict.fromkeys(agent for agent, _, _ in talks))
    return TrueCall(
        call_id=f"main:{first['uniqueid']}",
        uniqueids=frozenset(row["uniqueid"] for row in rows),
        presented_number=first["number"],
        customer_name=first["name"],
        did=first["exten"],
        queues=tuple(row["data"].split(",")[0] for row in customer if row["event"] == "APP_START" and row["app"] == "Queue"),
        offered_to=tuple(dict.fromkeys(map(_agent, rings))),
        rang_no_answer=tuple({_agent(row) for row in rings if row["uniqueid"] in over - answered}),
        rang_to_the_death=tuple({_agent(row) for row in rings if row["uniqueid"] not in over | answered}),
        answered_by=answered_by,
        outcome=_outcome(end, answered_by),
        transfers=tuple((_agent(row), json.loads(row["extra"])["extension"]) for row in rows if row["event"] == "BLINDTRANSFER"),
        hung_up_by=_who(end, first),
        started_at=float(first["at"]),
        answered_at=talks[0][1] if talks else None,
        ended_at=float(end["at"]) if end else None,
        talk_s=sum(until - since for _, since, until in talks if until is not None) if end else None,
        talking=tuple(agent for agent, _, until in talks if until is None and end is None),
        rings={agent: sum(_agent(row) == agent for row in rings) for agent in map(_agent, rings)},
        first_rings={_agent(row): float(row["at"]) for row in reversed(rings)},
    )


def _agent(row: Row) -> str:
    """The extension, where the row's channel is an agent's."""
    name = row["channel"].removeprefix("PJSIP/").partition("-")[0]
    return name if name.isdigit() else ""


def _talks(rows: list[Row], customer: Row) -> list[tuple[str, float, float | None]]:
    """Each stretch that an agent shared a bridge with the customer: who, from, until."""
    inside: dict[str, dict[str, Row]] = {}
    talks: list[tuple[str, float, float | None]] = []
    for row in rows:
        if row["event"] == "BRIDGE_ENTER":
            members = inside.setdefault(json.loads(row["extra"])["bridge_id"], {})
            members[row["uniqueid"]] = row
            agents = [_agent(member) for member in members.values() if _agent(member)]
            if customer["uniqueid"] in members and agents:
                talks.append((agents[0], float(row["at"]), None))
        elif row["event"] == "BRIDGE_EXIT":
            members = inside.get(json.loads(row["extra"])["bridge_id"], {})
            if len(members) > 1 and customer["uniqueid"] in members and row["uniqueid"] in members:
                agent, since, _ = talks.pop()
                talks.append((agent, since, float(row["at"])))
            members.pop(row["uniqueid"], None)
    return talks


def _outcome(end: Row | None, answered_by: tuple[str, ...]) -> str:
    if answered_by:
        return "answered"
    if end is None:
        return "lost"
    extra = json.loads(end["extra"])
    if extra["dialstatus"] == "BUSY":
        return "busy"
    return "abandoned" if extra["hangupsource"].startswith(TRUNK) else "no_answer"


def _who(end: Row | None, customer: Row) -> str:
    source = json.loads(end["extra"])["hangupsource"] if end else ""
    if source == customer["channel"]:
        busy = json.loads(end["extra"])["dialstatus"] == "BUSY" if end else False
        return "system" if busy else "customer"
    return "agent" if source else "system"
