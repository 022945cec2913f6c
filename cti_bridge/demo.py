"""The demo that `make run` starts: the real service, a PBX simulator that it talks AMI with, a CRM, sample customers, sign-ins.

Everything lives in one folder that is made anew at each start; nothing of it is for production.
"""

import asyncio
import random
import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any

import uuid_utils
from pydantic import SecretStr

from config.settings import (
    DatabaseSettings,
    FastAgiSettings,
    JournalSettings,
    LogSettings,
    NumberSettings,
    PbxSettings,
    QueueSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
)
from cti_bridge import logs
from cti_bridge.app import Application, on_stop_signals
from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.call import Direction, Extension, Outcome
from cti_bridge.domain.case import CaseKind
from cti_bridge.domain.interaction import Interaction, InteractionId
from cti_bridge.domain.profile import Alert, AlertKind, KeyDate, Stage
from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource
from cti_bridge.domain.user import Role
from cti_bridge.simulator.crm import SimulatedCrm
from cti_bridge.simulator.customers import CUSTOMERS, Customer, PastContact
from cti_bridge.simulator.demo_callers import demo_callers
from cti_bridge.simulator.pbx import SimulatedPbx
from cti_bridge.simulator.scenarios import Habits
from cti_bridge.simulator.world import WRAP_UP_SECONDS, demo_world

PASSWORD = "demo-demo"  # noqa: S105 - printed on the screen, for a database that is thrown away
CALLERS_A_MINUTE = 5.0
HABITS = Habits(median_talk=40.0)
"""Six agents are then busy four fifths of the time: now and then somebody waits, and a seventh is welcome."""
USERS = (
    ("alice", "Alice Morgan", Role.AGENT, "1001", "en"),
    ("wangfang", "王芳", Role.AGENT, "1002", "zh"),
    ("sam", "Sam Rivera", Role.SUPERVISOR, None, "en"),
    ("admin", "Admin", Role.ADMIN, None, "en"),
)


def demo_settings(folder: Path, *, port: int, pbx_port: int, secret: str) -> Settings:
    return Settings(
        server=ServerSettings(port=port),
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{folder / 'demo.db'}"),
        journal=JournalSettings(directory=folder / "journal"),
        numbers=NumberSettings(region="GB"),
        fastagi=FastAgiSettings(port=0),
        routing=RoutingSettings(file=folder / "routing.yaml"),
        queues=QueueSettings(wrap_up_seconds=round(WRAP_UP_SECONDS)),
        log=LogSettings(level="warning", format="console"),
        pbx=(PbxSettings(name="demo", port=pbx_port, username="cti", secret=SecretStr(secret)),),
    )


async def run_demo(*, folder: Path, port: int, say: Callable[[str], None], rate: float = CALLERS_A_MINUTE) -> None:
    """Runs until SIGINT or SIGTERM. Raises OSError where an address is taken."""
    await asyncio.to_thread(_make, folder)
    secret = secrets.token_urlsafe()
    pbx = SimulatedPbx(
        world=demo_world(), username="cti", secret=secret, random=random.Random(), callers=demo_callers(), habits=HABITS
    )
    for _, _, _, extension, _ in USERS:
        if extension is not None:
            pbx.pause(extension, reason="off shift")  # a newcomer's phone rings soon after the shift began, and not before
    async with pbx, SimulatedCrm() as crm:
        settings = demo_settings(folder, port=port, pbx_port=pbx.port, secret=secret)
        settings = settings.model_copy(update={"external": (crm.settings(),)})
        logs.configure(settings.log)
        application = Application(settings)
        on_stop_signals(application.stop)
        await application.prepare_store()
        await seed(application, now=datetime.now(UTC))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_greet(application, pbx, say, rate), name="greeting")
            await application.run()
    say("Stopped. Good-bye.")


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "routing.yaml").write_bytes((files("config") / "routing.example.yaml").read_bytes())


async def _greet(application: Application, pbx: SimulatedPbx, say: Callable[[str], None], rate: float) -> None:
    await application.started.wait()
    address = f"http://127.0.0.1:{application.port}"
    say(f"\ncti-bridge demo: {address}   (callers come by themselves; Ctrl-C stops it)\n")
    for username, name, role, extension, _ in USERS:
        phone = f"phone {extension}" if extension else ""
        say(f"  {role.value:<11} {username:<9} password {PASSWORD}   {address}/{role.value:<11} {name} {phone}")
    say("\nSign in as an agent, start the shift, and answer when the phone rings. In another window: the supervisor's board.\n")
    pbx.ask_routes_of(application.settings.fastagi.host, application.agi_port)
    pbx.start_callers(rate)


