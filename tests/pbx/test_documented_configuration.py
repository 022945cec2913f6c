"""docs/asterisk.md tells an administrator exactly what the laboratory's PBX runs; needs no PBX."""

import re
from pathlib import Path

import pytest

from tests.support.pbx import TEMPLATES

PAGE = Path(__file__).parent.parent.parent / "docs" / "asterisk.md"
BLOCKS = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture(scope="module")
def configuration() -> str:
    """All of the laboratory's configuration, with FastAGI on the loopback as the page has it."""
    texts = (template.read_text() for template in sorted(TEMPLATES.glob("*.conf")))
    return "\n".join(texts).replace("{{NET}}.2", "127.0.0.1")


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0][:40] for block in BLOCKS])
def test_block_of_the_page_is_what_the_laboratory_runs(block: str, configuration: str) -> None:
    assert block in configuration + "\n"
