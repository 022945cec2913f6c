"""The verdict of a run: what the service says happened, held against what happened.

Comes in: the stored interactions as the REST API shows them, the truth, and what the agents' pages showed. Goes out: figures and
every single difference, so that each can be followed to its cause.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from tests.soak.figure import Figure
from tests.soak.truth import TrueCall
from tests.support.agents_browser import AgentsBrowser

OFF_SECONDS = 1.0
"""How far a time may be off."""
TIMES = ("started_at", "answered_at", "ended_at")
WRONG = {
    "lost": "lost",
    "doubled": "doubled",
    "ghost": "ghost",
    "stuck": "stuck",
    "identity": "identity fields wrong",
    "pop": "pops shown twice",
}
"""The kinds of difference that must not be, and how the table names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was. `kind`: one of WRONG, or time."""

    kind: str
    call_id: str
    field: str | None = None
    stored: Any = None
    true: Any = None
    estimated: bool = False
    """The stored call says of itself that it was not seen whole."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a run came to. Without a difference but in times, it is good."""

    calls: int
    stored: int
    estimated: int
    differences: list[Difference] = field(default_factory=list)
    pops_shown: int = 0
    pops_repeated: int = 0
    """Came again after a break, and were not shown again."""
    rings_without_pop: int = 0

    def count(self, kind: str) -> int:
        return sum(difference.kind == kind for difference in self.differences)

    @property
    def wrong_calls(self) -> set[str]:
        """The calls of which something but a time is wrong."""
        return {difference.call_id for difference in self.differences if difference.kind != "time"}

    def figures(self) -> list[Figure]:
        """What the table shows, in its order."""
        unmarked = sum(one.kind == "time" and not one.estimated for one in self.differences)
        return [
            Figure(label="calls on the PBX", value=self.calls),
            Figure(label="calls in the store", value=self.stored),
            Figure(label="  of them estimated", value=self.estimated),
            *(Figure(label=label, value=self.count(kind), most=0) for kind, label in WRONG.items()),
            Figure(label="times off by over 1 s", value=self.count("time")),
            Figure(label="  not marked as estimated", value=unmarked),
            Figure(label="pops shown", value=self.pops_shown),
            Figure(label="pops sent again, not shown again", value=self.pops_repeated),
            Figure(label="rings of which no page knew", value=self.rings_without_pop),
        ]

    def document(self) -> dict[str, Any]:
        """For later analysis: the figures, which fields are wrong how often, and every difference."""
        fields = Counter(f"{one.kind} {one.field}" for one in self.differences if one.field)
        figures = {figure.label.strip(): figure.value for figure in self.figures()}
        return {"figures": figures, "fields": dict(fields), "differences": [asdict(one) for one in self.differences]}


def judge(
    stored: Sequence[Mapping[str, Any]],
    truth: Sequence[TrueCall],
    *,
    still_live: Iterable[str] = (),
    browsers: Iterable[AgentsBrowser] = (),
) -> Verdict:
    """Compares. `stored` are all interactions; `still_live` calls that the service shows although the PBX is quiet."""
    call_of = {f"main:{uniqueid}": call.call_id for call in truth for uniqueid in call.uniqueids}
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in stored:
        rows.setdefault(call_of.get(row["call_id"], ""), []).append(row)
    ghosts = rows.pop("", [])
    estimated = sum(bool(row["call"] and row["call"]["estimated"]) for row in stored)
    verdict = Verdict(calls=len(truth), stored=len(stored), estimated=estimated)
    add = verdict.differences.append
    for row in ghosts:
        add(Difference(kind="ghost", call_id=row["call_id"], stored=row["call"]))
    for call_id in still_live:
        add(Difference(kind="stuck", call_id=call_id, stored="shown as live"))
    for call in truth:
        mine = rows.get(call.call_id, [])
        if not mine:
            add(Difference(kind="lost", call_id=call.call_id, true=call.identity))
        for extra in mine[1:]:
            add(Difference(kind="doubled", call_id=call.call_id, stored=extra["call_id"]))
        for row in mine[:1]:
            verdict.differences.extend(_differences(row["call"], call))
    _judge_pops(verdict, truth, tuple(browsers))
    return verdict


def _differences(call: Mapping[str, Any], true: TrueCall) -> Iterable[Difference]:
    if call["ended_at"] is None or call["outcome"] == "in_progress":
        yield Difference(kind="stuck", call_id=true.call_id, stored=call["outcome"])
        return
    estimated = call["estimated"]
    # Whether a phone that rang when the PBX died rang without an answer is a matter of words: the contract does not say.
    missed = set(call["rang_no_answer"]) - set(true.rang_to_the_death)
    seen = {**call, "rang_no_answer": sorted(missed)}
    seen["transfers"] = [[transfer["from"], transfer["to"]] for transfer in call["transfers"]]
    for name, value in true.identity.items():
        if seen[name] != value:
            yield Difference(
                kind="identity", call_id=true.call_id, field=name, stored=seen[name], true=value, estimated=estimated
            )
    times = {name: (_seconds(call[name]), getattr(true, name)) for name in TIMES}
    for name, (ours, theirs) in (times | {"talk_s": (call["talk_s"], true.talk_s)}).items():
        if ours is not None and theirs is not None and abs(ours - theirs) > OFF_SECONDS:
            yield Difference(kind="time", call_id=true.call_id, field=name, stored=ours, true=theirs, estimated=estimated)


def _judge_pops(verdict: Verdict, truth: Sequence[TrueCall], browsers: Sequence[AgentsBrowser]) -> None:
    rings = {(call.call_id, agent): count for call in truth for agent, count in call.rings.items()}
    for browser in browsers:
        shown = Counter(pop.call_id for pop in browser.shown.values())
        verdict.pops_shown += shown.total()
        verdict.pops_repeated += browser.again.total()
        for call_id, count in shown.items():
            rang = rings.get((call_id, browser.extension), 0)
            if count > rang:
                verdict.differences.append(
                    Difference(kind="pop", call_id=call_id, field=browser.extension, stored=count, true=rang)
                )
        mine = {call_id: count for (call_id, agent), count in rings.items() if agent == browser.extension}
        verdict.rings_without_pop += sum(max(0, count - shown[call_id]) for call_id, count in mine.items())


def _seconds(iso: str | None) -> float | None:
    return datetime.fromisoformat(iso).timestamp() if iso else None
