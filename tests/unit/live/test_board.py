"""The live board's figures, one definition of docs/figures.md after the other, and the agents' states."""

from datetime import UTC, datetime, timedelta

import pytest

from cti_bridge.domain.agent import AgentActivity, AgentStatus, PhoneState, QueueMember
from cti_bridge.domain.call import Call, CallId, CallState, Direction, Extension, Offer, Outcome, Talk
from cti_bridge.domain.call_events import (
    CallAnswered,
    CallArrived,
    CallEnded,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    MemberChanged,
    MemberRemoved,
)
from cti_bridge.domain.figures import QueueFigures, figures_document
from cti_bridge.live.board import Board
from tests.support.store import a_finished_call

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_board(**changes: int) -> Board:
    thresholds = {"service_level_seconds": 20, "short_abandon_seconds": 5, "wrap_up_seconds": 30}
    return Board(since=NOON, **(thresholds | changes))


def a_call(number: int = 1, **changes: object) -> Call:
    """A call that has just arrived."""
    live = a_finished_call(number)._replace(
        state=CallState.ARRIVED,
        outcome=Outcome.IN_PROGRESS,
        queues=(),
        offered_to=(),
        rang_no_answer=(),
        answered_by=(),
        answered_at=None,
        ended_at=None,
        hung_up_by=None,
        offers=(),
        talks=(),
    )
    return live._replace(**changes)


def joins(board: Board, call: Call, at: float, queue: str = "support") -> Call:
    call = call._replace(state=CallState.QUEUED, queues=(*call.queues, queue))
    board.feed(CallQueued(call=call, at=after(at), queue=queue))
    return call


def leaves(
    board: Board, call: Call, at: float, *, queue: str = "support", answered: bool = False, abandoned: bool = False
) -> None:
    board.feed(CallLeftQueue(call=call, at=after(at), queue=queue, answered=answered, abandoned=abandoned))


def ends(board: Board, call: Call, at: float, outcome: Outcome = Outcome.ANSWERED) -> None:
    ended = call._replace(state=CallState.ENDED, outcome=outcome, ended_at=after(at), talks=())
    board.feed(CallEnded(call=ended, at=after(at)))


def waited(board: Board, number: int, seconds: float, **how: bool) -> None:
    """A caller who joins at noon and leaves after `seconds`, answered, abandoned or neither."""
    leaves(board, joins(board, a_call(number), 0), seconds, **how)


def talking(call: Call, *agents: str, since: float = 0) -> Call:
    talks = tuple(Talk(party=agent, started_at=after(since)) for agent in agents)
    return call._replace(state=CallState.TALKING, talks=talks, answered_by=tuple(Extension(agent) for agent in agents))


def ringing(call: Call, agent: str) -> Call:
    return call._replace(state=CallState.OFFERED, offers=(Offer(agent=Extension(agent), queue="support", rang_at=NOON),))


def a_member(agent: str = "1001", queue: str = "support", **changes: object) -> QueueMember:
    member = QueueMember(
        pbx="main",
        queue=queue,
        agent=Extension(agent),
        interface=f"PJSIP/{agent}",
        name=f"Agent {agent}",
        paused=False,
        pause_reason=None,
        penalty=0,
        phone=PhoneState.IDLE,
    )
    return member._replace(**changes)


def sits(board: Board, *members: QueueMember) -> None:
    for member in members:
        board.feed(MemberChanged(member=member, at=NOON))


def figures(board: Board, queue: str = "support", at: float = 0) -> QueueFigures:
    return next(one for one in board.queues(after(at)) if one.queue == queue)


# --- figures


def test_offered_counts_calls_that_joined():
    board = a_board()
    joins(board, a_call(1), 0)
    joins(board, a_call(2), 1)
    board.feed(CallArrived(call=a_call(3), at=NOON))

    assert figures(board).offered == 2


def test_a_call_that_comes_back_into_the_queue_is_a_new_visit():
    board = a_board()
    call = joins(board, a_call(1), 0)
    leaves(board, call, 10, answered=True)
    joins(board, call, 60)

    assert (figures(board).offered, figures(board).waiting) == (2, 1)


def test_a_call_counts_in_each_queue_it_joins():
    board = a_board()
    call = joins(board, a_call(1), 0, "support")
    leaves(board, call, 30, queue="support")
    call = joins(board, call, 30, "sales")
    leaves(board, call, 40, queue="sales", answered=True)

    assert (figures(board, "support").overflowed, figures(board, "support").answered) == (1, 0)
    assert (figures(board, "sales").overflowed, figures(board, "sales").answered) == (0, 1)


def test_the_same_join_or_leave_told_twice_counts_once():
    board = a_board()
    call = joins(board, a_call(1), 0)
    board.feed(CallQueued(call=call, at=after(1), queue="support"))
    leaves(board, call, 10, answered=True)
    leaves(board, call, 11, answered=True)

    one = figures(board)
    assert (one.offered, one.answered, one.wait_of_answered_s) == (1, 1, 10.0)


