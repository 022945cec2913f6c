"""A server of the people's side for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.web import Web, running_web

PAGE = '<!doctype html><script type="importmap">{"imports":{}}</script><script type="module" src="/static/main.js"></script>'


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "vendor").mkdir(parents=True)
    (folder / "shell.html").write_text(f"{PAGE}<title>$page</title>")
    (folder / "main.js").write_text("export {};")
    (folder / "vendor" / "preact.mjs").write_text("export {};")
    (tmp_path / "secret.txt").write_text("not served")
    return folder


@pytest.fixture
async def web(page_folder: Path) -> AsyncIterator[Web]:
    async with running_web(page_folder, origins=("https://cti.example",)) as web:
        yield web
