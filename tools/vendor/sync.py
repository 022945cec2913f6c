"""The browser's libraries: fetched once, committed byte-identical, checked for ever.

`screen_pop/page/vendor/VENDOR.json` is the list: package, exact version, licence, the registry's integrity hash of the
tarball, and for each file where it lies in the tarball, where it is copied to, and its SHA-256.

    python tools/vendor/sync.py --check    without network: every file is there, unchanged, and nothing else is
    python tools/vendor/sync.py            with npm: fetch the tarballs, check their integrity, copy the listed files

To bump a library: change its version and integrity in VENDOR.json, run without `--check`, commit what changed.
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[2] / "screen_pop" / "page" / "vendor"
OURS = {"VENDOR.json", "THIRD_PARTY_LICENSES.md"}
LICENCES_HEAD = """# Third-party licences

The files in this folder are unmodified copies of the packages named here; `VENDOR.json` holds their hashes.
"""


def read_list(vendor: Path = VENDOR) -> list[dict[str, Any]]:
    """The packages of VENDOR.json."""
    packages: list[dict[str, Any]] = json.loads((vendor / "VENDOR.json").read_text("utf-8"))["packages"]
    return packages


def problems_in(vendor: Path = VENDOR) -> list[str]:
    """Every difference between the folder and its list, in words; empty when all is as listed."""
    packages = read_list(vendor)
    listed = {entry["to"]: entry["sha256"] for package in packages for entry in package["files"]}
    present = {path.relative_to(vendor).as_posix() for path in vendor.rglob("*") if path.is_file()} - OURS
    found = [f"{name}: listed, but missing" for name in sorted(listed.keys() - present)]
    found += [f"{name}: present, but not listed" for name in sorted(present - listed.keys())]
    for name in sorted(present & listed.keys()):
        actual = hashlib.sha256((vendor / name).read_bytes()).hexdigest()
        if actual != listed[name]:
            found.append(f"{name}: its SHA-256 is {actual}, listed is {listed[name]}")
    licences = (vendor / "THIRD_PARTY_LICENSES.md").read_text("utf-8")
    found += [
        f"{package['name']} {package['version']}: no licence text in THIRD_PARTY_LICENSES.md"
        for package in packages
        if f"## {package['name']} {package['version']} ({package['licence']})" not in licences
    ]
    return found


def fetch(package: dict[str, Any], into: Path) -> Path:
    """The package's tarball from npm, its integrity checked; no script of it is run.

    Raises ValueError where the integrity differs from the list, CalledProcessError where npm fails.
    """
    spec = f"{package['name']}@{package['version']}"
    packed = subprocess.run(  # noqa: S603 - the words come from VENDOR.json, which is reviewed
        ["npm", "pack", spec, "--ignore-scripts", "--json"],  # noqa: S607
        cwd=into,
        check=True,
        capture_output=True,
        text=True,
    )
    tarball = into / json.loads(packed.stdout)[0]["filename"]
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if integrity != package["integrity"]:
        raise ValueError(f"{spec}: the tarball's integrity is {integrity}, VENDOR.json says {package['integrity']}")
    return tarball


def sync(vendor: Path = VENDOR) -> None:
    """Copies every listed file out of the checked tarballs and writes their hashes and licences."""
    packages = read_list(vendor)
    licences = [LICENCES_HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for package in packages:
            with tarfile.open(fetch(package, Path(folder))) as archive:
                for entry in package["files"]:
                    content = _member(archive, entry["from"])
                    entry["sha256"] = hashlib.sha256(content).hexdigest()
                    target = vendor / entry["to"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                text = _member(archive, package["licence_file"]).decode("utf-8").strip("\n")
            licences.append(f"## {package['name']} {package['version']} ({package['licence']})\n\n```\n{text}\n```\n")
    (vendor / "VENDOR.json").write_text(json.dumps({"packages": packages}, indent=2) + "\n", "utf-8")
    (vendor / "THIRD_PARTY_LICENSES.md").write_text("\n".join(licences), "utf-8")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/{name}")
    if file is None:
        raise ValueError(f"{name} is not a file of the tarball")
    return file.read()


def main() -> int:
    """0: all as listed; 1: something differs (said on stderr)."""
    parser = argparse.ArgumentParser(description="Fetch or check the browser's vendored libraries.")
    parser.add_argument("--check", action="store_true", help="only compare the files with VENDOR.json; no network")
    if not parser.parse_args().check:
        sync()
    found = problems_in()
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
