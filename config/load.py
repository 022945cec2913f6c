"""The settings file and the environment become `Settings`, or one `ConfigError` with every mistake in them.

In: the TOML text and `CTI_…` variables (`CTI_SERVER__PORT=8081`, `CTI_PBX__0__HOST=10.0.0.2`; a list as JSON:
`CTI_SERVER__ORIGINS=["https://cti.example"]`). A variable wins over the file. Variables without `__` are not settings and are
left alone: container platforms set some of their own (`CTI_PORT=tcp://…`).
Out: frozen settings. Each problem names its place (`file:line`, or the variable) and what to write instead; values are
never repeated in it, they may be secrets.
"""

import base64
import difflib
import json
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import structlog
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from config.external import ExternalSettings
from config.settings import PbxSettings, Settings, WebhookSettings
from config.toml_lines import lines_of
from cti_bridge.domain.errors import ConfigError, Problem

log = structlog.get_logger(__name__)

PREFIX = "CTI_"
MAX_LIST = 100
"""Entries of a list that variables may reach; more is a slip of the finger."""

WEBHOOK_SECRET_BYTES = range(24, 65)
"""As the Standard Webhooks specification has them."""

Place = tuple[str | int, ...]


def load_settings(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings in the file at `path` (None: no file, all from `env`), overridden by `env`.

    Raises ConfigError with every mistake.
    """
    text = "" if path is None else _read(path)
    tree = _parsed(path, text)
    variables, problems = _overrides(env)
    for place, (name, value) in variables.items():
        what = _put(tree, place, value)
        if what:
            problems.append(Problem(where=name, what=what))
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        places = _Places(path, lines_of(text), {place: name for place, (name, _) in variables.items()})
        details = error.errors(include_url=False, include_input=False)
        problems += [_problem(one, places) for one in details if not _follows_from_another(one, details)]
    else:
        if not problems:
            return settings
    raise ConfigError(tuple(problems))


def read_secret(pbx: PbxSettings) -> SecretStr:
    """The manager secret, from the settings or from its file without the line end. Raises ConfigError."""
    return _secret(pbx, f"pbx {pbx.name}: secret")[0]


def read_webhook_secret(webhook: WebhookSettings) -> SecretStr:
    """As `read_secret`; also refuses what is no secret of Standard Webhooks."""
    secret, where = _secret(webhook, f"webhook {webhook.name}: secret")
    given = secret.get_secret_value()
    try:
        size = len(base64.b64decode(given.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not (given.startswith("whsec_") and size in WEBHOOK_SECRET_BYTES):
        what = "is not whsec_ and 24 to 64 bytes in base64"
        raise ConfigError((Problem(where=where, what=what, hint="make one: echo whsec_$(openssl rand -base64 32)"),))
    return secret


def read_external_secret(external: ExternalSettings) -> SecretStr | None:
    """As `read_secret`; None where that system wants none."""
    if external.secret is None and external.secret_file is None:
        return None
    return _secret(external, f"external {external.name}: secret")[0]


def _secret(section: PbxSettings | WebhookSettings | ExternalSettings, where: str) -> tuple[SecretStr, str]:
    """The secret and where it was written."""
    if section.secret_file is None:
        assert section.secret is not None
        secret = section.secret.get_secret_value()
    else:
        where = str(section.secret_file)
        secret = _read(section.secret_file).removesuffix("\n").removesuffix("\r")
        if section.secret_file.stat().st_mode & stat.S_IROTH:
            log.warning("config.secret_file_open_to_all", file=where, hint=f"chmod o-rwx {where}")
    if not secret:
        raise ConfigError((Problem(where=where, what="the secret is empty"),))
    if any(ord(character) < 32 or character == "\x7f" for character in secret):
        raise ConfigError(
            (Problem(where=where, what="the secret holds a line break or control character", hint="one line only"),)
        )
    return SecretStr(secret), where


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 (byte {error.start})"
        raise ConfigError((Problem(where=str(path), what=what, hint="save the file as UTF-8"),)) from error
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ConfigError((Problem(where=str(path), what=what, hint="check the path and its rights"),)) from error


def _parsed(path: Path | None, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", message)
        where = f"{path}:{at[1]}:{at[2]}" if at else f"{path}:{text.count(chr(10)) + 1}"
        what = message[: at.start()].strip() if at else message
        raise ConfigError((Problem(where=where, what=f"not TOML: {what}", hint='text stands in "quotes"'),)) from error


def _overrides(env: Mapping[str, str]) -> tuple[dict[Place, tuple[str, Any]], list[Problem]]:
    """Place in the settings -> (variable, value), in order of the names; a value that begins like JSON is read as JSON."""
    found: dict[Place, tuple[str, Any]] = {}
    problems = []
    for name in sorted(env):
        if not name.upper().startswith(PREFIX) or "__" not in name:
            continue
        parts = name[len(PREFIX) :].lower().split("__")
        place = tuple(int(part) if part.isascii() and part.isdecimal() and len(part) < 4 else part for part in parts)
        value: Any = env[name]
        if value[:1] in {"[", "{"}:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                problems.append(Problem(where=name, what="begins like JSON but is none", hint='a list is ["a", "b"]'))
                continue
        found[place] = (name, value)
    return found, problems


def _put(tree: dict[str, Any], place: Place, value: Any) -> str | None:
    """Sets the value at its place, making tables and list entries on the way. A mistake in the place is told, not raised."""
    here: Any = tree
    for step, next_step in zip(place, (*place[1:], None), strict=True):
        empty: Any = [] if isinstance(next_step, int) else {}
        match here, step:
            case dict(), str():
                if next_step is None:
                    here[step] = value
                else:
                    here = here.setdefault(step, empty)
            case list(), int() if step < MAX_LIST:
                here.extend({} for _ in range(step + 1 - len(here)))
                if next_step is None:
                    here[step] = value
                else:
                    here = here[step]
            case _:
                return f"{step!r} cannot stand there: a list takes a number below {MAX_LIST}, a section takes a name"
    return None


class _Places:
    """Where a setting, or the nearest section around it, was written: a variable's name or a line of the file."""

    def __init__(self, path: Path | None, lines: Mapping[Place, int], variables: Mapping[Place, str]) -> None:
        self._path = path
        self._lines = lines
        self._variables = variables

    def of(self, place: Place) -> str:
        for length in range(len(place), 0, -1):
            part = place[:length]
            if part in self._variables:
                return self._variables[part]
            if part in self._lines:
                return f"{self._path}:{self._lines[part]}"
            for variable, name in self._variables.items():
                if variable[:length] == part:
                    return name
        return str(self._path) if self._path else "settings"


def _problem(details: ErrorDetails, places: _Places) -> Problem:
    place = details["loc"]
    name = _dotted(place)
    match details["type"]:
        case "extra_forbidden":
            return Problem(where=places.of(place), what=f"{name} is no setting", hint=_closest(place))
        case "missing":
            return Problem(where=places.of(place), what=f"{name} is missing", hint=_example(place))
        case "value_error":
            return Problem(where=places.of(place), what=f"{name}: {details['msg'].removeprefix('Value error, ')}")
        case _:
            message = details["msg"]
            return Problem(where=places.of(place), what=f"{name}: {message[:1].lower()}{message[1:]}")


def _follows_from_another(one: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """A list whose every entry is wrong is also "too short"; that is no mistake of its own."""
    below = (other["loc"] for other in details if len(other["loc"]) > len(one["loc"]))
    return one["type"] == "too_short" and any(place[: len(one["loc"])] == one["loc"] for place in below)


def _dotted(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".") or "settings"


def _known(place: Place) -> tuple[str, ...]:
    """The names allowed beside the last step of `place`."""
    section: type[BaseModel] = Settings
    for step in place[:-1]:
        if isinstance(step, str):
            kind: Any = section.model_fields[step].annotation
            section = next(iter(get_args(kind)), kind)  # a list of sections is tuple[section, ...]
    return tuple(section.model_fields)


def _closest(place: Place) -> str:
    known = _known(place)
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _example(place: Place) -> str:
    if place == ("pbx",):
        return "add a [[pbx]] section with name, username and secret"
    return f'write {place[-1]} = "…" in this section'
