"""`tests.support.machine` on machines that let it and on those that do not, with apt and debootstrap of the tests' own."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import machine

ScriptWriter = Callable[[str, str], None]

WORKING_DEBOOTSTRAP = 'for root in "$@"; do :; done; mkdir -p "$root/usr/sbin" "$root/etc"; touch "$root/usr/sbin/asterisk"'
WORKING_CHROOT = 'case "$2" in asterisk) echo "Asterisk 22.1";; esac'


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptWriter:
    """A Debian seen by root, with no chroot yet; `script(name, body)` puts a program on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    release = tmp_path / "os-release"
    release.write_text("ID=debian\n")
    monkeypatch.setattr(machine, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(machine, "PBX_ROOT", tmp_path / "cache" / "pbx")
    monkeypatch.setattr(machine, "OS_RELEASE", release)
    monkeypatch.setattr(machine, "TOOLS", (machine.Tool(package="pretty-tool", program="pretty-tool"),))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def write(name: str, body: str) -> None:
        program = programs / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    write("apt-get", "exit 0")
    write("debootstrap", WORKING_DEBOOTSTRAP)
    write("chroot", WORKING_CHROOT)
    return write


def _outcomes(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    machine.main()
    return dict(re.split(r": +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())


def test_everything_is_made_once_and_then_present(
    script: ScriptWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script("apt-get", f'[ "$2" = -y ] && case "$*" in *install*) cp "$0" {tmp_path}/bin/pretty-tool;; esac')

    assert _outcomes(capsys) == {"pretty-tool": "installed", "asterisk chroot": "installed: Asterisk 22.1"}
    assert _outcomes(capsys) == {"pretty-tool": "present", "asterisk chroot": "present: Asterisk 22.1"}
    assert (machine.PBX_ROOT / "etc" / "hosts").read_text().startswith("127.0.0.1 localhost ")
    assert machine.why_no_pbx() is None


def test_half_made_chroots_are_thrown_away(script: ScriptWriter, capsys: pytest.CaptureFixture[str]) -> None:
    for left_over in (machine.PBX_ROOT, machine.CACHE / "pbx.making-1"):
        left_over.mkdir(parents=True)
        (left_over / "half").touch()
    script("pretty-tool", "")

    assert _outcomes(capsys)["asterisk chroot"] == "installed: Asterisk 22.1"
    assert not (machine.PBX_ROOT / "half").exists()
    assert not list(machine.CACHE.glob("pbx.making-*"))


def test_a_whole_chroot_without_our_mark_is_adopted(script: ScriptWriter, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.PBX_ROOT / "usr" / "sbin").mkdir(parents=True)
    (machine.PBX_ROOT / "usr" / "sbin" / "asterisk").touch()
    (machine.PBX_ROOT / "etc").mkdir()
    script("debootstrap", "exit 1")

    assert _outcomes(capsys)["asterisk chroot"] == "present: Asterisk 22.1"


@pytest.mark.parametrize(
    ("failing", "outcome"),
    [
        pytest.param(("debootstrap", "echo 'E: no mirror' >&2; exit 1"), "debootstrap failed (1): E: no mirror", id="no mirror"),
        pytest.param(("chroot", "exit 127"), "debootstrap made a chroot whose Asterisk does not run", id="does not run"),
        pytest.param(("debootstrap", "sleep 60 & wait"), "debootstrap took longer than 0 s", id="never ends"),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(
    script: ScriptWriter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: tuple[str, str],
    outcome: str,
) -> None:
    monkeypatch.setattr(machine, "DEBOOTSTRAP_SECONDS", 0.3)
    script(*failing)

    assert _outcomes(capsys)["asterisk chroot"] == f"skipped: {outcome}"
    assert [path.name for path in machine.CACHE.iterdir()] == ["machine.lock"]
    assert machine.why_no_pbx() is not None


def test_failed_packages_are_said_one_by_one(script: ScriptWriter, capsys: pytest.CaptureFixture[str]) -> None:
    script("apt-get", 'case "$*" in *install*) echo "E: no such package" >&2; exit 100;; esac')

    assert _outcomes(capsys)["pretty-tool"] == "skipped: apt-get failed (100): E: no such package"


def test_a_user_who_is_not_root_gets_one_line_each(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert _outcomes(capsys) == {"pretty-tool": "skipped: not root", "asterisk chroot": "skipped: not root"}


def test_another_system_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "os-release").write_text("ID=fedora\n")

    assert _outcomes(capsys)["pretty-tool"] == "skipped: not Debian"
