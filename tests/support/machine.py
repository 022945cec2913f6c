"""Gets what the tests with a real PBX and a real browser need, where this machine lets it: root on Debian.

`python -m tests.support.machine` prints one line for each thing (present, installed, or skipped and why) and always exits 0: a
machine that may not install packages still runs all other tests. It is idempotent, quick when nothing is missing, and every step
has a time limit. The Asterisk chroot stands in `~/.cache/cti-bridge/pbx`, outside the checkout, and is shared by all checkouts.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path.home() / ".cache" / "cti-bridge"
PBX_ROOT = CACHE / "pbx"
STAMP = ".cti-bridge-whole"
"""Inside the chroot: written last, so a chroot that carries it is whole. Holds the Asterisk version."""

UPDATE_SECONDS = 180
INSTALL_SECONDS = 900
DEBOOTSTRAP_SECONDS = 900
LOCK_SECONDS = 900
UPDATE_TRIES = 3
APT = ("apt-get", "-q", "-y", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30", "-o", "DPkg::Lock::Timeout=300")
OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A Debian package and a program it brings: a name on the PATH, or a pattern of paths."""

    package: str
    program: str

    def is_present(self) -> bool:
        if self.program.startswith("/"):
            return any(Path("/").glob(self.program[1:]))
        return _where(self.program) is not None


TOOLS = (
    Tool(package="debootstrap", program="debootstrap"),
    Tool(package="sip-tester", program="sipp"),
    Tool(package="chromium", program="chromium"),
    Tool(package="postgresql", program="/usr/lib/postgresql/*/bin/initdb"),
    Tool(package="build-essential", program="cc"),
)


class Missing(Exception):
    """A thing cannot be had here; the message is one line saying why."""


