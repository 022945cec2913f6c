"""A store with people and customers, made once; every test gets a copy of its own."""

from pathlib import Path

import pytest

from tests.support.running import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "template.db"
    make_template(file)
    return file
