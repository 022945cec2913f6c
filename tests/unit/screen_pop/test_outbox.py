"""The outbox: bounded in number, bytes and age; says so when it cannot replay."""

from screen_pop.outbox import KEEP_ACKED_SECONDS, MAX_AGE_SECONDS, Gap, LatestStates, Outbox, OutboxEvent


def ids_after(outbox: Outbox, event_id: int) -> list[int] | str:
    ids = []
    while event := outbox.next_after(event_id):
        if isinstance(event, Gap):
            return event.reason
        event_id = event.event_id
        ids.append(int(event_id))
    return ids


def test_ids_rise_by_one_from_the_first() -> None:
    outbox = Outbox(first_id=100)
    assert (outbox.newest_id, ids_after(outbox, 99)) == (99, [])

    events = [outbox.append(b"x", now=0), outbox.append(b"y", now=0)]

    assert [event.event_id for event in events] == [100, 101]
    assert outbox.next_after(100) == OutboxEvent(event_id=events[1].event_id, at=0, body=b"y")
    assert (outbox.behind(99), outbox.behind(101)) == (2, 0)


def test_what_was_never_given_and_what_is_gone_are_gaps() -> None:
    outbox = Outbox(capacity=2)
    for _ in range(5):
        outbox.append(b"x", now=0)

    assert [ids_after(outbox, event_id) for event_id in (2, 3, 4, 5, 6)] == ["too_old", [4, 5], [5], [], "unknown_id"]


def test_bytes_are_bounded_but_the_newest_event_is_always_there() -> None:
    outbox = Outbox(max_bytes=100)
    for _ in range(3):
        outbox.append(b"x" * 60, now=0)
    assert ids_after(outbox, 1) == "too_old"

    outbox.append(b"x" * 500, now=0)

    assert (ids_after(outbox, 3), ids_after(outbox, 2)) == ([4], "too_old")


def test_old_events_fall_out() -> None:
    outbox = Outbox()
    outbox.append(b"x", now=0)
    outbox.append(b"y", now=MAX_AGE_SECONDS + 1)

    assert (ids_after(outbox, 0), ids_after(outbox, 1)) == ("too_old", [2])


def test_acknowledged_events_stay_a_while_for_the_other_tabs() -> None:
    outbox = Outbox()
    outbox.append(b"x", now=0)
    outbox.append(b"y", now=0)

    assert outbox.ack(1)
    assert not outbox.ack(3)
    outbox.prune(now=KEEP_ACKED_SECONDS)
    before = ids_after(outbox, 0)
    outbox.prune(now=KEEP_ACKED_SECONDS + 1)

    assert (before, ids_after(outbox, 0), ids_after(outbox, 1)) == ([1, 2], "too_old", [2])


def test_of_live_states_the_newest_wins_and_nothing_else_is_lost() -> None:
    latest = LatestStates()
    for key, document in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        latest.put("queue.figures", key, document)
    latest.put("agent.state", "1001", b"4")

    assert [latest.take(), latest.take(), latest.take()] == [
        ("queue.figures", (b"3", b"2")),
        ("agent.state", (b"4",)),
        None,
    ]
