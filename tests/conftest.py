"""What the tests of the PBX and those of the browser share: one real Asterisk for the whole run."""

from collections.abc import Iterator

import pytest

from tests.support.pbx import Pbx, PbxUnavailable, running_pbx


@pytest.fixture(scope="session")
def pbx() -> Iterator[Pbx]:
    """A real Asterisk on a loopback network of its own; skips, in one line, where this machine has none."""
    try:
        with running_pbx() as pbx:
            yield pbx
    except PbxUnavailable as reason:
        pytest.skip(str(reason))
