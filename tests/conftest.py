"""What the tests of the PBX and those of the browser share: one real Asterisk for the whole run, and a store to begin with."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.pbx import Pbx, PbxUnavailable, running_pbx
from tests.support.service import fill_store


@pytest.fixture(scope="session", autouse=True)
def loggers_that_can_be_heard() -> Iterator[None]:
    """The program keeps each logger as it is at its first use; tests listen in to later ones too."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False}))
        yield


@pytest.fixture(scope="session")
def pbx() -> Iterator[Pbx]:
    """A real Asterisk on a loopback network of its own; skips, in one line, where this machine has none."""
    try:
        with running_pbx() as pbx:
            yield pbx
    except PbxUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with people who may sign in, and nothing else; tests take copies."""
    file = tmp_path_factory.mktemp("store") / "cti.db"
    asyncio.run(fill_store(file))
    return file
