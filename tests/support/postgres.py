"""A PostgreSQL server of the test run's own: made in a temporary directory, reached over loopback, ended with the run.

It lives in memory where the system has enough: every test's own database is four hundred files, which a busy disk makes slowly.
Its clients notice nothing; that a crash of the machine spares what was committed is PostgreSQL's promise, not tested here.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

START_SECONDS = 30
MEMORY = Path("/dev/shm")  # noqa: S108 (the directory made in it is of the owner alone)
MEMORY_NEEDED = 2 * 1024**3


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """Made by `postgres_server`. `url` is the start of a database URL (`postgresql+psycopg://…/`), the same after every start."""

    url: str
    superuser: str
    port: int
    command: list[str | Path]
    owner: dict[str, Any]
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self.command, stdout=output, stderr=output, cwd="/", **self.owner)
        _wait_until_open(self._process, self.superuser, self.port, self.log)

    def stop(self) -> None:
        """Ends it at once, as `pg_ctl stop -m fast` does: its clients' connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=START_SECONDS)


def why_no_postgres() -> str | None:
    """None where PostgreSQL is installed, else one line saying how to get it."""
    return None if _binaries() is not None else "PostgreSQL is not installed: apt-get install postgresql"


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server; skips the test, with the reason, where there is none."""
    binary = _binaries()
    if binary is None:
        pytest.skip(why_no_postgres() or "")
    as_root = os.geteuid() == 0
    owner: dict[str, Any] = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if as_root else {}
    )  # it refuses to run as root
    superuser = "postgres" if as_root else getpass.getuser()
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    with tempfile.TemporaryDirectory(prefix="cti-postgres-", dir=MEMORY if in_memory else None) as directory:
        if as_root:
            shutil.chown(directory, "postgres", "postgres")
        cluster = Path(directory) / "cluster"
        subprocess.run(
            [binary / "initdb", "-D", cluster, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd="/", **owner,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = PostgresServer(
            url=f"postgresql+psycopg://{superuser}@127.0.0.1:{port}/",
            superuser=superuser,
            port=port,
            command=[binary / "postgres", "-D", cluster, "-p", str(port), "-k", directory, "-h", "127.0.0.1", "-F"],
            owner=owner,
            log=Path(directory) / "log",
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def private_postgres() -> Iterator[str]:
    """The start of a database URL (`postgresql+psycopg://…/`); skips the test, with the reason, where there is no server."""
    with postgres_server() as server:
        yield server.url


def _wait_until_open(server: subprocess.Popen[bytes], superuser: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=superuser, dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