@pytest.mark.parametrize(("seconds", "short"), [(0.0, 1), (4.999, 1), (5.0, 0), (60.0, 0)])
def test_an_abandon_is_short_below_the_threshold(seconds, short):
    board = a_board()
    waited(board, 1, seconds, abandoned=True)

    assert (figures(board).abandoned, figures(board).short_abandons) == (1, short)


def test_neither_answered_nor_abandoned_is_overflowed():
    board = a_board()
    waited(board, 1, 300)

    one = figures(board)
    assert (one.answered, one.abandoned, one.overflowed) == (0, 0, 1)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [(Outcome.ABANDONED, (1, 0)), (Outcome.LOST, (0, 1)), (Outcome.TIMEOUT, (0, 1))],
)
def test_a_call_that_ends_while_it_waits_leaves_the_queue_with_it(outcome, counted):
    board = a_board()
    ends(board, joins(board, a_call(1), 0), 30, outcome)

    one = figures(board)
    assert (one.waiting, one.abandoned, one.overflowed) == (0, *counted)


def test_service_level_is_answered_in_time_of_offered_without_short_abandons():
    board = a_board()
    waited(board, 1, 20, answered=True)
    waited(board, 2, 20.001, answered=True)
    waited(board, 3, 2, abandoned=True)
    waited(board, 4, 40, abandoned=True)
    waited(board, 5, 300)
    joins(board, a_call(6), 0)

    assert figures(board).service_level == 1 / 5


def test_nothing_is_made_up_where_nothing_was_offered():
    board = a_board()
    sits(board, a_member())
    document = figures_document(figures(board))

    assert (document["service_level"], document["average_speed_of_answer_s"], document["longest_waiting_since"]) == (
        None,
        None,
        None,
    )


def test_only_short_abandons_give_no_service_level():
    board = a_board()
    waited(board, 1, 1, abandoned=True)

    assert figures(board).service_level is None


def test_speed_of_answer_is_the_mean_wait_of_the_answered_in_this_queue():
    board = a_board()
    waited(board, 1, 10, answered=True)
    waited(board, 2, 25, answered=True)
    waited(board, 3, 90, abandoned=True)

    assert figures(board).average_speed_of_answer_s == 17.5


def test_waiting_and_the_longest_waiting_are_the_callers_there_now():
    board = a_board()
    first, second = joins(board, a_call(1), 0), joins(board, a_call(2), 7)
    both = figures(board)
    leaves(board, first, 10, answered=True)
    one = figures(board)
    leaves(board, second, 12, abandoned=True)
    none = figures(board)

    assert [(seen.waiting, seen.longest_waiting_since) for seen in (both, one, none)] == [
        (2, after(0)),
        (1, after(7)),
        (0, None),
    ]


def test_a_new_day_begins_at_zero_with_those_who_wait():
    board = a_board()
    waited(board, 1, 10, answered=True)
    call = joins(board, a_call(2), 0)
    board.begin_day(after(3600))
    leaves(board, call, 3610, answered=True)

    one = figures(board)
    assert (one.since, one.offered, one.answered, one.answered_in_time) == (after(3600), 1, 1, 0)


# --- agents


def test_each_member_is_counted_once_and_what_happens_wins_over_what_is_set():
    board = a_board()
    agents = ("1001", "1002", "1003", "1004", "1005", "1006", "1007")
    sits(board, *(a_member(agent) for agent in agents))
    sits(board, a_member("1004", paused=True), a_member("1005", phone=PhoneState.UNAVAILABLE))
    sits(board, a_member("1002", paused=True))  # paused while talking: shown as talking until the call is over
    board.feed(CallOffered(call=ringing(a_call(1), "1001"), at=NOON, agent=Extension("1001"), nth=1))
    board.feed(CallAnswered(call=talking(a_call(2), "1002"), at=NOON, agent=Extension("1002")))
    held = talking(a_call(3), "1003")._replace(state=CallState.HELD)
    board.feed(CallAnswered(call=held, at=NOON, agent=Extension("1003")))
    board.feed(CallAnswered(call=talking(a_call(4), "1006"), at=NOON, agent=Extension("1006")))
    ends(board, talking(a_call(4), "1006"), 0)

    assert figures(board).agents == {
        "ready": 1,
        "ringing": 1,
        "talking": 1,
        "hold": 1,
        "wrap_up": 1,
        "paused": 1,
        "not_available": 1,
    }


