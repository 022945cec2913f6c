"""A customer written over in the journal: nothing of that one is left, and the replay tells everything else as before."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId, call_document
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.person import Erased, Traces
from cti_bridge.domain.phone_number import to_e164
from cti_bridge.journal.erase import erase, finish, is_written_now
from cti_bridge.journal.reader import tail_of
from cti_bridge.journal.segments import segments_of
from cti_bridge.journal.traces import Finder
from cti_bridge.journal.writer import JournalLimits
from cti_bridge.recovery import replay
from cti_bridge.rights import PersonRights
from tests.support.journals import ROOMY, a_journal, chunks, closed, items_of, opened, read, received, torn, written
from tests.support.replayed import a_tracker
from tests.support.store import NOW

SMALL = JournalLimits(segment_bytes=60_000, max_bytes=ROOMY.max_bytes, max_age=ROOMY.max_age)
OF_THE_CALLER = {"customer_number", "presented_number", "customer_name"}
ROOT = Path(__file__).parents[3]


def a_finder(*numbers: str, **others: Any) -> Finder:
    known: dict[str, Any] = {"shown": frozenset(), "names": frozenset(), "calls": frozenset()} | others
    return Finder(Traces(numbers=frozenset(numbers), **known), "main", "GB")


async def calls_in(folder: Path) -> dict[str, dict[str, Any]]:
    """What a replay of the journal tells of its calls."""
    past = await replay(tail_of(folder), a_tracker())
    assert past.torn == 0
    ended = {call_id: call_document(events[-1].call) for call_id, events in past.ended.items()}
    return ended | {call_id: call_document(events[-1].call) for call_id, events in past.live.items()}


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


@pytest.mark.parametrize(
    "name",
    [
        "q_two_callers", "q_weight_vip_first", "three_queues", "two_lines_one_transferred", "threeway_then_blind", "cid_utf8",
        "cid_national", "local_n_attended_chain", "out_answered", "out_transfer_external", "park_retrieve", "pickup_group",
        "hold_and_consult_twice_then_park", "xfer_chain", "ami_gap_transfer_in_gap", "did_forward_302_external",
    ],
)  # fmt: skip
async def test_a_caller_is_gone_and_all_others_are_told_as_before(tmp_path: Path, name: str):
    """Recorded on a real Asterisk; the numbers are Dutch ones."""
    await written(tmp_path, *items_of(name), limits=SMALL)
    before = await calls_in(tmp_path)
    shown = next(call["customer_number"] for call in before.values() if call["direction"] != "internal")
    number = to_e164(shown, "NL") or shown
    theirs = {one: call for one, call in before.items() if call["customer_number"] in {shown, number}}
    names = frozenset(call["customer_name"] for call in theirs.values() if call["customer_name"])
    sizes = [segment.ami.stat().st_size for segment in segments_of(tmp_path)]
    calls = frozenset(map(CallId, theirs))
    traces = Traces(numbers=frozenset({number}), shown=frozenset({shown}), names=names, calls=calls)

    places = erase(tmp_path, Finder(traces, "main", "NL"))

    after = await calls_in(tmp_path)
    assert places > 10
    assert [segment.ami.stat().st_size for segment in segments_of(tmp_path)] == sizes
    left = everything_in(tmp_path)
    assert [one for one in (shown.removeprefix("0"), *names) if one.encode() in left] == []
    assert after.keys() == before.keys()
    for call_id, call in before.items():
        changed = {key for key, value in call.items() if after[call_id][key] != value}
        assert changed <= (OF_THE_CALLER if call_id in theirs else set())
    assert {character for call_id in theirs for character in after[call_id]["customer_number"]} <= {" ", "x"}
    assert {file.suffix for file in tmp_path.iterdir()} == {".ami", ".ts"}


def event(**headers: str) -> bytes:
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    return f"Event: X\r\n{lines}\r\n".encode()


OURS, ID = "02079460018", "1795315288.45"


@pytest.mark.parametrize(
    ("header", "value", "left"),
    [
        ("CallerIDNum", "02079460018", " " * 11),
        ("CallerIDNum", "+442079460018", " " * 13),
        ("DestConnectedLineNum", "00442079460018", " " * 14),
        ("ParkeeCallerIDNum", "442079460018", " " * 12),
        ("Exten", "902079460018", " " * 12),
        ("Channel", "Local/02079460018@out-00000012;1", "Local/xxxxxxxxxxx@out-00000012;1"),
        ("DialString", "itsp/sip:+442079460018@trunk", "itsp/sip:xxxxxxxxxxxxx@trunk"),
        ("Value", "<02079460018>,30", "<xxxxxxxxxxx>,30"),
        ("CallerIDNum", "02079460019", "02079460019"),
        ("CallerIDNum", "1020794600181", "1020794600181"),
        ("Exten", "0018", "0018"),
        ("Exten", "1001", "1001"),
        ("Uniqueid", "02079460018.7", "02079460018.7"),
        ("Timestamp", "02079460018.224247", "02079460018.224247"),
        ("Channel", "PJSIP/trunk-79460018", "PJSIP/trunk-79460018"),
    ],
)
async def test_every_written_form_goes_and_nothing_alike(tmp_path: Path, header: str, value: str, left: str):
    data = event(**{header: value, "Other": "12345"})
    await written(tmp_path, opened(0), received(1, data))

    erase(tmp_path, a_finder("+442079460018"))

    assert chunks(read(tmp_path)) == [event(**{header: left, "Other": "12345"})]


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        pytest.param({"CallerIDNum": OURS, "CallerIDName": "Zoë"}, {"CallerIDName": "    "}, id="beside the number"),
        pytest.param({"CallerIDNum": "1001", "CallerIDName": "Zoë"}, {"CallerIDName": "Zoë"}, id="of an agent"),
        pytest.param({"ConnectedLineName": "Zoë", "Linkedid": ID}, {"ConnectedLineName": "    "}, id="in the own call"),
        pytest.param({"ConnectedLineName": "Zoë", "Linkedid": "1.1"}, {"ConnectedLineName": "Zoë"}, id="in another call"),
        pytest.param({"CallerIDNum": OURS, "CallerIDName": "<unknown>"}, {"CallerIDName": "<unknown>"}, id="none was shown"),
        pytest.param({"Value": '"Zoë" <7>', "Linkedid": ID}, {"Value": '"xxxx" <7>'}, id="within a variable"),
        pytest.param({"CallerIDName": "Z?", "Uniqueid": ID}, {"CallerIDName": "  "}, id="of who showed no number"),
        pytest.param({"CallerIDNum": "alice7", "Uniqueid": ID}, {"CallerIDNum": "      "}, id="a number in letters"),
        pytest.param({"CallerIDNum": "alice7", "Uniqueid": "1.1"}, {"CallerIDNum": "alice7"}, id="the same of another"),
    ],
)
async def test_names_go_with_their_owner_only(tmp_path: Path, headers: dict[str, str], left: dict[str, str]):
    await written(tmp_path, opened(0), received(1, event(**headers)))

    erase(
        tmp_path,
        a_finder("+442079460018", names=frozenset({"Zoë"}), shown=frozenset({"alice7"}), calls=frozenset({CallId(f"main:{ID}")})),
    )

    (data,) = chunks(read(tmp_path))
    assert {key: value for key, value in told_in(data).items() if key in left} == left


def told_in(data: bytes) -> dict[str, str]:
    lines = (line.partition(": ") for line in data.decode().split("\r\n"))
    return {key: value for key, _, value in lines}


async def test_an_event_in_many_chunks_is_one_event(tmp_path: Path):
    data = event(CallerIDNum=OURS, CallerIDName="Zoë") + event(CallerIDNum="02079460019")
    await written(tmp_path, opened(0), *(received(at, data[at : at + 1]) for at in range(len(data))))

    places = erase(tmp_path, a_finder("+442079460018"))

    items = read(tmp_path)
    assert places == 2
    assert torn(items) == []
    assert b"".join(chunks(items)) == event(CallerIDNum=" " * 11, CallerIDName="    ") + event(CallerIDNum="02079460019")


@pytest.mark.parametrize("cut", ["CallerIDNum: 0207946", "CallerIDName: Zo", "Exten: 02"])
async def test_a_number_in_which_the_link_broke_off_is_gone_whoevers_it_was(tmp_path: Path, cut: str):
    half = event(Channel="PJSIP/trunk-00000001")[:-2] + cut.encode()
    again = event(CallerIDNum="02079460019")
    await written(tmp_path, opened(0), received(1, half), closed(2), opened(3, conn=2), received(4, again, conn=2))

    erase(tmp_path, a_finder("+442079460018"))

    value = cut.partition(": ")[2]
    items = read(tmp_path)
    assert torn(items) == []
    assert chunks(items) == [half[: -len(value)] + b" " * len(value), again]
    assert erase(tmp_path, a_finder("+442079460018")) == 0


async def test_what_was_damaged_before_stays_told_as_damaged(tmp_path: Path):
    await written(tmp_path, opened(0), received(1, event(CallerIDNum=OURS)), received(2, event(CallerIDNum=OURS)))
    (segment,) = segments_of(tmp_path)
    data = segment.ami.read_bytes()
    segment.ami.write_bytes(data.replace(b"Event: X", b"Event: Y", 1))

    erase(tmp_path, a_finder("+442079460018"))

    items = read(tmp_path)
    assert len(torn(items)) == 1
    assert chunks(items) == [event(CallerIDNum=" " * 11)]
    assert OURS.encode() not in everything_in(tmp_path)


async def test_a_running_journal_ends_its_segment_between_two_events(tmp_path: Path):
    journal = a_journal(tmp_path)
    half = event(CallerIDNum=OURS)
    for item in (opened(0), received(1, half[:-20])):
        journal.take(item)

    erasing = asyncio.create_task(journal.erase(a_finder("+442079460018")))
    await asyncio.sleep(0)
    assert not erasing.done()
    journal.take(received(2, half[-20:]))
    assert await erasing == 1
    journal.take(received(3, event(CallerIDNum="02079460019")))
    assert await journal.erase(a_finder("+442079460018")) == 0
    await journal.close()

    assert [segment.ami.read_bytes() for segment in segments_of(tmp_path)] == [
        event(CallerIDNum=" " * 11),
        event(CallerIDNum="02079460019"),
    ]
    assert torn(read(tmp_path)) == []


async def test_another_program_sees_that_a_service_writes(tmp_path: Path):
    journal = a_journal(tmp_path)
    journal.take(opened(0))
    while_open = is_written_now(tmp_path)
    await journal.close()

    assert (while_open, is_written_now(tmp_path), is_written_now(tmp_path / "none")) == (True, False, False)


KILLED = """
from pathlib import Path
from tests.unit.journal.test_erase import a_finder
from cti_bridge.journal.erase import erase
erase(Path({folder!r}), a_finder("+442079460018"))
"""


@pytest.mark.parametrize("place", ["journal.erase", "journal.erased"])
async def test_a_kill_leaves_the_old_segment_or_the_new_one(tmp_path: Path, place: str):
    """Killed by itself at both places, in a process of its own."""
    await written(tmp_path, opened(0), received(1, event(CallerIDNum=OURS)), received(2, event(CallerIDNum="02079460019")))

    script = KILLED.format(folder=str(tmp_path))
    environment = {"CTI_KILLPOINT": f"{place}:1", "PYTHONPATH": str(ROOT), "PATH": ""}
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=False)
    finish(tmp_path)

    assert killed.returncode == -9
    items = read(tmp_path)
    assert torn(items) == []
    assert chunks(items) == [event(CallerIDNum=" " * 11), event(CallerIDNum="02079460019")]
    assert {file.suffix for file in tmp_path.iterdir()} == {".ami", ".ts"}


async def test_a_plan_that_was_not_written_whole_is_dropped(tmp_path: Path):
    await written(tmp_path, opened(0), received(1, event(CallerIDNum=OURS)))
    (segment,) = segments_of(tmp_path)
    segment.ami.with_suffix(".erase").write_bytes(b'0000000001 {"places":[[10,"xx')

    finish(tmp_path)

    assert chunks(read(tmp_path)) == [event(CallerIDNum=OURS)]
    assert {file.suffix for file in tmp_path.iterdir()} == {".ami", ".ts"}


class FakeStore:
    """A customer who is known by one number."""

    erased: int | None = None

    async def traces(self, account_id: AccountId) -> Traces:
        return a_finder("+442079460018").traces

    async def erase(self, account_id: AccountId, *, by: str, now: Any, journal: int) -> Erased:
        self.erased = journal
        return Erased(account_id=account_id, accounts=1, interactions=0, cases=0, journal=journal)


class Disk:
    async def erase(self, finder: Finder) -> int:
        return 3


class BrokenDisk:
    async def erase(self, finder: Finder) -> int:
        raise OSError(28, "No space left on device")


async def test_the_journal_goes_first_and_the_store_not_without_it(tmp_path: Path):
    """The store alone knows what to look for: it must still know when the disk failed."""
    store = FakeStore()

    with pytest.raises(StorageError, match="journal of main cannot be written: No space left"):
        await PersonRights(store, {"main": BrokenDisk()}, region="GB").erase(AccountId("a"), by="root", now=NOW)
    assert store.erased is None
    await PersonRights(store, {"main": Disk(), "second": Disk()}, region="GB").erase(AccountId("a"), by="root", now=NOW)
    assert store.erased == 6
