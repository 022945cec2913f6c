"""A PostgreSQL server of the test run's own: made in a temporary directory, reached over loopback, ended with the run."""

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
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 30


@contextmanager
def private_postgres() -> Iterator[str]:
    """The start of a database URL (`postgresql+psycopg://…/`); skips the test, with the reason, where there is no server."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binary = binaries[-1].parent
    as_root = os.geteuid() == 0
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if as_root else {}  # it refuses to run as root
    superuser = "postgres" if as_root else getpass.getuser()
    with tempfile.TemporaryDirectory(prefix="cti-postgres-") as directory:
        if as_root:
            shutil.chown(directory, "postgres", "postgres")
        cluster, log = Path(directory) / "cluster", Path(directory) / "log"
        subprocess.run(
            [binary / "initdb", "-D", cluster, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd="/", **owner,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [binary / "postgres", "-D", cluster, "-p", str(port), "-k", directory, "-h", "127.0.0.1", "-F"],
                stdout=output, stderr=output, cwd="/", **owner,
            )  # fmt: skip
        try:
            _wait_until_open(server, superuser, port, log)
            yield f"postgresql+psycopg://{superuser}@127.0.0.1:{port}/"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=START_SECONDS)


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
