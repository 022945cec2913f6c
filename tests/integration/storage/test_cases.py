"""What was promised to a customer is kept in the store until it is kept in fact, on both databases."""

from datetime import timedelta

import pytest

from cti_bridge.domain.account import Account, AccountId
from cti_bridge.domain.call import CallId
from cti_bridge.domain.case import CaseFilter, CaseId, CaseKind, CaseRefused, ComplaintStep
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.merges import Merges
from tests.support.store import NOW, an_account

HOUR = timedelta(hours=1)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database)


@pytest.fixture
async def zoe(accounts: Accounts) -> Account:
    return await an_account(accounts)


async def promise(cases: Cases, account: Account, subject: str = "Ring back", **more):
    fields = {"kind": CaseKind.CALL_BACK, "by": "ada", "now": NOW} | more
    return await cases.open(account.account_id, subject=subject, **fields)


async def listed(cases: Cases, **wanted) -> list[str]:
    page = await cases.list(CaseFilter(**wanted), now=NOW + 2 * HOUR, cursor=None, limit=50)
    return [case.subject for case in page.items]


async def test_a_promise_reads_back_whole(cases: Cases, zoe: Account):
    case = await promise(cases, zoe, " Ring back ", owner="bo", due_at=NOW + HOUR, problem="late parcel")

    assert await cases.by_id(case.case_id) == case
    assert (case.subject, case.owner, case.due_at, case.problem, case.step) == (
        "Ring back",
        "bo",
        NOW + HOUR,
        "late parcel",
        None,
    )


async def test_a_complaint_goes_through_its_steps_and_none_is_left_out(cases: Cases, zoe: Account):
    case = await promise(cases, zoe, kind=CaseKind.COMPLAINT)

    async def take(**changes):
        return await cases.change(case.case_id, changes, by="bo", now=NOW + HOUR)

    for changes in ({"step": ComplaintStep.DECIDED}, {"is_open": False}):
        with pytest.raises(CaseRefused) as refused:
            await take(**changes)
        assert refused.value.kind == "step-left-out"
    for step in list(ComplaintStep)[1:]:
        assert (await take(step=step)).step is step
    closed = await take(is_open=False, solution="sent again\nby courier")

    assert (closed.closed_by, closed.closed_at, closed.solution) == ("bo", NOW + HOUR, "sent again\nby courier")
    assert (await take(is_open=True)).closed_at is None


async def test_the_most_urgent_promises_come_with_the_pop_and_the_rest_is_counted(cases: Cases, accounts: Accounts, zoe: Account):
    for hours, kind in ((3, CaseKind.REQUEST), (1, CaseKind.COMPLAINT), (9, CaseKind.CALL_BACK), (-1, CaseKind.REQUEST)):
        await promise(cases, zoe, f"{kind} in {hours}", kind=kind, due_at=NOW + hours * HOUR)
    for number in range(3):
        await promise(cases, zoe, f"some day {number}", kind=CaseKind.FOLLOW_UP)
    closed = await promise(cases, zoe, "kept", due_at=NOW)
    await cases.change(closed.case_id, {"is_open": False}, by="bo", now=NOW)
    other = await an_account(accounts, "Bo", phone="020 7946 0019")
    await promise(cases, other, "another customer's")

    (zoes,) = await accounts.by_phone("+442079460018")
    (others,) = await accounts.by_phone("+442079460019")

    assert zoes.commitments is not None
    assert others.commitments is not None
    assert [case.subject for case in zoes.commitments.cases] == [
        "call_back in 9", "request in -1", "complaint in 1", "request in 3", "some day 0",
    ]  # fmt: skip
    assert (zoes.commitments.more, others.commitments.more) == (2, 0)
    assert await cases.open_of(zoe.account_id) == zoes.commitments
    assert len((await cases.open_of(zoe.account_id, at_most=200)).cases) == 7


async def test_a_promise_remembers_the_call_that_kept_it_until_it_is_opened_again(cases: Cases, zoe: Account):
    case = await promise(cases, zoe)
    call_id = CallId("main:1.1")

    kept = await cases.change(case.case_id, {"is_open": False}, by="bo", now=NOW + HOUR, call_id=call_id)
    again = await cases.change(case.case_id, {"is_open": False}, by="cy", now=NOW + 2 * HOUR, call_id=CallId("main:2.1"))
    opened = await cases.change(case.case_id, {"is_open": True}, by="bo", now=NOW + 3 * HOUR)

    assert (kept.closed_by_call, again) == (call_id, kept)  # who kept it first stays
    assert (opened.closed_by_call, opened.closed_at) == (None, None)


