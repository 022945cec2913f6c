"""A wheel whose hot path is C: hatchling's hook that has mypyc compile what every AMI event runs through.

Off by default: `HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip install .` wants it, a C compiler and Python's headers. The sources stay
in the wheel, and run where it was built without. The tree itself is never compiled into: nothing stale can shadow a source.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = ("cti_bridge/ami/codec.py", "cti_bridge/ami/messages.py", "cti_bridge/tracking/*.py")


class CompiledWheel(BuildHookInterface):
    """Found by hatchling through pyproject.toml."""

    def dependencies(self) -> list[str]:
        return ["mypy", "setuptools"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles, and adds the libraries to the wheel. An editable install keeps the sources."""
        if version == "editable":
            return
        self._scratch = Path(tempfile.mkdtemp(prefix="cti-compiled-"))
        for library in _compile(Path(self.root), self._scratch):
            build_data["force_include"][str(library)] = str(library.relative_to(self._scratch / "lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            shutil.rmtree(self._scratch)


def _compile(root: Path, scratch: Path) -> list[Path]:
    from mypyc.build import mypycify  # noqa: PLC0415 (installed only where this hook is wanted)
    from setuptools import Distribution  # noqa: PLC0415

    sources = sorted(str(path.relative_to(root)) for pattern in COMPILED for path in root.glob(pattern))
    extensions = mypycify(sources, group_name="cti_bridge", opt_level="3", debug_level="0", target_dir=str(scratch / "c"))
    build = Distribution({"name": "cti-bridge", "ext_modules": extensions}).get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(scratch / "lib"), str(scratch / "objects")
    build.ensure_finalized()
    build.run()
    return sorted((scratch / "lib").rglob("*.so"))
