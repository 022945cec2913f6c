"""Calls from CEL rows: each story of a group as a `RecordedCall`. What CEL does not tell stays None. Pure; Asterisk 22."""

import re
from collections.abc import Iterable, Iterator

from cti_bridge.domain.call import CallId, Direction, Extension, Outcome, Party
from cti_bridge.domain.phone_number import is_withheld, to_e164
from cti_bridge.domain.recorded_call import RecordedCall, RecordedTransfer, RecordSource
from cti_bridge.record.cel_calls import CallStory, stories_of, talked_seconds
from cti_bridge.record.groups import Group, Groups
from cti_bridge.record.legs import Kind, Leg, classify
from cti_bridge.record.rows import CelRow, moment

_UNHEARD = frozenset({18, 20, 127, None})
"""Hang-up causes of a phone that was never answered and may never have rung: CEL has no event for a ring."""
_CALLER_GAVE_UP = frozenset({0, 16, 127, None})
"""Causes of a caller who hangs up before the answer; 17, 34 and the like are the PBX's refusal, which the device only obeys."""
_BUSY = 17
_FORWARDED = 23
_PEOPLE = frozenset({0, 16, 17, 18, 19, 20, 21, 26, 127})
"""Causes that say what a person did or did not do; others (no such number, congestion) are the network's failure."""
_CANCELLED_SECONDS = 1.0
"""When one phone answers, the others that ring are cancelled within milliseconds."""
_SAME_MOMENT_SECONDS = 0.05
"""CEL keeps the order of one channel's events, not that of several."""
_AT_ONCE_SECONDS = 0.5
"""A phone that refuses sooner did so by itself."""
_DIAL_STATUSES = {
    "BUSY": Outcome.BUSY,
    "NOANSWER": Outcome.NO_ANSWER,
    "CANCEL": Outcome.NO_ANSWER,
    "CONGESTION": Outcome.FAILED,
    "CHANUNAVAIL": Outcome.FAILED,
}
"""By `dialstatus` of a HANGUP row: the last Dial() of that channel (Asterisk 22)."""


class CelCalls:
    """Calls from CEL rows, each as soon as it is complete; `finish` gives those that still go on."""

    def __init__(self, pbx: str, *, internal: re.Pattern[str], region: str | None) -> None:
        self._pbx = pbx
        self._internal = internal
        self._region = region
        self._groups = Groups(self._agent_of)

    def feed(self, row: CelRow) -> Iterator[RecordedCall]:
        for group in self._groups.feed(row):
            yield from self._calls_of(group)

    def finish(self) -> Iterator[RecordedCall]:
        for group in self._groups.rest():
            yield from self._calls_of(group)

    def _agent_of(self, channel: str) -> str | None:
        kind, endpoint = classify(channel, self._internal)
        return endpoint if kind is Kind.AGENT else None

    def _calls_of(self, group: Group) -> Iterator[RecordedCall]:
        for story in stories_of(group.rows, self._internal):
            yield self._recorded(story, broken_off=group.broken_off)

    def _recorded(self, story: CallStory, *, broken_off: bool) -> RecordedCall:
        ended = _ended(story)
        answered = _answered(story)
        lost = broken_off and ended is None
        return RecordedCall(
            call_id=CallId(f"{self._pbx}:{story.starter.uid}"),
            pbx=self._pbx,
            sources=frozenset({RecordSource.CEL}),
            uniqueids=frozenset(leg.uid for leg in story.legs),
            started_at=moment(story.starter.began),
            answered_at=None if answered is None else moment(answered),
            ended_at=None if ended is None else moment(ended),
            direction=story.direction,
            customer_number=self._customer_number(story),
            did=None if story.direction is Direction.OUTBOUND else story.starter.exten or None,
            queues=tuple(story.queues),
            offered_to=_offered(story),
            answered_by=_once(Extension(talk.leg.endpoint) for talk in story.talks if talk.leg.kind is Kind.AGENT),
            transfers=tuple(RecordedTransfer(from_agent=h.from_agent, to=h.to, at=moment(h.at)) for h in story.handovers),
            outcome=Outcome.LOST if lost and answered is None else _outcome(story, ended),
            hung_up_by=Party.SYSTEM if lost else _hung_up_by(story) if ended is not None else None,
            talk_s=None if ended is None else sum(end - begin for begin, end in talked_seconds(story)),
            presented_number=_presented(story),
            customer_name=_name(story),
            rang_no_answer=_missed(story),
            called=_once(Extension(leg.endpoint) for leg in story.offers),
        )

    def _customer_number(self, story: CallStory) -> str | None:
        starter = story.starter
        match story.direction:
            case Direction.INTERNAL:
                return starter.endpoint
            case Direction.OUTBOUND:
                dialled = story.customer is not starter and story.customer.number_dialled
                number = dialled or starter.number_dialled or _number_to_call(story)
            case _:
                number = starter.number
        if is_withheld(number):
            return None
        return to_e164(number, self._region) or number


