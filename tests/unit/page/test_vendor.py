"""The browser's libraries are the ones listed, unchanged."""

import importlib.util
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("vendor_sync", ROOT / "tools" / "vendor" / "sync.py")
assert spec is not None
assert spec.loader is not None
vendor_sync = importlib.util.module_from_spec(spec)
spec.loader.exec_module(vendor_sync)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    return Path(shutil.copytree(vendor_sync.VENDOR, tmp_path / "vendor"))


def test_vendored_files_are_as_listed() -> None:
    assert vendor_sync.problems_in() == []


def test_a_changed_file_is_told(vendor: Path) -> None:
    file = vendor / "htm" / "htm.mjs"
    file.write_bytes(file.read_bytes() + b"//")

    assert [line.split(":")[0] for line in vendor_sync.problems_in(vendor)] == ["htm/htm.mjs"]


def test_a_file_that_is_not_listed_is_told(vendor: Path) -> None:
    (vendor / "extra.js").write_text("export {}")

    assert vendor_sync.problems_in(vendor) == ["extra.js: present, but not listed"]


def test_a_missing_file_is_told(vendor: Path) -> None:
    (vendor / "preact" / "hooks.mjs").unlink()

    assert vendor_sync.problems_in(vendor) == ["preact/hooks.mjs: listed, but missing"]
