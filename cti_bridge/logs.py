"""Logs: one line an event on standard output, JSON for machines or coloured text for people; our own and the libraries' alike.

Every line passes the same processors, so that no full phone number and no secret gets out, whoever logs it. Event names are
stable and dotted (`ami.connected`); times are ISO 8601 UTC.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from config.settings import LogSettings

ID_KEYS: Final = frozenset(
    {
        "account_id", "action_id", "call_id", "channel_id", "interaction_id", "linkedid", "message_id",
        "pop_id", "request_id", "session_id", "timestamp", "uniqueid",
    }
)  # fmt: skip
"""Their values are ids, which hold long digit runs and are needed whole."""
_SECRET_KEYS: Final = frozenset({"authorization", "cookie", "key", "password", "secret", "token"})

_NUMBER: Final = re.compile(r"\+?\d(?:[ ()-]{0,2}\d){6,}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d)?")
_TRACE_KEYS: Final = frozenset({"exception", "stack"})
"""Many lines by nature; in all other values a line break would let a caller's name write log lines of its own."""
_UNSAFE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configure(settings: LogSettings, *, stream: TextIO = sys.stdout) -> None:
    """Sets up structlog and the standard library's logging, once, before anything is logged."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if settings.format == "json":
        last: list[Processor] = [
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value, default=repr).decode()),
        ]
    else:
        plain = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        last = [structlog.processors.format_exc_info, mask, plain]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its steps are told by the program that runs them
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())


def mask(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The processor: numbers keep their last three digits, secrets nothing, control characters show as escapes."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if key.lower() in _SECRET_KEYS:
        return "[hidden]"
    match value:
        case str():
            text = value if key in _TRACE_KEYS else value.replace("\n", "\\n")
            safe = _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
            return safe if key.lower() in ID_KEYS else _NUMBER.sub(_shortened, safe)
        case Mapping():
            return {str(inner): _masked(str(inner), held) for inner, held in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(key, held) for held in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _masked(key, str(value))


def _shortened(found: re.Match[str]) -> str:
    text = found.group()
    return text if _DATE.fullmatch(text) else f"…{text[-3:]}"