def main() -> None:
    """Get everything, and say in one line each how it went."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _say("machine", f"skipped: no cache folder: {error}")
        return
    with _one_run_at_a_time() as is_ours:
        if not is_ours:
            _say("machine", f"skipped: another run has been busy for over {LOCK_SECONDS} s")
            return
        for tool, outcome in _install_tools():
            _say(tool.package, outcome)
        _say("asterisk chroot", _outcome_of_pbx())


def why_no_pbx() -> str | None:
    """None where a real PBX can be started now, else one line saying why not."""
    if os.geteuid() != 0:
        return "a real Asterisk needs root (chroot)"
    if not (PBX_ROOT / STAMP).is_file():
        return "no Asterisk chroot: `make machine` makes it as root on Debian"
    return None


def _install_tools() -> Iterator[tuple[Tool, str]]:
    missing = [tool for tool in TOOLS if not tool.is_present()]
    reason = _why_no_apt() if missing else None
    if missing and reason is None:
        reason = _update()
    for tool in TOOLS:
        if tool not in missing:
            yield tool, "present"
        elif reason is not None:
            yield tool, f"skipped: {reason}"
        else:
            yield tool, _install(tool)


def _why_no_apt() -> str | None:
    if os.geteuid() != 0:
        return "not root"
    if not OS_RELEASE.is_file() or "ID=debian" not in OS_RELEASE.read_text().splitlines():
        return "not Debian"
    return None if _where("apt-get") else "no apt-get here"


def _update() -> str | None:
    reason = None
    for _ in range(UPDATE_TRIES):
        try:
            _run([*APT, "update"], UPDATE_SECONDS)
        except Missing as missing:
            reason = str(missing)
        else:
            return None
    return reason


def _install(tool: Tool) -> str:
    try:
        _run([*APT, "install", "--no-install-recommends", tool.package], INSTALL_SECONDS)
    except Missing as missing:
        return f"skipped: {missing}"
    return "installed" if tool.is_present() else f"skipped: the package brought no {tool.program}"


def _outcome_of_pbx() -> str:
    try:
        is_new = _provide_pbx()
    except (Missing, OSError) as missing:
        return f"skipped: {missing}"
    version = (PBX_ROOT / STAMP).read_text().strip()
    return f"{'installed' if is_new else 'present'}: {version}"


def _provide_pbx() -> bool:
    """Make sure that a whole chroot stands at PBX_ROOT; True when it had to be made.

    Raises:
        Missing: it cannot be had here.
    """
    if os.geteuid() != 0:
        raise Missing("not root")
    for left_over in CACHE.glob("pbx.making-*"):
        _throw_away(left_over)
    if not (PBX_ROOT / STAMP).is_file() and (PBX_ROOT / "usr/sbin/asterisk").is_file():
        _stamp_if_whole(PBX_ROOT)
    if (PBX_ROOT / STAMP).is_file():
        _write_hosts(PBX_ROOT)
        return False
    if PBX_ROOT.exists():
        _throw_away(PBX_ROOT)
    _make_pbx()
    return True


def _make_pbx() -> None:
    if _where("debootstrap") is None:
        raise Missing("no debootstrap")
    making = CACHE / f"pbx.making-{os.getpid()}"
    packages = "--include=asterisk,asterisk-core-sounds-en-gsm"
    try:
        _run(["debootstrap", "--variant=minbase", packages, "sid", str(making)], DEBOOTSTRAP_SECONDS)
        if not _stamp_if_whole(making):
            raise Missing("debootstrap made a chroot whose Asterisk does not run")
    except Missing:
        _throw_away(making)
        raise
    _write_hosts(making)
    making.rename(PBX_ROOT)


def _stamp_if_whole(root: Path) -> bool:
    """A chroot is whole when dpkg left nothing half done in it and its Asterisk runs."""
    try:
        unfinished = _run(["chroot", str(root), "dpkg", "--audit"], 60)
        version = _run(["chroot", str(root), "asterisk", "-V"], 60)
    except Missing:
        return False
    if unfinished.strip() or not version.startswith("Asterisk "):
        return False
    stamp = root / f"{STAMP}.new"
    stamp.write_text(version)
    stamp.rename(root / STAMP)
    return True


def _write_hosts(root: Path) -> None:
    """Without its own name in /etc/hosts Asterisk waits for DNS on every channel."""
    wanted = f"127.0.0.1 localhost {socket.gethostname()}\n"
    hosts = root / "etc" / "hosts"
    if not hosts.is_file() or hosts.read_text() != wanted:
        new = hosts.with_suffix(".new")
        new.write_text(wanted)
        new.rename(hosts)


def _throw_away(root: Path) -> None:
    """Remove a half-made chroot; what debootstrap left mounted in it is unmounted first, and never removed through.

    Raises:
        Missing: something is still mounted in it.
    """
    for mount in reversed(_mounts_below(root)):
        subprocess.run(["umount", mount], check=False, capture_output=True, timeout=60)
    if still := _mounts_below(root):
        raise Missing(f"{still[0]} is mounted: unmount it, then remove {root}")
    shutil.rmtree(root, ignore_errors=True)


def _mounts_below(root: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [place for place in (line.split()[1] for line in lines) if Path(place).is_relative_to(root)]


def _path() -> str:
    """The PATH with the administrators' folders, which are missing from it in some containers."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _where(program: str) -> str | None:
    return shutil.which(program, path=_path())


def _run(command: list[str], seconds: float) -> str:
    """Run to the end and return what it printed.

    Raises:
        Missing: it failed, or took longer than `seconds`.
    """
    try:
        process = subprocess.Popen(
            [_where(command[0]) or command[0], *command[1:]],
            env={**os.environ, "PATH": _path(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise Missing(f"{command[0]}: {error.strerror}") from None
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # its children too: apt and debootstrap leave the work to them
            if isinstance(error, subprocess.TimeoutExpired):
                raise Missing(f"{command[0]} took longer than {seconds:.0f} s") from None
            raise
    if process.returncode != 0:
        last = (errors.strip() or output.strip() or "it said nothing").splitlines()[-1]
        raise Missing(f"{command[0]} failed ({process.returncode}): {last}")
    return output


@contextmanager
def _one_run_at_a_time() -> Iterator[bool]:
    """Hold the machine's lock; False where another run kept it for LOCK_SECONDS. The kernel frees it when its holder dies."""
    with (CACHE / "machine.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(0.5)
        yield True


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(thing: str, outcome: str) -> None:
    print(f"{thing + ':':17}{outcome}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
