"""A PostgreSQL server of the test run's own: made in a temporary directory, reached over loopback, ended with the run."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 30


@contextmanager
def private_postgres(directory: Path) -> Iterator[str]:
    """The start of a database URL (`postgresql+psycopg://…/`); skips the test, with the reason, where there is no server."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binary = binaries[-1].parent
    as_root = os.geteuid() == 0
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if as_root else {}
    cluster = directory / "cluster"
    cluster.mkdir()
    if as_root:
        shutil.chown(cluster, "postgres", "postgres")
        for parent in (directory, *directory.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o011)
    superuser = "postgres" if as_root else getpass.getuser()
    subprocess.run(
        [binary / "initdb", "-D", cluster, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True, capture_output=True, cwd="/", **owner,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (directory / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [binary / "postgres", "-D", cluster, "-p", str(port), "-k", cluster, "-h", "127.0.0.1", "-F"],
            stdout=log, stderr=log, cwd="/", **owner,
        )  # fmt: skip
    try:
        _wait_until_open(server, superuser, port, directory / "postgres.log")
        yield f"postgresql+psycopg://{superuser}@127.0.0.1:{port}/"
    finally:
        server.send_signal(2)
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
