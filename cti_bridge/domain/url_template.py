"""Web addresses with `{fields}` in them: logic-less, from a closed list of fields, every value percent-encoded.

A value can fill a part of the path or the query; it can never change the host or add a parameter.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

_FIELD: Final = re.compile(r"\{([^{}]*)\}")


def check_template(template: str, *, fields: Collection[str]) -> None:
    """Raises ValueError with what is wrong: no http address, an unknown field or none, a field outside of path and query."""
    known = ", ".join(f"{{{field}}}" for field in fields)
    if not template.isascii() or not template.isprintable() or " " in template:
        raise ValueError("the address has blanks or characters that an address cannot hold: write them percent-encoded")
    try:
        parts = urlsplit(template)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"no web address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("no web address: it begins with https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("the address holds a name or password: send it as a header, see headers and secret")
    if "{" in parts.netloc or "}" in parts.netloc or parts.fragment:
        raise ValueError("fields may stand in the path and in the query only, and nothing behind a #")
    if set("{}") & set(_FIELD.sub("", template)):
        raise ValueError("a { or } stands alone: write %7B and %7D where they are meant")
    unknown = [field for field in _FIELD.findall(template) if field not in fields]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is no field: there are {known}")
    if not _FIELD.search(template):
        raise ValueError(f"the address asks for the same whoever calls: put {known} into it")


def filled(template: str, values: Mapping[str, str]) -> str:
    """The address with every field in its place. The template was checked, and `values` has all its fields."""
    return _FIELD.sub(lambda field: quote(values[field[1]], safe=""), template)
