"""The section [[external]]: another system that knows customers, how it is asked, and what its answer's fields mean.

A file of its own because of its rules; `config/settings.py` has all other sections. Every mistake is told at its own place.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from cti_bridge.domain.json_path import json_path
from cti_bridge.domain.url_template import check_template

NUMBER_FIELDS: Final = ("e164", "digits", "national")
"""What an address may ask by: +442079460018, 442079460018, 02079460018."""
LINK_FIELDS: Final = ("id", *NUMBER_FIELDS)
_REST_ONLY: Final = ("url", "headers", "records", "fields", "facts", "tiers", "tls_ca", "allow_insecure")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _address(text: str) -> str:
    check_template(text, fields=NUMBER_FIELDS)
    return text


def _path(text: str) -> str:
    json_path(text)
    return text


def _link(text: str) -> str:
    if is_template(text):
        check_template(text, fields=LINK_FIELDS)
    else:
        json_path(text)
    return text


def is_template(link: str) -> bool:
    """Whether a link is an address with fields in it, and not a path in the answer."""
    return "://" in link


def _header_value(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("a header holds printable ASCII only")
    return text


Path_ = Annotated[str, Field(min_length=1), AfterValidator(_path)]
"""Where a value stands in the answer, as customer.phones[0]."""


class ExternalFieldSettings(_Section):
    """Where our fields stand in one record of the answer; what is left out is not read."""

    id: Path_ | None = None
    name: Path_ | None = None
    company: Path_ | None = None
    tier: Path_ | None = None
    language: Path_ | None = None
    link: Annotated[str, Field(min_length=1), AfterValidator(_link)] | None = None
    """A path, or an address with {id} (or a form of the number) in it."""


class ExternalSettings(_Section):
    """One system. `kind`: "rest", or an entry point of the group `cti_bridge.external_lookup`, which gets `options`."""

    name: Annotated[str, Field(pattern=r"^\w([\w .-]{0,38}\w)?$")]
    """Agents read it: "From …"."""
    kind: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] = "rest"
    url: Annotated[str, Field(max_length=2000), AfterValidator(_address)] | None = None
    headers: dict[str, Annotated[str, AfterValidator(_header_value)]] = {}
    """`{secret}` in a value is replaced."""
    secret: SecretStr | None = None
    secret_file: Path | None = None
    tls_ca: Path | None = None
    allow_insecure: bool = False
    records: Annotated[str, AfterValidator(_path)] = ""
    """Where the record, or the list of them, stands in the answer; "": it is the answer."""
    fields: ExternalFieldSettings = ExternalFieldSettings()
    facts: Annotated[dict[Annotated[str, Field(min_length=1, max_length=60)], Path_], Field(max_length=12)] = {}
    tiers: dict[str, Literal["platinum", "gold", "iron", "lead"]] = {}
    """Their words for ours; ours are understood without."""
    options: dict[str, str] = {}
    deadline_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    cache_seconds: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    cache_size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    pause_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _sound(self) -> "ExternalSettings":
        problems = [*self._secret_problems(), *(self._rest_problems() if self.kind == "rest" else self._other_problems())]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _secret_problems(self) -> list[str]:
        has_secret = self.secret is not None or self.secret_file is not None
        problems = ["give either secret or secret_file"] if self.secret is not None and self.secret_file is not None else []
        if self.kind == "rest" and has_secret != any("{secret}" in value for value in self.headers.values()):
            problems.append(
                'a secret is sent in a header: headers = { Authorization = "Bearer {secret}" } with secret_file or secret'
            )
        return problems

    def _rest_problems(self) -> list[str]:
        problems = [f"{name!r} is no name of a header" for name in self.headers if not _HEADER_NAME.fullmatch(name)]
        if self.url is None:
            problems.append('url is missing: write url = "https://crm.example/customers?phone={e164}"')
        elif not (self.url.startswith("https:") or self.allow_insecure or _LOOPBACK.match(self.url)):
            problems.append("use https: customers' numbers are in it; http only with allow_insecure = true inside a VPN")
        if self.fields.id is None and self.fields.name is None:
            problems.append("fields.id or fields.name must say where a customer's number or name stands in the answer")
        if self.fields.id is None and self.fields.link is not None and "{id}" in self.fields.link:
            problems.append("fields.link has {id} in it: say in fields.id where that stands")
        if self.options:
            problems.append("options are for another kind than rest")
        return problems

    def _other_problems(self) -> list[str]:
        given = [name for name in _REST_ONLY if name in self.model_fields_set]
        return [f"{', '.join(given)} belong to kind rest: what {self.kind} needs goes into options"] if given else []


_LOOPBACK: Final = re.compile(r"http://(localhost|127\.[0-9.]+|\[::1\])(?=[:/?])")
