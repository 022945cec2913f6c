"""A real Asterisk 22 for tests, started from the shared chroot with a configuration, logs and spool of its own.

What comes in: the chroot that `tests.support.machine` made, and the templates in tests/pbx/etc. What goes out: a running PBX on a
loopback network of its own (`127.0.N.0/24`), so that test runs side by side do not meet. The rest of the chroot is only read.
"""

import fcntl
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.machine import CACHE, PBX_ROOT, why_no_pbx

TEMPLATES = Path(__file__).parent.parent / "pbx" / "etc"
NETWORKS = range(1, 100)
START_SECONDS = 40.0
STOP_SECONDS = 10.0
FOLDERS = ("etc", "cache", "lib/moh", "log/cdr-csv", "log/cel-custom", "run", "spool/monitor", "spool/voicemail")
DEFAULTS = ("acl", "ccss", "codecs", "dsp", "http", "indications", "pjproject", "pjsip_notify", "queuerules", "stasis", "udptl")
"""Package defaults that modules insist on; every other configuration file of a run is ours."""
WAITING_MUSIC = "usr/share/asterisk/sounds/en_US_f_Allison/demo-congrats.gsm"


class PbxUnavailable(Exception):
    """This machine has no PBX to give; the message is one line saying why."""


class PbxFailed(Exception):
    """Asterisk did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiAccount:
    username: str
    secret: str


SERVICE = AmiAccount(username="cti", secret="cti-secret")
"""What docs/asterisk.md asks for the service, no more."""
SERVICE_WITH_PHONES = AmiAccount(username="cti-phones", secret="cti-secret")
"""The same, and class system: phones answer and hold when told from the desktop."""
DRIVER = AmiAccount(username="driver", secret="driver-secret")
"""The tests' own, with every right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The loopback network of one PBX; `prefix` is `127.0.N`."""

    prefix: str

    @property
    def pbx(self) -> str:
        """Asterisk: AMI on TCP port 5038, SIP on UDP port 5060."""
        return f"{self.prefix}.1"

    @property
    def service(self) -> str:
        """Where cti-bridge listens: DID 8500 asks FastAGI on port 4573 here."""
        return f"{self.prefix}.2"

    @property
    def carrier(self) -> str:
        """The trunk's far end, where calls to the outside arrive."""
        return f"{self.prefix}.20"

    @property
    def sipp(self) -> str:
        """A second address of the trunk, for SIPp callers beside the carrier."""
        return f"{self.prefix}.21"

    def phone(self, extension: str) -> str:
        """An agent's phone, as 127.0.N.11 for 1001."""
        return f"{self.prefix}.{int(extension) - 990}"

    def address_of(self, name: str) -> str:
        """An agent's phone by its extension, or the carrier."""
        return self.phone(name) if name.isdigit() else self.carrier


class Pbx:
    """One Asterisk; `folder` holds everything it reads and writes of its own. `running_pbx` makes it."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def cel_csv(self) -> Path:
        return self.folder / "log" / "cel-custom" / "Master.csv"

    @property
    def cdr_csv(self) -> Path:
        return self.folder / "log" / "cdr-csv" / "Master.csv"

    @property
    def queue_log(self) -> Path:
        return self.folder / "log" / "queue_log"

    @property
    def log(self) -> Path:
        """Asterisk's own log, verbose."""
        return self.folder / "log" / "full"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when Asterisk says that it is fully booted.

        Raises:
            PbxFailed: it ended, or was not ready within START_SECONDS.
        """
        for left_over in (self.folder / "run").iterdir():
            left_over.unlink()
        config = self._inside("etc/asterisk.conf")
        with (self.folder / "log" / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["chroot", str(PBX_ROOT), "asterisk", "-f", "-U", "asterisk", "-G", "asterisk", "-C", config],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while "fully booted" not in self.command("core waitfullybooted"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise PbxFailed(f"Asterisk did not start:\n{self.log_since(0)[-4000:]}")
            time.sleep(0.1)

    def command(self, line: str) -> str:
        """What the command line of this Asterisk answers to `line`."""
        remote = ["chroot", str(PBX_ROOT), "asterisk", "-C", self._inside("etc/asterisk.conf"), "-rx", line]
        run = subprocess.run(remote, stdin=subprocess.DEVNULL, capture_output=True, timeout=START_SECONDS, check=False)
        return (run.stdout + run.stderr).decode(errors="replace")

    def stop(self) -> None:
        """End it as an administrator does; one that does not obey is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_since(self, offset: int) -> str:
        """Asterisk's log from the byte `offset` on; before it opened its log, what it printed."""
        log = self.log if self.log.exists() else self.folder / "log" / "console"
        return log.read_bytes()[offset:].decode(errors="replace")

    def _inside(self, name: str) -> str:
        return f"/{self.folder.relative_to(PBX_ROOT)}/{name}"


@contextmanager
def running_pbx() -> Iterator[Pbx]:
    """A PBX on the first free network, ended with the context; its folder stays until the network is used again.

    Raises:
        PbxUnavailable: this machine has none to give.
        PbxFailed: Asterisk did not start.
    """
    reason = why_no_pbx()
    if reason is not None:
        raise PbxUnavailable(reason)
    with _free_network() as number:
        network = Network(prefix=f"127.0.{number}")
        folder = PBX_ROOT / "tmp" / f"cti-pbx-{number}"
        _end_orphan(folder)
        _write_folder(folder, network)
        pbx = Pbx(network, folder)
        try:
            pbx.start()
            yield pbx
        finally:
            pbx.stop()


@contextmanager
def _free_network() -> Iterator[int]:
    """The number of a network that no other test run has; the kernel frees it when its holder dies."""
    for number in NETWORKS:
        with (CACHE / f"pbx-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    raise PbxUnavailable(f"all of 127.0.{NETWORKS[0]} to 127.0.{NETWORKS[-1]} are in use")


def _end_orphan(folder: Path) -> None:
    """End the Asterisk that a killed test run left on this network: its configuration file is ours, and the lock is free."""
    pid_file = folder / "run" / "asterisk.pid"
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text())
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if f"/{folder.relative_to(PBX_ROOT)}/etc/asterisk.conf".encode() in arguments:
            os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.02)
    except (FileNotFoundError, ProcessLookupError):
        return  # it has ended meanwhile


def _write_folder(folder: Path, network: Network) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for name in DEFAULTS:
        shutil.copy(PBX_ROOT / "etc" / "asterisk" / f"{name}.conf", folder / "etc")
    places = {
        "{{NET}}": network.prefix,
        "{{RUN}}": f"/{folder.relative_to(PBX_ROOT)}",
        "{{ARCH}}": f"{platform.machine()}-linux-gnu",
    }
    for template in TEMPLATES.glob("*.conf"):
        text = template.read_text()
        for place, value in places.items():
            text = text.replace(place, value)
        (folder / "etc" / template.name).write_text(text)
    shutil.copy(PBX_ROOT / WAITING_MUSIC, folder / "lib" / "moh")
    user = _asterisk_user()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *user)


def _asterisk_user() -> tuple[int, int]:
    """The user and group id that Asterisk has inside the chroot."""
    lines = (PBX_ROOT / "etc" / "passwd").read_text().splitlines()
    fields = next(line.split(":") for line in lines if line.startswith("asterisk:"))
    return int(fields[2]), int(fields[3])
