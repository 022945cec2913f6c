"""The wheel whose hot path is C follows every recorded call as the sources do: the same tests, run against it."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
SAME_TESTS = ("tests/test_traces.py", "tests/test_load_trace.py", "tests/unit/tracking", "tests/unit/ami")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is unpacked in."""
    if which("cc") is None:
        pytest.skip("no C compiler: apt-get install build-essential")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("no headers of this Python: apt-get install python3-dev")
    folder = tmp_path_factory.mktemp("wheel")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    built = subprocess.run(
        wheel, env=os.environ | {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder / "unpacked")
    return folder / "unpacked"


def run(compiled: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{compiled}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-P", *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(600)
def test_the_compiled_tracker_passes_the_tests_of_the_sources(compiled: Path) -> None:
    where = run(compiled, "-c", "from cti_bridge.tracking import tracker; print(tracker.__file__)")
    assert where.stdout.strip().startswith(str(compiled)), where.stderr
    assert where.stdout.strip().endswith(".so")

    told = run(compiled, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", *SAME_TESTS)

    assert told.returncode == 0, told.stdout[-3000:]
    assert not list((ROOT / "cti_bridge").rglob("*.so"))  # nothing that would shadow a source
