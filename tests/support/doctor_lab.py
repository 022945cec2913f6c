"""The doctor on the laboratory's PBX: settings for it, one look, and what that found."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.settings import Settings
from cti_bridge.doctor.examination import Report, examine
from cti_bridge.doctor.finding import Finding, Severity
from tests.support.pbx import SERVICE, Pbx
from tests.support.pbx_config import changed

RULES = "rules:\n  - {name: sales, when: {did: '8002'}, queue: sales}\ndefault: {queue: support}\n"
RIGHTS = {"read": "system,call,agent,user,dialplan", "write": "call,agent,originate,reporting", "writetimeout": "5000"}


def settings_of(pbx: Pbx, folder: Path, *accounts: str, **changes: Any) -> Settings:
    """A service for this PBX; one [[pbx]] for each account, named after it."""
    (folder / "routing.yaml").write_text(changes.pop("rules", RULES))
    record = {"cel_csv": str(pbx.cel_csv), "cdr_csv": str(pbx.cdr_csv), "queue_log": str(pbx.queue_log)}
    given = {
        "database": {"url": f"sqlite+aiosqlite:///{folder}/cti.db"},
        "journal": {"directory": str(folder / "journal")},
        "routing": {"file": str(folder / "routing.yaml")},
        "fastagi": {"host": pbx.network.service},
    }
    pbxes = [
        {"name": name, "host": pbx.network.pbx, "username": name, "secret": "cti-secret", "record": record}
        | changes.get("each_pbx", {})
        for name in accounts or (SERVICE.username,)
    ]
    return Settings.model_validate(given | {key: value for key, value in changes.items() if key != "each_pbx"} | {"pbx": pbxes})


def look(settings: Settings, *, listen: float = 0.0) -> Report:
    return asyncio.run(examine(settings, now=datetime.now(UTC), listen_seconds=listen))


def wrong(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """By code, what is not well."""
    return {finding.code: finding for finding in findings if finding.severity is not Severity.OK}


def enable_events(pbx: Pbx) -> None:
    """Clears `disabledevents`, which Asterisk keeps when its line is taken out again."""
    with changed(pbx, {"manager.conf": {"timestampevents = yes": "timestampevents = yes\ndisabledevents ="}}):
        pass