def _number_to_call(story: CallStory) -> str:
    """Of a click-to-call that never got to dial its customer: the agent's phone showed the number."""
    shown = [leg.shown_number for leg in (story.starter, story.starter.twin) if leg is not None and story.click_to_call]
    return next((number for number in shown if number not in {"", story.starter.endpoint}), "")


def _ended(story: CallStory) -> float | None:
    return story.customer.ended if story.talks or story.customer is story.starter else story.starter.ended


def _answered(story: CallStory) -> float | None:
    return min((talk.began for talk in story.talks), default=None)


def _offered(story: CallStory) -> tuple[Extension, ...] | None:
    """None where a phone was called that may not have rung."""
    if any(leg.answered is None and leg.ended is not None and leg.cause in _UNHEARD for leg in story.offers):
        return None
    return _once(Extension(leg.endpoint) for leg in story.offers)


def _missed(story: CallStory) -> tuple[Extension, ...] | None:
    """Those whose ring ended without an answer; not a ring that was forwarded, nor one that another's answer (or its being picked
    up there) ended. None as in `_offered`.
    """
    if _offered(story) is None:
        return None
    answers = [leg.answered for leg in story.offers if leg.answered is not None] + [talk.began for talk in story.talks]
    return _once(
        Extension(leg.endpoint)
        for leg in story.offers
        if leg.answered is None
        and leg.ended is not None
        and leg.cause != _FORWARDED
        and not any(leg.began <= at and -_SAME_MOMENT_SECONDS <= leg.ended - at <= _CANCELLED_SECONDS for at in answers)
    )


def _name(story: CallStory) -> str | None:
    r"""Without the quoted pairs of a SIP display name (RFC 3261 section 25.1), which chan_pjsip passes on as they came."""
    if _presented(story) is None:
        return None
    return re.sub(r"\\(.)", r"\1", story.starter.caller_name) or None


def _presented(story: CallStory) -> str | None:
    """As the trunk told it; of other calls nobody presents a number that matters."""
    if story.direction is not Direction.INBOUND or is_withheld(story.starter.number):
        return None
    return story.starter.number


def _outcome(story: CallStory, ended: float | None) -> Outcome | None:
    if _answered(story) is not None:
        return Outcome.ANSWERED
    if ended is None:
        return None
    if story.voicemail:
        return Outcome.VOICEMAIL
    if story.direction is not Direction.INBOUND:
        if story.click_to_call and all(leg.answered is None for leg in story.offers):
            return Outcome.AGENT_NO_ANSWER
        return _refusal(story)
    if _gave_up(story.customer):
        return Outcome.ABANDONED
    if story.queues:
        return None  # queue_log tells why
    return _refusal(story)


def _refusal(story: CallStory) -> Outcome | None:
    """What Dial() says, made exact by the cause of the last leg: NOANSWER is also what it says of 603, 404 and the like."""
    outcome = _DIAL_STATUSES.get(story.starter.dial_status)
    called = [leg for leg in story.legs if leg.dialled and leg.kind in {Kind.AGENT, Kind.TRUNK} and leg is not story.starter]
    if outcome is Outcome.NO_ANSWER and called and called[-1].cause is not None:
        if called[-1].cause == _BUSY:
            return Outcome.BUSY
        return outcome if called[-1].cause in _PEOPLE else Outcome.FAILED
    return outcome


def _gave_up(leg: Leg) -> bool:
    return leg.hung_up_by == leg.name and (leg.answered is not None or leg.cause in _CALLER_GAVE_UP)


def _hung_up_by(story: CallStory) -> Party | None:
    customer = Party.AGENT if story.direction is Direction.INTERNAL else Party.CUSTOMER
    if _answered(story) is None:
        if story.direction is Direction.INBOUND:
            return customer if _gave_up(story.customer) else Party.SYSTEM
        if story.starter.answered is None and story.click_to_call and story.starter.hung_up_by == story.starter.name:
            return Party.AGENT if _lifetime(story.starter) > _AT_ONCE_SECONDS else None
        return Party.AGENT if _gave_up(story.starter) else Party.SYSTEM
    if story.customer.hung_up_by == story.customer.name:
        return customer
    ends = [talk for talk in story.talks if not talk.let_go and talk.ended is not None]
    if any(talk.leg.name in {talk.leg.hung_up_by, story.customer.hung_up_by} for talk in ends):
        return Party.AGENT
    # Without a source the PBX ended it: a feature code or AMI on the agent's phone (which then leaves first), or a time-out.
    last = ends[-1].leg if ends else None
    return Party.AGENT if last is not None and last.left_first and story.customer.hung_up_by == "" else Party.SYSTEM


def _lifetime(leg: Leg) -> float:
    return 0.0 if leg.ended is None else leg.ended - leg.began


def _once(names: Iterable[Extension] | Iterable[str]) -> tuple[Extension, ...]:
    return tuple(dict.fromkeys(Extension(name) for name in names))
