"""Satisfaction scores in the store, on both databases: who may say what, and what stays when a contact is put right."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cti_bridge.domain.audit import DropGhost, MergeCall
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.call import CallId
from cti_bridge.domain.interaction import InteractionId
from cti_bridge.domain.satisfaction import ScoreRefused, ScoreSource
from cti_bridge.domain.webhook import WebhookEvent
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.audits import Audits
from storage.database import Database
from storage.interactions import Interactions
from storage.recorder import Recorder
from storage.schema import new_id
from storage.scores import Scores
from storage.webhooks import Deliveries, Outbox
from tests.support.relations import a_score
from tests.support.store import NOW, a_finished_call, an_account, an_email

AGENTS = a_score(2, source=ScoreSource.AGENT, by="1002", comment=None)
CUSTOMERS = a_score(5, source=ScoreSource.SURVEY, by="ivr", comment="good <b>")


@pytest.fixture
def interactions(database: Database) -> Interactions:
    return Interactions(database)


@pytest.fixture
def scores(database: Database) -> Scores:
    return Scores(database)


@pytest.fixture
async def contact(interactions: Interactions) -> InteractionId:
    return (await interactions.add(an_email(), idempotency_key=None)).interaction_id


async def put(scores: Scores, contact: InteractionId, given, *, by_agent: bool = False):
    return await scores.set(contact, given, by="sue", by_agent=by_agent, now=NOW)


async def test_a_score_stands_on_the_contact_and_is_replaced_and_taken_back(interactions, scores, contact):
    first = await put(scores, contact, AGENTS, by_agent=True)
    second = await put(scores, contact, CUSTOMERS)
    stored = await interactions.by_id(contact)
    gone = await put(scores, contact, None)

    assert first.satisfaction == AGENTS
    assert second.satisfaction == stored.satisfaction == CUSTOMERS
    assert gone.satisfaction is None
    assert await put(scores, InteractionId(new_id()), AGENTS) is None


@pytest.mark.parametrize(("given", "by_agent"), [(AGENTS, True), (AGENTS, False), (None, True)])
async def test_an_agents_impression_does_not_replace_what_the_customer_said(interactions, scores, contact, given, by_agent):
    await put(scores, contact, CUSTOMERS)

    with pytest.raises(ScoreRefused, match="customer gave"):
        await put(scores, contact, given, by_agent=by_agent)

    assert (await interactions.by_id(contact)).satisfaction == CUSTOMERS


async def test_who_changes_the_customers_word_is_in_the_audit_log(database, scores, contact):
    for given in (AGENTS, CUSTOMERS, CUSTOMERS, replace(CUSTOMERS, score=1), None):
        await put(scores, contact, given)

    log = await AuditLog(database).list(cursor=None, limit=10)
    assert [(one.action, one.actor, one.subject, one.detail) for one in reversed(log.items)] == [
        (AuditAction.SCORE_REPLACED, "sue", contact, {"before": 5, "after": 1}),
        (AuditAction.SCORE_REPLACED, "sue", contact, {"before": 1, "after": None}),
    ]


async def test_a_contact_comes_with_its_score_and_a_repeated_one_changes_nothing(interactions):
    first = await interactions.add(an_email(satisfaction=CUSTOMERS), idempotency_key="k")
    again = await interactions.add(an_email(satisfaction=AGENTS), idempotency_key="k")

    assert again == first
    assert first.satisfaction == CUSTOMERS


async def test_the_wrap_up_scores_a_call_before_and_after_its_record_and_spares_the_customers_word(database, scores):
    call = a_finished_call()
    recorder = Recorder(database)
    early = await recorder.set_wrap_up(call.call_id, {"satisfaction": AGENTS, "note": "calm"}, call=call, now=NOW)
    better = replace(AGENTS, score=4)
    later = await recorder.set_wrap_up(call.call_id, {"satisfaction": better}, call=call, now=NOW)
    await put(scores, early.interaction_id, CUSTOMERS)

    spared = await recorder.set_wrap_up(call.call_id, {"satisfaction": AGENTS, "note": "calm now"}, call=call, now=NOW)

    assert (early.satisfaction, early.note) == (AGENTS, "calm")
    assert (later.satisfaction, later.note) == (better, "calm")
    assert (spared.satisfaction, spared.note) == (CUSTOMERS, "calm now")


async def test_webhooks_are_told_of_scores_without_what_the_customer_wrote(database, contact):
    outbox = Outbox(database=database, asked_for={WebhookEvent.INTERACTION_SCORED: ["crm"]}, now=lambda: NOW)
    call = a_finished_call()

    await put(Scores(database, outbox), contact, CUSTOMERS)
    await Recorder(database, outbox=outbox).set_wrap_up(call.call_id, {"satisfaction": AGENTS}, call=call, now=NOW)
    await Recorder(database, outbox=outbox).set_wrap_up(call.call_id, {"note": "no score"}, call=call, now=NOW)

    told = [delivery.body for delivery in await Deliveries(database).due("crm", now=NOW, limit=9)]
    assert sorted(body.partition('"score":')[2] for body in told) == ['2,"source":"agent"}}', '5,"source":"survey"}}']
    assert not any("good" in body for body in told)


async def test_doubled_calls_merged_by_an_audit_keep_the_score(database, interactions):
    recorder, audits = Recorder(database), Audits(database)
    keep, drop = CallId("main:1.1"), CallId("main:1.2")
    await recorder.set_wrap_up(keep, {"note": "a"}, call=None, now=NOW)
    await recorder.set_wrap_up(drop, {"satisfaction": AGENTS}, call=None, now=NOW)

    await audits.mend([MergeCall(keep=keep, drop=drop)])

    assert (await interactions.by_call(keep)).satisfaction == AGENTS
    assert await interactions.by_call(drop) is None


async def test_a_scored_contact_is_never_removed_as_a_ghost(database, interactions):
    call_id = CallId("main:1.1")
    await Recorder(database).set_wrap_up(call_id, {"satisfaction": AGENTS}, call=None, now=NOW)

    await Audits(database).mend([DropGhost(call_id=call_id)])

    assert (await interactions.by_call(call_id)).satisfaction == AGENTS


async def test_the_timeline_shows_scores_on_the_account_that_has_the_contact(database, interactions):
    account = await an_account(Accounts(database, region="GB"))
    for minute, given in enumerate((AGENTS, None, CUSTOMERS)):
        await interactions.add(an_email(minute, account_id=account.account_id, satisfaction=given), idempotency_key=None)

    page = await interactions.timeline(account.account_id, cursor=None, limit=9)

    assert [one.satisfaction for one in page.items] == [CUSTOMERS, None, AGENTS]
    assert page.items[0].started_at == NOW + timedelta(minutes=2)
