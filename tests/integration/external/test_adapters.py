"""Which adapter a section gets: REST, or one that an installed package offers, as docs/external-lookup.md shows it."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from config.external import ExternalSettings
from cti_bridge.domain.account import Tier
from cti_bridge.domain.errors import ConfigError
from cti_bridge.domain.external import ExternalFact, ExternalRecord, ExternalState
from cti_bridge.external.adapters import close_all, sources_of
from cti_bridge.external.reading import reader_of

PAGE = (Path(__file__).parents[3] / "docs" / "external-lookup.md").read_text("utf-8")
ZOE, NOBODY = "+442079460018", "+442079460777"


def shown(language: str, number: int = 0) -> str:
    """A piece of code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)[number]


def sections(number: int) -> tuple[ExternalSettings, ...]:
    return tuple(ExternalSettings.model_validate(one) for one in tomllib.loads(shown("toml", number))["external"])


@pytest.fixture
def phonebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's package, installed as far as Python is concerned."""
    (tmp_path / "our_phonebook.py").write_text(shown("python"))
    (entries,) = tomllib.loads(shown("toml", 1))["project"]["entry-points"].items()
    folder = tmp_path / "our_phonebook-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: our-phonebook\nVersion: 1.0\n")
    lines = [f"{name} = {place}" for name, place in entries[1].items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{entries[0]}]", *lines, "broken = our_phonebook:Nothing"]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "our_phonebook", raising=False)


def test_the_pages_settings_read_the_pages_answer():
    (settings,) = sections(0)
    number = {"e164": ZOE, "digits": ZOE[1:], "national": "02079460018"}

    records = reader_of(settings)(json.dumps(json.loads(shown("json"))).encode(), number)

    assert records == (
        ExternalRecord(
            external_id="4711",
            name="Fang Weiss",
            company="Lantern Tea",
            tier=Tier.PLATINUM,
            language="de",
            link="https://crm.example/customers/4711",
            facts=(
                ExternalFact(label="Open orders", value="3"),
                ExternalFact(label="Last order", value="2026-11-02"),
                ExternalFact(label="Newsletter", value=False),
            ),
        ),
    )


async def test_the_pages_adapter_is_found_by_its_entry_point_and_asked(phonebook: None):
    (source,) = sources_of(sections(2))

    known, unknown = await source.by_number(ZOE), await source.by_number(NOBODY)
    await close_all([source])
    closed = await source.by_number("+442079460999")

    assert known.records == (ExternalRecord(name="Reception", facts=(ExternalFact(label="Floor", value="3"),)),)
    assert (unknown.state, closed.state) == (ExternalState.NOT_FOUND, ExternalState.FAILED)
    assert source.counters == {"found": 1, "not_found": 1, "failed": 1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "crm"}, r"crm is no kind .there are rest, broken, phonebook"),
        ({"kind": "broken"}, "cannot be made: AttributeError"),
        ({"kind": "phonebook", "options": {}}, "cannot be made: KeyError: 'number'"),
    ],
    ids=["unknown", "broken", "wrong options"],
)
def test_an_adapter_that_cannot_be_had_is_a_mistake_of_the_settings(phonebook: None, changes: dict[str, Any], why: str):
    with pytest.raises(ConfigError, match=why):
        sources_of([ExternalSettings.model_validate({"name": "x", **changes})])