FILES: dict[str, dict[str, Any]] = {
    "Eleanor Whitfield": {
        "stage": Stage.LOYAL,
        "preferences": "to be rung before nine",
        "taboos": "being put on hold",
        "dates": (KeyDate(name="contract ends", on=date(2027, 3, 31)),),
    },
    "王建国": {"stage": Stage.HIGH_VALUE, "preferences": "普通话，请称呼王总", "preferred_agent": "1002"},
    "Tom Aldridge": {"alerts": (Alert(kind=AlertKind.COMPLAINT_OPEN, text="second parcel was broken"),)},
}
"""What stands in some customers' files."""
PROMISES = {"Eleanor Whitfield": "Ring back about the hinges", "李娜": "回电告知到货日期"}
"""Call-backs that are due."""
COMPLAINTS = {"Tom Aldridge": ((38, "first parcel was broken"), (11, "second parcel was broken"))}
"""Days ago, and what about: always the same."""
SCORES = {"Eleanor Whitfield": (4, None, None, 5), "王建国": (2, 3, 2)}
"""How satisfied some were with their contacts, newest first."""


async def seed(application: Application, *, now: datetime) -> None:
    """Puts the demo's people, customers and their history into an empty store."""
    for username, name, role, extension, language in USERS:
        await application.users.add(
            username=username, name=name, role=role, extension=extension, language=language, password=PASSWORD
        )
    for customer in CUSTOMERS:
        account = await application.accounts.create(
            name=customer.name,
            company=customer.company,
            tier=customer.tier,
            language=customer.language,
            note=customer.note,
            contact_points=_contact_points(customer),
            now=now - timedelta(days=400),
        )
        for contact, score in zip_longest(customer.history, SCORES.get(customer.name, ())):
            interaction = _interaction(contact, account.account_id, now)
            if score is not None:
                given = Satisfaction(score=score, source=ScoreSource.SURVEY, by="sam", at=interaction.started_at)
                interaction = replace(interaction, satisfaction=given)
            await application.interactions.add(interaction, idempotency_key=None)
        await _fill_file(application, account, now)


async def _fill_file(application: Application, account: Account, now: datetime) -> None:
    """What is known of some customers, and what was promised to them."""
    if (file := FILES.get(account.name)) is not None:
        await application.profiles.change(account.account_id, file, now=now)
    if (promised := PROMISES.get(account.name)) is not None:
        await application.cases.open(
            account.account_id,
            kind=CaseKind.CALL_BACK,
            subject=promised,
            by="sam",
            now=now,
            owner="alice",
            due_at=now + timedelta(hours=1),
        )
    for days, subject in COMPLAINTS.get(account.name, ()):
        opened, kind = now - timedelta(days=days), CaseKind.COMPLAINT
        await application.cases.open(
            account.account_id, kind=kind, subject=subject, by="alice", now=opened, problem="broken parcel"
        )
    await application.relations.refresh([account.account_id], now=now)


def _contact_points(customer: Customer) -> list[tuple[ContactKind, str, str | None]]:
    points: list[tuple[ContactKind, str, str | None]] = [(ContactKind.PHONE, phone, None) for phone in customer.phones]
    if customer.email is not None:
        points.append((ContactKind.EMAIL, customer.email, None))
    return points


def _interaction(contact: PastContact, account_id: AccountId, now: datetime) -> Interaction:
    started = now - timedelta(days=contact.days_ago)
    return Interaction(
        interaction_id=InteractionId(str(uuid_utils.uuid7())),
        account_id=account_id,
        channel=contact.channel,
        direction=Direction.OUTBOUND if contact.outbound else Direction.INBOUND,
        started_at=started,
        ended_at=started + timedelta(minutes=contact.minutes) if contact.minutes else None,
        agent=Extension(contact.agent) if contact.agent else None,
        queue=contact.queue,
        outcome=Outcome.ANSWERED.value if contact.agent else None,
        subject=contact.subject,
        disposition=contact.disposition,
        note=contact.note,
        call_id=None,
        call=None,
    )
