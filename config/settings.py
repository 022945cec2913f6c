"""The settings' types: one frozen section for each component, which gets its section and never the whole.

The file is TOML; `CTI_…` environment variables override it, `__` between levels (`CTI_SERVER__PORT=8081`).
"""

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, IPvAnyNetwork, SecretStr, model_validator

from config.external import ExternalSettings
from cti_bridge.domain.account import ContactKind, Tier
from cti_bridge.domain.churn import ChurnRules
from cti_bridge.domain.merge import MergeRule
from cti_bridge.domain.retention import Periods, RetentionKind
from cti_bridge.domain.tiers import TierRule, TierRules
from cti_bridge.domain.user import Role


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


Port = Annotated[int, Field(ge=1, le=65535)]
ListenPort = Annotated[int, Field(ge=0, le=65535)]
"""0: any free port, told in the log."""
Pattern = Annotated[str, AfterValidator(_regex)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""HH:MM, the machine's own time."""
Days = Annotated[int, Field(ge=1, le=3660)]


class ServerSettings(_Section):
    """The web pages, REST and websocket; with `tls_certificate` and `tls_key` over TLS, and cookies are then Secure."""

    host: str = "127.0.0.1"
    port: ListenPort = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    origins: tuple[str, ...] = ()
    """Origins a browser may come from beside the server's own address (a reverse proxy's, as `https://cti.example`)."""

    @model_validator(mode="after")
    def _both_or_none(self) -> "ServerSettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or none")
        return self


class DatabaseSettings(_Section):
    """`sqlite+aiosqlite:///FILE` (four slashes for an absolute path) or `postgresql+psycopg://…`."""

    url: Annotated[str, Field(pattern=r"^(sqlite\+aiosqlite|postgresql\+psycopg)://")] = "sqlite+aiosqlite:///cti.db"


class JournalSettings(_Section):
    """What is read from the PBX, kept on disk: with numbers and names, so not for longer than `max_age_days`."""

    directory: Path = Path("journal")
    segment_megabytes: Annotated[int, Field(ge=1, le=1024)] = 64
    max_megabytes: Annotated[int, Field(ge=16, le=1_000_000)] = 8192
    max_age_days: Annotated[float, Field(gt=0, le=365)] = 7


class NumberSettings(_Section):
    """How numbers are read: `region` for national numbers, `internal` tells agents' phones from trunks by endpoint name."""

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "GB"
    internal: Pattern = "^[1-9][0-9]{2,4}$"


class FastAgiSettings(_Section):
    """Where the PBX asks for routes. FastAGI knows no password: `peers` are the networks that are heard."""

    host: str = "127.0.0.1"
    port: ListenPort = 4573
    peers: tuple[IPvAnyNetwork, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class RoutingSettings(_Section):
    file: Path = Path("routing.yaml")


class QueueSettings(_Section):
    """`service_level_seconds`: the T of the service level; `short_abandon_seconds`: sooner does not count against it."""

    service_level_seconds: Annotated[int, Field(ge=1, le=3600)] = 20
    short_abandon_seconds: Annotated[int, Field(ge=0, le=600)] = 5
    wrap_up_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long an agent is shown in wrap-up after a call unless the wrap-up is saved sooner."""


DatabaseUrl = Annotated[str, Field(pattern=r"^(sqlite|postgresql\+psycopg)://")]


class RecordSettings(_Section):
    """Where the PBX keeps its own record, for audit and backfill: files, or tables in a database that the service may read.

    `cel_columns` and `cdr_columns` name the columns of a CSV whose order is the site's own; empty: Asterisk's sample order.
    `timezone` is that of times without a zone (queue_log_realtime, CDR tables, `usegmtime=no`); the machine's own where None.
    """

    cel_csv: Path | None = None
    cel_columns: tuple[str, ...] = ()
    cel_url: DatabaseUrl | None = None
    cel_table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")] = "cel"
    cdr_csv: Path | None = None
    cdr_columns: tuple[str, ...] = ()
    cdr_url: DatabaseUrl | None = None
    cdr_table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")] = "cdr"
    queue_log: Path | None = None
    queue_log_url: DatabaseUrl | None = None
    queue_log_table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")] = "queue_log"
    timezone: str | None = None

    @property
    def is_configured(self) -> bool:
        """At least one source is named."""
        return any((self.cel_csv, self.cel_url, self.cdr_csv, self.cdr_url, self.queue_log, self.queue_log_url))


class PbxSettings(_Section):
    """One PBX's manager interface. Plain TCP leaves the machine only with `allow_insecure`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
    host: str = "127.0.0.1"
    port: Port = 5038
    username: Annotated[str, Field(min_length=1, max_length=79)]
    secret: SecretStr | None = None
    secret_file: Path | None = None
    auth: Literal["md5", "plain"] = "md5"
    tls: bool = False
    tls_ca: Path | None = None
    allow_insecure: bool = False
    click_to_call_context: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,79}$")] = "click2call"
    transfer_context: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,79}$")] = "agents"
    agent_technology: Literal["PJSIP", "SIP", "Local"] = "PJSIP"
    record: RecordSettings = RecordSettings()

    @model_validator(mode="after")
    def _sound(self) -> "PbxSettings":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either secret or secret_file")
        loopback = self.host in {"localhost", "::1"} or self.host.startswith("127.")
        if not (self.tls or loopback or self.allow_insecure):
            raise ValueError(f"{self.host} is not this machine: use tls = true, or allow_insecure = true inside a VPN")
        return self


