"""Which of the PBX's settings are worth a question: a closed list of readings, made from our settings and its first answers."""

from collections.abc import Iterable, Sequence
from typing import Final

import phonenumbers

from config.settings import PbxSettings
from cti_bridge.ami.shapes import HINTS, SHAPES
from cti_bridge.doctor.facts import ConfigKey, Member
from cti_bridge.tracking.channels import extension_of

MODULES: Final = (
    "app_queue", "cdr_adaptive_odbc", "cdr_csv", "cdr_custom", "cdr_manager", "cdr_odbc", "cdr_pgsql", "cdr_sqlite3_custom",
    "cel_custom", "cel_manager", "cel_odbc", "cel_pgsql", "cel_sqlite3_custom", "cel_tds", "func_config", "res_parking",
)  # fmt: skip
MAX_FILTERS: Final = 10
"""Plain `eventfilter` lines of the account that are read."""
MAX_EXTENSIONS: Final = 300
"""Agents whose extension is looked up in the transfer context."""
FILTER_FORMS: Final = ("eventfilter(action(exclude),name({}))", "eventfilter(name({}),action(exclude))")
"""The usual ways to write that an event is kept back; others are found by listening only."""
FILTERED: Final = tuple(sorted(name.decode() for name in SHAPES if name.decode() not in {*HINTS, "VarSet", "Newexten"}))
"""Events that matter whole; of VarSet and Newexten docs/asterisk.md has most filtered out."""

_MANAGER_GENERAL: Final = (
    "enabled", "timestampevents", "disabledevents", "allowmultiplelogin", "bindaddr", "writetimeout",
)  # fmt: skip
_MANAGER_USER: Final = ("read", "write", "deny", "permit", "acl", "writetimeout", "allowmultiplelogin")
_CEL: Final = ("enable", "events", "apps")
_CDR: Final = (
    ("general", "enable"), ("general", "unanswered"), ("csv", "loguniqueid"), ("csv", "newcdrcolumns"), ("csv", "usegmtime"),
)  # fmt: skip
_LOGGER: Final = ("queue_log", "queue_log_to_file")
_QUEUE: Final = ("autofill", "wrapuptime")


class Questions:
    """What to ask a PBX; `queues`: those of the routing rules, `region` of our numbers."""

    def __init__(self, settings: PbxSettings, *, queues: Sequence[str], region: str) -> None:
        self.settings = settings
        self.queues = tuple(queues)
        self.customer_number = example_number(region)

    def config(self, queues: Iterable[str]) -> list[ConfigKey]:
        """Lines of the PBX's files, for these queues of the PBX."""
        user = self.settings.username
        return [
            *(ConfigKey("manager.conf", "general", name) for name in _MANAGER_GENERAL),
            *(ConfigKey("manager.conf", user, name) for name in _MANAGER_USER),
            *(ConfigKey("manager.conf", user, "eventfilter", index) for index in range(MAX_FILTERS)),
            *(ConfigKey("manager.conf", user, form.format(name)) for form in FILTER_FORMS for name in FILTERED),
            *(ConfigKey("cel.conf", "general", name) for name in _CEL),
            *(ConfigKey("cdr.conf", section, name) for section, name in _CDR),
            *(ConfigKey("logger.conf", "general", name) for name in _LOGGER),
            ConfigKey("queues.conf", "general", "autofill"),
            *(ConfigKey("queues.conf", queue, name) for queue in queues for name in _QUEUE),
        ]

    def dialplan(self, members: Iterable[Member]) -> list[tuple[str, str | None]]:
        """Contexts and extensions that the service dials: (context, extension; None: the context itself)."""
        transfer, click = self.settings.transfer_context, self.settings.click_to_call_context
        agents = sorted({extension_of(member.state_interface or member.interface) for member in members})
        dialled = [agent for agent in agents if agent.isascii() and agent.isdigit() and len(agent) <= 32]
        return [
            (transfer, None),
            (click, None),
            (click, self.customer_number),
            *((transfer, agent) for agent in dialled[:MAX_EXTENSIONS]),
        ]


def example_number(region: str) -> str:
    """A number of the region, in the form in which accounts hold numbers (`+44…`)."""
    example = phonenumbers.example_number(region)
    if example is None:  # a region that phonenumbers does not know
        return "+442079460018"
    return phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
