"""What is written for people is what the program does."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from config.load import load_settings
from config.settings import Settings
from screen_pop import wire

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
EXAMPLE = (ROOT / "config" / "example.toml").read_text("utf-8")


def settings_of(section: type[BaseModel], path: str = "") -> dict[str, Any]:
    """Every setting by its dotted name, with its default."""
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        kind = get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= settings_of(kind, f"{path}{name}.")
        else:
            found[path + name] = field.get_default(call_default_factory=True)
    return found


def shown_in(text: str) -> set[str]:
    """Every setting of the file by its dotted name, those in comments too."""
    shown: set[str] = set()
    section = ""
    for line in text.splitlines():
        if header := re.match(r"(?:# )?\[\[?([a-z.]+)\]", line):
            section = header[1] + "."
        elif setting := re.match(r"(?:# )?([a-z_]+) = ", line):
            shown.add(section + setting[1])
    return shown


def test_the_example_shows_every_setting_and_no_other():
    assert shown_in(EXAMPLE) == set(settings_of(Settings)) - {"pbx.secret", "webhook.secret", "external.secret"}
    assert "secret = " in EXAMPLE


def test_the_examples_values_are_the_defaults_where_it_does_not_say_example():
    defaults, shown = settings_of(Settings), values_of(tomllib.loads(EXAMPLE))
    examples = {line.split(" = ")[0] for line in EXAMPLE.splitlines() if "# example" in line}

    differing = {name for name, value in shown.items() if _plain(defaults[name]) != value}
    assert {name.rpartition(".")[2] for name in differing} <= examples


def values_of(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The file's values by dotted name; the first of [[pbx]] stands for all."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        found |= values_of(inner, f"{path}{name}.") if isinstance(inner, dict) else {path + name: inner}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def test_the_example_is_a_good_settings_file(tmp_path):
    file = tmp_path / "cti.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    file.chmod(0o600)

    assert [pbx.name for pbx in load_settings(file, {}).pbx] == ["main"]


def test_every_message_type_is_on_the_protocol_page():
    plain = {"welcome", "gap", "error"}
    types = {*wire.NUMBERED_TYPES, *wire.LIVE_STATES, wire.ROUTING_STATE, *wire.CLIENT_MESSAGES, *plain}

    assert {type_ for type_ in types if f"`{type_}`" not in PROTOCOL and f'"type": "{type_}"' not in PROTOCOL} == set()


def test_every_close_code_is_on_the_protocol_page():
    codes = {value for name, value in vars(wire).items() if name.startswith("CLOSE_")}

    assert {code for code in codes if str(code) not in PROTOCOL} == set()
