"""Whatever browsers do (drop, reload, two tabs), they come to know what the server knows: state + events == later state."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from screen_pop.outbox import Gap, Outbox

CAPACITY, MAX_BYTES = 8, 60


@dataclass
class Tab:
    """A browser: the state it was given, and the number of the last event it put on top."""

    state: dict[int, int] = field(default_factory=dict)
    last_event_id: int = 0
    is_connected: bool = False


class OutboxAndBrowsers(RuleBasedStateMachine):
    """The state is a small table; every event sets one key. A gap makes a browser take a snapshot, as the session does."""

    tabs = Bundle("tabs")

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(first_id=1000, capacity=CAPACITY, max_bytes=MAX_BYTES)
        self.state: dict[int, int] = {}
        self.now = 0.0
        self.all_tabs: list[Tab] = []

    @rule(target=tabs)
    def a_tab_opens(self) -> Tab:
        tab = Tab()
        self.all_tabs.append(tab)
        return tab

    @rule(key=st.integers(0, 3), value=st.integers(0, 99), padding=st.integers(0, 80))
    def something_happens(self, key: int, value: int, padding: int) -> None:
        self.state[key] = value
        event = self.outbox.append(b"%d %d" % (key, value) + b" " * padding, now=self.now)
        assert event.event_id == self.outbox.newest_id

    @rule(tab=tabs)
    def it_says_hello(self, tab: Tab) -> None:
        is_known = tab.last_event_id and not isinstance(self.outbox.next_after(tab.last_event_id), Gap)
        if not is_known:
            tab.state, tab.last_event_id = dict(self.state), self.outbox.newest_id
        tab.is_connected = True

    @rule(tab=tabs, at_most=st.integers(1, 20))
    def it_reads(self, tab: Tab, at_most: int) -> None:
        for _ in range(at_most if tab.is_connected else 0):
            match self.outbox.next_after(tab.last_event_id):
                case None:
                    assert tab.state == self.state
                    return
                case Gap():
                    tab.is_connected = False
                    return
                case event:
                    assert event.event_id == tab.last_event_id + 1
                    key, value = map(int, event.body.split())
                    tab.state[key] = value
                    tab.last_event_id = event.event_id

    @rule(tab=tabs)
    def it_acknowledges(self, tab: Tab) -> None:
        assert self.outbox.ack(tab.last_event_id)

    @rule(tab=tabs)
    def it_drops(self, tab: Tab) -> None:
        tab.is_connected = False

    @rule(tab=tabs)
    def it_reloads(self, tab: Tab) -> None:
        tab.state, tab.last_event_id, tab.is_connected = {}, 0, False

    @rule(seconds=st.floats(0, 700))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds
        self.outbox.prune(now=self.now)

    @invariant()
    def the_outbox_is_bounded(self) -> None:
        assert len(self.outbox._events) <= CAPACITY
        assert len(self.outbox._events) <= 1 or sum(len(event.body) for event in self.outbox._events) <= MAX_BYTES
        assert self.outbox._bytes == sum(len(event.body) for event in self.outbox._events)

    def teardown(self) -> None:
        for tab in self.all_tabs:
            self.it_says_hello(tab)
            while tab.last_event_id != self.outbox.newest_id:
                self.it_reads(tab, 1)
                if not tab.is_connected:
                    self.it_says_hello(tab)
            assert tab.state == self.state


TestOutboxAndBrowsers = OutboxAndBrowsers.TestCase
TestOutboxAndBrowsers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
