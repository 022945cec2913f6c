"""The section [[external]]: what is refused before anything is asked, every mistake at its own place and never the secret."""

from pathlib import Path
from typing import Any

import pytest

from config.external import ExternalSettings
from config.load import load_settings, read_external_secret
from cti_bridge.domain.errors import ConfigError

PBX = '[[pbx]]\nname = "main"\nusername = "cti"\nsecret = "s3cret"\n'
GOOD = {"name": '"crm"', "url": '"https://crm.example/customers?phone={e164}"', "fields": '{ id = "id" }'}


def problems_of(tmp_path: Path, *sections: dict[str, str | None]) -> str:
    """What the operator is told; nothing where all is well."""
    path = tmp_path / "cti.toml"
    written = ("[[external]]\n" + "".join(f"{key} = {value}\n" for key, value in one.items() if value) for one in sections)
    path.write_text(PBX + "".join(written), encoding="utf-8")
    try:
        for external in load_settings(path, {}).external:
            read_external_secret(external)
    except ConfigError as error:
        return "\n".join(str(problem) for problem in error.problems)
    return ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"url": '"http://127.0.0.1:8000/{digits}"'},
        {"url": '"http://[::1]/{national}"'},
        {"url": '"http://10.0.0.7/{national}"', "allow_insecure": "true"},
        {"headers": '{ Authorization = "Bearer {secret}" }', "secret": '"hunter2"'},
        {"fields": '{ name = "a.b[0]", link = "https://crm.example/{e164}" }', "facts": '{ "未结订单" = "订单.未结" }'},
        {"name": '"客户系统 2"'},
        {"kind": '"ours"', "url": None, "fields": None, "options": '{ path = "/x" }', "secret": '"hunter2"'},
    ],
    ids=str,
)
def test_a_good_one_is_taken(tmp_path: Path, changes: dict[str, str | None]):
    assert problems_of(tmp_path, GOOD | changes) == ""


@pytest.mark.parametrize(
    ("changes", "place", "problem"),
    [
        ({"url": '"https://crm.example/{phone}"'}, "url", "{phone} is no field: there are {e164}, {digits}, {national}"),
        ({"url": '"https://crm.example/{e164.__class__}"'}, "url", "is no field"),
        ({"url": '"https://crm.example/{}"'}, "url", "{} is no field"),
        ({"url": '"https://crm.example/"'}, "url", "the same whoever calls"),
        ({"url": '"https://crm.example/{e164"'}, "url", "stands alone"),
        ({"url": '"https://crm.example/{{e164}}"'}, "url", "stands alone"),
        ({"url": '"https://{e164}.example/"'}, "url", "path and in the query only"),
        ({"url": '"https://crm.example/#{e164}"'}, "url", "path and in the query only"),
        ({"url": '"https://eve:hunter2@crm.example/{e164}"'}, "url", "name or password"),
        ({"url": '"https://crm.example:99999/{e164}"'}, "url", "no web address"),
        ({"url": '"https://crm.example/a b{e164}"'}, "url", "percent-encoded"),
        ({"url": '"https://crm.例/{e164}"'}, "url", "percent-encoded"),
        ({"url": '"ftp://crm.example/{e164}"'}, "url", "begins with https://"),
        ({"url": '"crm.example/{e164}"'}, "url", "begins with https://"),
        ({"url": '"http://crm.example/{e164}"'}, "", "use https"),
        ({"url": '"http://127.0.0.1.evil.example/{e164}"'}, "", "use https"),
        ({"url": None}, "", "url is missing"),
        ({"fields": None}, "", "fields.id or fields.name"),
        ({"fields": '{ id = "a..b" }'}, "fields.id", "is no path"),
        ({"fields": '{ id = "" }'}, "fields.id", "at least 1 character"),
        ({"fields": '{ nam = "a" }'}, "fields.nam", "did you mean name?"),
        ({"fields": '{ id = "a", link = "https://crm.example/{name}" }'}, "fields.link", "{name} is no field"),
        ({"fields": '{ name = "a", link = "https://crm.example/{id}" }'}, "", "say in fields.id"),
        ({"records": '"items["'}, "records", "is no path"),
        ({"facts": '{ x = "a[b]" }'}, "facts.x", "is no path"),
        ({"tiers": '{ A = "silver" }'}, "tiers.A", "'platinum', 'gold', 'iron' or 'lead'"),
        ({"headers": '{ "X Y" = "z" }'}, "", "'X Y' is no name of a header"),
        ({"headers": '{ X = "a\\nb" }'}, "headers.X", "printable ASCII"),
        ({"headers": '{ X = "{secret}" }'}, "", "sent in a header"),
        ({"secret": '"hunter2"'}, "", "sent in a header"),
        ({"secret": '"hunter2"', "secret_file": '"/x"', "headers": '{ X = "{secret}" }'}, "", "either secret or secret_file"),
        ({"secret_file": '"/nowhere"', "headers": '{ X = "{secret}" }'}, None, "cannot be read"),
        ({"options": '{ x = "y" }'}, "", "another kind than rest"),
        ({"kind": '"ours"'}, "", "url, fields belong to kind rest"),
        ({"deadline_seconds": "0"}, "deadline_seconds", "greater than 0"),
        ({"cache_size": "0"}, "cache_size", "greater than or equal to 1"),
        ({"name": '"a/b"'}, "name", "pattern"),
    ],
    ids=str,
)
def test_a_wrong_one_is_told_with_its_place_and_without_its_secret(
    tmp_path: Path, changes: dict[str, str | None], place: str | None, problem: str
):
    told = problems_of(tmp_path, GOOD | changes)

    assert problem in told
    assert place is None or f"external[0]{'.' * bool(place)}{place}" in told
    assert "hunter2" not in told


def test_every_mistake_is_told_at_once(tmp_path: Path):
    told = problems_of(tmp_path, GOOD | {"url": '"x{y}"', "records": '"["', "deadline_seconds": "99", "cache": "1"})

    assert len(told.splitlines()) == 4


def test_several_mistakes_that_hang_together_are_told_together():
    with pytest.raises(ValueError, match=r"use https.*fields\.id or fields\.name.*options are for another kind"):
        ExternalSettings(name="crm", url="http://crm.example/{e164}", options={"a": "b"})


def test_names_are_distinct(tmp_path: Path):
    assert "a name of its own" in problems_of(tmp_path, GOOD, GOOD)


def test_a_variable_reaches_a_section(tmp_path: Path):
    env = {f"CTI_EXTERNAL__0__{name}": value for name, value in _plain(GOOD).items()} | {"CTI_EXTERNAL__0__FIELDS__ID": "no"}
    path = tmp_path / "cti.toml"
    path.write_text(PBX, encoding="utf-8")

    (external,) = load_settings(path, env).external

    assert (external.name, external.fields.id) == ("crm", "no")


def _plain(section: dict[str, str]) -> dict[str, Any]:
    return {key.upper(): value.strip('"') for key, value in section.items() if key != "fields"}