async def test_only_complaints_have_steps(cases: Cases, zoe: Account):
    case = await promise(cases, zoe)

    with pytest.raises(CaseRefused) as refused:
        await cases.change(case.case_id, {"step": ComplaintStep.RECORDED}, by="bo", now=NOW)

    assert refused.value.kind == "not-a-complaint"


async def test_lists_are_by_account_owner_kind_and_whether_it_is_time(cases: Cases, accounts: Accounts, zoe: Account):
    other = await an_account(accounts, "Bo")
    await promise(cases, zoe, "late", due_at=NOW + HOUR)
    await promise(cases, zoe, "in time", due_at=NOW + 3 * HOUR, owner="bo", now=NOW + HOUR)
    kept = await promise(cases, other, "kept", kind=CaseKind.REQUEST, due_at=NOW + HOUR)
    await cases.change(kept.case_id, {"is_open": False}, by="bo", now=NOW + HOUR)

    assert await listed(cases) == ["in time", "kept", "late"] or await listed(cases) == ["in time", "late", "kept"]
    assert await listed(cases, account=zoe.account_id) == ["in time", "late"]
    assert await listed(cases, owner="bo") == ["in time"]
    assert await listed(cases, kind=CaseKind.REQUEST) == await listed(cases, is_open=False) == ["kept"]
    assert await listed(cases, overdue=True) == ["late"]
    assert [case.subject for case in (await cases.open_of(zoe.account_id)).cases] == ["late", "in time"]


async def test_pages_follow_each_other(cases: Cases, zoe: Account):
    for number in range(5):
        await promise(cases, zoe, str(number))  # all at the same moment
    seen, cursor = [], None
    while True:
        page = await cases.list(CaseFilter(), now=NOW, cursor=cursor, limit=2)
        seen += [case.subject for case in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert sorted(seen) == ["0", "1", "2", "3", "4"]


async def test_what_runs_out_is_escalated_once_and_again_for_a_new_time(cases: Cases, zoe: Account):
    case = await promise(cases, zoe, due_at=NOW + HOUR)
    await promise(cases, zoe, "without a time")

    early, late, again = [await cases.escalate(now=NOW + minutes * HOUR / 60) for minutes in (59, 60, 61)]
    await cases.change(case.case_id, {"due_at": NOW + 2 * HOUR}, by="bo", now=NOW + HOUR)

    assert [len(early), [one.case_id for one in late], len(again)] == [0, [case.case_id], 0]
    assert [one.case_id for one in await cases.escalate(now=NOW + 3 * HOUR)] == [case.case_id]


async def test_what_is_not_there_or_cannot_be_read_is_refused(cases: Cases, zoe: Account):
    with pytest.raises(CaseRefused, match="no account"):
        await cases.open(AccountId("none"), kind=CaseKind.REQUEST, subject="x", by="ada", now=NOW)
    with pytest.raises(CaseRefused, match="no such case"):
        await cases.change(CaseId("none"), {"owner": "bo"}, by="ada", now=NOW)
    with pytest.raises(ValueError, match="subject is empty"):
        await promise(cases, zoe, "  ")
    with pytest.raises(ValueError, match="owner is longer"):
        await promise(cases, zoe, owner="x" * 101)


async def test_promises_go_with_a_merged_account_and_come_back(
    database: Database, accounts: Accounts, cases: Cases, zoe: Account
):
    double = await an_account(accounts, "Zoe")
    await promise(cases, double, "to the double")
    merges = Merges(database, accounts)

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    after_merge = await listed(cases, account=zoe.account_id)
    since = await promise(cases, double, "since")  # by somebody who still shows the double
    await merges.undo(merge.merge_id, by="ada", now=NOW)

    assert after_merge == ["to the double"]
    assert since.account_id == zoe.account_id
    assert await listed(cases, account=double.account_id) == ["to the double"]
    assert await listed(cases, account=zoe.account_id) == ["since"]
