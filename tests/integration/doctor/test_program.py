"""`cti-bridge doctor` as an administrator starts it, where there is no PBX to ask."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cti_bridge.cli import main

SETTINGS = """
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[journal]
directory = "{folder}"
[routing]
file = "{folder}/routing.yaml"
[[pbx]]
name = "main"
port = {port}
username = "cti"
secret = "s3cret"
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """Settings that name a port on which nothing listens."""
    (tmp_path / "routing.yaml").write_text("default: {queue: support}\n")
    file = tmp_path / "cti.toml"
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        file.write_text(SETTINGS.format(folder=tmp_path, port=taken.getsockname()[1]))
        yield file


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs it; gives exit code, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["cti-bridge", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        seen = capsys.readouterr()
        return int(end.value.code or 0), seen.out, seen.err

    return run


def test_pbx_that_is_away_is_said_in_words(doctor, config: Path) -> None:
    code, out, err = doctor("--config", config)

    assert (code, err) == (2, "")
    assert "ERROR  nothing listens at 127.0.0.1:" in out
    assert "-> manager.conf [general]: enabled = yes" in out
    assert out.endswith("Could not ask main: the line above says why.\n")


def test_pbx_that_is_away_is_said_to_programs(doctor, config: Path) -> None:
    code, out, err = doctor("--config", config, "--json")

    document = json.loads(out)
    assert (code, err, document["exit_code"]) == (2, "", 2)
    assert (document["pbx"][0]["asked"], document["pbx"][0]["findings"][0]["code"]) == (False, "connection.away")
    assert "s3cret" not in out


def test_wrong_settings_are_told_and_nothing_is_asked(doctor, config: Path) -> None:
    config.write_text(config.read_text().replace("username", "user"))

    code, out, err = doctor("--config", config)

    assert (code, out) == (2, "")
    assert "pbx[0].user is no setting" in err


@pytest.mark.parametrize("seconds", ["-1", "99", "long"])
def test_listening_has_bounds(doctor, config: Path, seconds: str) -> None:
    code, _, err = doctor("--config", config, "--listen", seconds)

    assert code == 2
    assert "--listen" in err