class AccountSettings(_Section):
    """`fields`: the site's own fields of an account, by name."""

    fields: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Literal["text", "number", "yes_no"]] = {}


class TierRuleSettings(_Section):
    """What a customer must reach for `tier`, in the site's own currency and days; what is left out does not count."""

    tier: Literal["platinum", "gold", "iron", "lead"]
    revenue_at_least: float | None = None
    profit_at_least: float | None = None
    days_to_pay_at_most: Annotated[float, Field(ge=0)] | None = None


class TierSettings(_Section):
    """`rules` from the highest tier down, the first one that is met decides; none: tiers are set by people only.

    `hysteresis_percent`: so far a figure may fall below its threshold before a tier once reached is lost.
    """

    rules: tuple[TierRuleSettings, ...] = ()
    hysteresis_percent: Annotated[float, Field(ge=0, le=90)] = 10.0

    @model_validator(mode="after")
    def _highest_first(self) -> "TierSettings":
        order = ["platinum", "gold", "iron", "lead"]
        places = [order.index(rule.tier) for rule in self.rules]
        if places != sorted(set(places)):
            raise ValueError("rules go from the highest tier down, one for each tier: platinum, gold, iron, lead")
        return self

    def as_rules(self) -> TierRules:
        """The rules as those who judge by them read them."""
        rules = tuple(TierRule(**{**rule.model_dump(), "tier": Tier(rule.tier)}) for rule in self.rules)
        return TierRules(rules=rules, hysteresis_percent=self.hysteresis_percent)


class MergingSettings(_Section):
    """`same`: kinds of contact points that make two accounts one where their names sound alike too (`likeness`, 100: the same
    sound); empty: only people merge. `nightly_at`: the machine's own time.
    """

    same: tuple[ContactKind, ...] = ()
    likeness: Annotated[int, Field(ge=0, le=100)] = 100
    nightly_at: TimeOfDay = "04:00"

    def as_rule(self) -> MergeRule:
        """The rule as the store reads it."""
        return MergeRule(same=frozenset(self.same), likeness=self.likeness)


class CaseSettings(_Section):
    """`hours`: the opening hours of the routing file in which the time of commitments runs; None: round the clock."""

    hours: str | None = None


class ChurnSettings(_Section):
    """When signs show that a customer may be leaving; docs/figures.md says what each counts. `nightly_at`: the machine's own
    time of the pass over all customers; a change of a score or a commitment is judged at once.
    """

    nightly_at: TimeOfDay = "04:30"
    span_days: Days = 90
    contacts_at_least: Annotated[int, Field(ge=1)] = 4
    falling_percent: Annotated[float, Field(gt=0, le=100)] = 50.0
    complaint_days: Days = 180
    complaints_at_least: Annotated[int, Field(ge=1)] = 3
    scores: Annotated[int, Field(ge=1, le=100)] = 3
    score_below: Annotated[float, Field(ge=1, le=5)] = 3.0
    silence_days: Days = 120
    promise_days: Days = 180
    promises_at_least: Annotated[int, Field(ge=1)] = 2

    def as_rules(self) -> ChurnRules:
        """The rules as those who judge by them read them."""
        return ChurnRules(**self.model_dump(exclude={"nightly_at"}))