def test_wrap_up_lasts_its_time_and_ends_sooner_when_saved():
    board = a_board(wrap_up_seconds=30)
    sits(board, a_member("1001"), a_member("1002"))
    for number, agent in ((1, "1001"), (2, "1002")):
        board.feed(CallAnswered(call=talking(a_call(number), agent), at=NOON, agent=Extension(agent)))
        ends(board, talking(a_call(number), agent), 0)
    board.wrapped_up(Extension("1002"))

    def activities(at: float) -> list[AgentActivity]:
        return [state.activity for state in board.agents(after(at))]

    assert activities(29.9) == [AgentActivity.WRAP_UP, AgentActivity.IDLE]
    assert activities(30) == [AgentActivity.IDLE, AgentActivity.IDLE]


def test_a_call_that_went_on_elsewhere_leaves_the_first_agent_in_wrap_up():
    board = a_board()
    sits(board, a_member("1001"), a_member("1002"))
    board.feed(CallAnswered(call=talking(a_call(), "1001"), at=NOON, agent=Extension("1001")))
    board.feed(CallAnswered(call=talking(a_call(), "1002"), at=after(60), agent=Extension("1002")))

    assert [state.activity for state in board.agents(after(60))] == [AgentActivity.WRAP_UP, AgentActivity.TALKING]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(talking(a_call(direction=Direction.INTERNAL), "1001"), id="a call between agents"),
        pytest.param(ringing(a_call(), "1001"), id="a ring that was not answered"),
    ],
)
def test_there_is_nothing_to_wrap_up_after(call):
    board = a_board()
    sits(board, a_member("1001"))
    board.feed(CallOffered(call=call, at=NOON, agent=Extension("1001"), nth=1))
    ends(board, call._replace(offers=()), 5)

    assert [state.activity for state in board.agents(after(5))] == [AgentActivity.IDLE]


def test_a_talk_on_one_line_wins_over_a_ring_on_the_other():
    board = a_board()
    sits(board, a_member("1001"))
    board.feed(CallAnswered(call=talking(a_call(1), "1001"), at=NOON, agent=Extension("1001")))
    board.feed(CallOffered(call=ringing(a_call(2), "1001"), at=after(1), agent=Extension("1001"), nth=1))

    (state,) = board.agents(after(1))
    assert (state.activity, state.call_id) == (AgentActivity.TALKING, a_call(1).call_id)


def test_parties_outside_are_no_agents():
    board = a_board()
    sits(board, a_member("1001"))
    board.feed(CallAnswered(call=talking(a_call(), "external:+442079460018"), at=NOON, agent=Extension("1001")))
    ends(board, talking(a_call(), "external:+442079460018"), 5)

    assert [(state.agent, state.activity) for state in board.agents(after(5))] == [("1001", AgentActivity.IDLE)]
    assert board._wrapping_up == {}, "numbers outside would pile up for ever"


def test_an_agent_is_paused_who_is_so_in_every_queue():
    board = a_board()
    sits(board, a_member("1001"), a_member("1001", "sales", paused=True, pause_reason="lunch"))
    (half,) = board.agents(NOON)
    sits(board, a_member("1001", paused=True, pause_reason="lunch"))
    (whole,) = board.agents(NOON)

    assert (half.status, half.pause_reason) == (AgentStatus.READY, None)
    assert (whole.status, whole.pause_reason) == (AgentStatus.PAUSED, "lunch")
    assert whole.queues == ("sales", "support")


def test_paused_in_one_queue_counts_there_only():
    board = a_board()
    sits(board, a_member("1001"), a_member("1001", "sales", paused=True))

    assert (figures(board, "support").agents["ready"], figures(board, "sales").agents["paused"]) == (1, 1)


def test_since_moves_with_the_state_and_not_with_each_look():
    board = a_board()
    sits(board, a_member("1001"))
    looks = [board.agents(after(at))[0].since for at in (0, 10)]
    board.feed(CallAnswered(call=talking(a_call(), "1001"), at=after(20), agent=Extension("1001")))
    looks += [board.agents(after(at))[0].since for at in (20, 30)]

    assert looks == [NOON, NOON, after(20), after(20)]


def test_a_removed_seat_is_gone_and_a_queue_stays_without_members():
    board = a_board()
    sits(board, a_member("1001"))
    board.feed(MemberRemoved(pbx="main", queue="support", agent=Extension("1001"), at=NOON))

    assert board.agents(NOON) == ()
    assert sum(figures(board).agents.values()) == 0


def test_a_listing_takes_away_the_seats_of_its_own_pbx_that_are_not_in_it():
    board = a_board()
    sits(board, a_member("1001"), a_member("1002"), a_member("2001", "other", pbx="second"))

    board.members_listed(frozenset({("support", Extension("1002"))}), pbx="main")

    assert [state.agent for state in board.agents(NOON)] == ["1002", "2001"]


def test_live_calls_are_those_that_have_not_ended_oldest_first():
    board = a_board()
    for number in (1, 2, 3):
        board.feed(CallArrived(call=a_call(number), at=NOON))
    ends(board, a_call(2), 1)

    assert [call.call_id for call in board.calls()] == [a_call(1).call_id, a_call(3).call_id]
    assert board.call(CallId(a_call(2).call_id)) is None