class AuditSettings(_Section):
    """`nightly_at`: the machine's own time of the audit of the last day; it also runs by itself after each gap."""

    nightly_at: TimeOfDay = "03:30"


class PrivacySettings(_Section):
    """`masked_roles`: whose people are shown customers' numbers and addresses masked, with a reason to give for each whole one.

    Agents are shown those of their own calls, and of the customer on the phone, whole all the same.
    """

    masked_roles: tuple[Role, ...] = ()


KeptDays = Annotated[int, Field(ge=0, le=36_500)]
"""0: for ever."""
LEAST_AUDIT_LOG_DAYS = 365


class RetentionSettings(_Section):
    """After how many days what is known goes by itself, each night at `nightly_at` of the machine's own time; 0: it is kept.

    Contacts, details, gaps, audits and deliveries count from the day they began, cases from the day they were closed,
    provisional accounts (made from a call, never named) from the last contact.
    """

    nightly_at: TimeOfDay = "04:10"
    interactions_days: KeptDays = 0
    call_details_days: KeptDays = 0
    cases_days: KeptDays = 0
    provisional_accounts_days: KeptDays = 0
    gaps_days: KeptDays = 0
    audits_days: KeptDays = 0
    deliveries_days: KeptDays = 0
    audit_log_days: KeptDays = 0

    @model_validator(mode="after")
    def _keeps_evidence(self) -> "RetentionSettings":
        if 0 < self.audit_log_days < LEAST_AUDIT_LOG_DAYS:
            raise ValueError(
                f"audit_log_days is 0 (for ever) or at least {LEAST_AUDIT_LOG_DAYS}: it is the evidence of who did what"
            )
        return self

    def as_periods(self) -> Periods:
        """The kinds that are not kept for ever."""
        days: dict[RetentionKind, int] = {kind: getattr(self, f"{kind.value}_days") for kind in RetentionKind}
        return {kind: timedelta(days=count) for kind, count in days.items() if count}


WebhookEventName = Literal[
    "call.ended", "account.merged", "account.parted", "case.escalated", "interaction.scored", "account.at_risk"
]


class WebhookSettings(_Section):
    """A system that is told what happens. `secret`: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks).

    Private addresses, and http in the clear, only with `allow_private`.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
    url: HttpUrl
    secret: SecretStr | None = None
    secret_file: Path | None = None
    events: Annotated[tuple[WebhookEventName, ...], Field(min_length=1)]
    allow_private: bool = False

    @model_validator(mode="after")
    def _sound(self) -> "WebhookSettings":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give either secret or secret_file")
        if self.url.username or self.url.password:
            raise ValueError("the url holds a name or password: deliveries are signed instead, see secret")
        if self.url.scheme != "https" and not self.allow_private:
            raise ValueError(
                "use https: customers' numbers are in it; http only with allow_private = true inside the own network"
            )
        return self


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(_Section):
    """The whole file; only the root (cti_bridge/app.py) sees it."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    journal: JournalSettings = JournalSettings()
    numbers: NumberSettings = NumberSettings()
    fastagi: FastAgiSettings = FastAgiSettings()
    routing: RoutingSettings = RoutingSettings()
    queues: QueueSettings = QueueSettings()
    tiers: TierSettings = TierSettings()
    accounts: AccountSettings = AccountSettings()
    merging: MergingSettings = MergingSettings()
    cases: CaseSettings = CaseSettings()
    churn: ChurnSettings = ChurnSettings()
    audit: AuditSettings = AuditSettings()
    privacy: PrivacySettings = PrivacySettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    webhook: tuple[WebhookSettings, ...] = ()
    external: tuple[ExternalSettings, ...] = ()
    pbx: Annotated[tuple[PbxSettings, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct_names(self) -> "Settings":
        names = [pbx.name for pbx in self.pbx]
        if len(set(names)) != len(names):
            raise ValueError("every [[pbx]] needs a name of its own: call ids begin with it")
        if len({webhook.name for webhook in self.webhook}) != len(self.webhook):
            raise ValueError("every [[webhook]] needs a name of its own: what waits for it is kept under that name")
        if len({external.name for external in self.external}) != len(self.external):
            raise ValueError("every [[external]] needs a name of its own: agents tell them apart by it")
        return self
