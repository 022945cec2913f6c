"""Every command of the program, as a person at a terminal meets it: what it prints, where, and its exit code."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cti_bridge.cli import main
from tests.support.replayed import TRACES, truth_of

TRACE = TRACES / "q_first_agent.ami"
SETTINGS = """
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[routing]
file = "{folder}/routing.yaml"
[[pbx]]
name = "main"
username = "cti"
secret = "s3cret"
"""
RULES = "rules:\n  - {name: sales, when: {did: '8002'}, queue: sales}\ndefault: {queue: support}\n"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "cti.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    file.chmod(0o600)
    (tmp_path / "routing.yaml").write_text(RULES)
    return file


@pytest.fixture
def cti(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs the program in an empty folder, without a terminal."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, **environment: str) -> Done:
        monkeypatch.setattr("sys.argv", ["cti-bridge", *map(str, arguments)])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        else:
            code = 0
        seen = capsys.readouterr()
        return Done(code, seen.out, seen.err)

    return run


# --- check


def test_check_says_that_all_is_sound(cti, config):
    done = cti("check", "--config", config)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Settings and ")
    assert "are sound (rules version " in done.out


def test_check_finds_cti_toml_in_the_working_folder(cti, config):
    assert cti("check").code == 0


def test_every_mistake_in_the_settings_is_told_at_once(cti, config):
    config.write_text(
        """
[server]
port = 99999
prot = 1
[numbers]
internal = "("
[[pbx]]
name = "main"
host = "10.0.0.1"
username = "cti"
secret = "s3cret"
"""
    )

    for command in ("check", "run", "migrate"):
        done = cti(command, "--config", config)

        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("cti-bridge: ")
        for told in (f"{config}:3: ", f"{config}:4: ", f"{config}:6: ", "did you mean port?", "10.0.0.1 is not this machine"):
            assert told in done.err, told
        assert "s3cret" not in done.err
        assert "Traceback" not in done.err


def test_a_missing_settings_file_is_named(cti, tmp_path):
    done = cti("check", "--config", tmp_path / "none.toml")

    assert done.code == 2
    assert "none.toml" in done.err


def test_every_mistake_in_the_rules_is_told_with_its_line(cti, config, tmp_path):
    (tmp_path / "routing.yaml").write_text("rules:\n  - name: a b\n    queue: x\n    wen: {}\ndefault: {}\n")

    done = cti("check", "--config", config)

    assert done.code == 2
    assert len(done.err.splitlines()) >= 3
    assert f"{tmp_path}/routing.yaml:2" in done.err
    assert f"{tmp_path}/routing.yaml:4" in done.err


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not UTF-8"])
def test_a_rules_file_that_cannot_be_read_is_named(cti, config, tmp_path, content):
    rules = tmp_path / "routing.yaml"
    rules.unlink()
    if content is not None:
        rules.write_bytes(content)

    done = cti("check", "--config", config)

    assert done.code == 2
    assert "routing.yaml: the routing file cannot be read" in done.err


# --- replay


def test_replay_prints_one_line_for_each_call(cti):
    name = "q_rna_second"
    done = cti("replay", TRACES / f"{name}.ami", "--times", TRACES / f"{name}.ts", "--region", "NL")

    calls = [json.loads(line) for line in done.out.splitlines()]
    (truth,) = truth_of(name)
    assert (done.code, done.err) == (0, "")
    assert [(call["outcome"], call["answered_by"]) for call in calls] == [(truth["outcome"], truth["answered_by"])]
    assert calls[0]["call_id"].startswith("main:")


def test_replay_without_times_takes_them_from_the_stream(cti):
    """Asterisk's Timestamp headers; the time of receipt is a little later, and read once a chunk."""
    name = "q_first_agent"
    told, received = (
        json.loads(cti("replay", TRACES / f"{name}.ami", *times).out) for times in ([], ["--times", TRACES / f"{name}.ts"])
    )

    assert told.keys() == received.keys()
    assert told["started_at"][:18] == received["started_at"][:18]
    assert abs(told["talk_s"] - received["talk_s"]) < 0.5


def test_replay_reads_numbers_as_the_region_says(cti):
    trace = TRACES / "cid_national.ami"

    plain, dutch = (json.loads(cti("replay", trace, *region).out) for region in ([], ["--region", "NL"]))

    assert plain["customer_number"] == plain["presented_number"] == dutch["presented_number"]
    assert dutch["customer_number"].startswith("+31")


def test_replay_tells_agents_from_customers_as_internal_says(cti):
    trace = TRACES / "internal_answered.ami"

    usual, none = (json.loads(cti("replay", trace, *how).out) for how in ([], ["--internal", "^nobody$"]))

    assert (usual["direction"], none["direction"]) == ("internal", "inbound")


def test_replay_prints_the_events_when_asked(cti):
    done = cti("replay", TRACES / "q_first_agent.ami", "--events")

    events = [json.loads(line) for line in done.out.splitlines()]
    names = [event["event"] for event in events]
    assert done.code == 0
    assert next(name for name in names if name.startswith("Call")) == "CallArrived"
    assert {"CallQueued", "CallOffered", "CallAnswered", "CallLeftQueue", "CallEnded", "MemberChanged"} <= set(names)
    assert all(set(event) >= {"event", "at"} for event in events)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["none.ami"], 1, "none.ami", id="a missing trace"),
        pytest.param([TRACE, "--times", "none.ts"], 1, "none.ts", id="missing times"),
        pytest.param(
            [TRACES / "q_first_agent.ami", "--internal", "("], 2, "--internal is not a regular expression", id="a bad regex"
        ),
        pytest.param([TRACE, "--region", "Holland"], 2, "--region", id="a region that is no code"),
        pytest.param([TRACES], 1, "traces", id="a folder"),
        pytest.param([], 2, "Missing argument", id="no trace"),
    ],
)
def test_replay_says_what_is_wrong(cti, arguments, code, told):
    done = cti("replay", *arguments)

    assert done.code == code
    assert told in done.err
    assert "Traceback" not in done.err


def test_replay_of_something_else_finds_no_calls(cti, tmp_path):
    (tmp_path / "x.ami").write_bytes(b"\x89PNG\r\n\r\n" * 1000)

    assert cti("replay", tmp_path / "x.ami") == Done(0, "", "")


# --- people


def test_people_are_added_listed_and_given_a_new_password(cti, config, tmp_path):
    added = cti("user", "add", "Zoe", "--role", "agent", "--extension", "1001", "--name", "Zoë", CTI_PASSWORD="correct horse")
    cti("user", "add", "sam", "--role", "supervisor", CTI_PASSWORD="correct horse")
    changed = cti("user", "passwd", "zoe", CTI_PASSWORD="battery staple")
    listed = cti("user", "list")

    assert [added, changed] == [Done(0, "Added agent Zoe.\n", ""), Done(0, "Changed the password of zoe.\n", "")]
    assert listed == Done(0, "sam\tsupervisor\t-\tsam\nzoe\tagent\t1001\tZoë\n", "")
    with closing(sqlite3.connect(tmp_path / "cti.db")) as store:
        stored = store.execute("SELECT password_hash FROM users").fetchall()
    assert all(password.startswith("$argon2id$") for (password,) in stored)


@pytest.mark.parametrize(
    ("arguments", "password", "told"),
    [
        pytest.param(["add", "zoe", "--role", "agent"], "correct horse", "an agent needs an extension", id="no phone"),
        pytest.param(["add", "zoe", "--role", "admin"], "short", "password", id="a short password"),
        pytest.param(["add", "zoe", "--role", "boss"], "correct horse", "--role", id="an unknown role"),
        pytest.param(["passwd", "nobody"], "correct horse", "there is no user nobody", id="nobody"),
    ],
)
def test_people_are_refused_with_the_reason(cti, config, arguments, password, told):
    done = cti("user", *arguments, CTI_PASSWORD=password)

    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert password not in done.err


def test_a_user_name_is_taken_once(cti, config):
    add = ("user", "add", "sam", "--role", "supervisor")
    cti(*add, CTI_PASSWORD="correct horse")

    done = cti(*add, CTI_PASSWORD="correct horse")

    assert done == Done(2, "", "cti-bridge: there is a user 'sam' already\n")


# --- the store


def test_migrate_brings_the_schema_up_to_date_again_and_again(cti, config):
    assert [cti("migrate") for _ in range(2)] == [Done(0, "The schema is up to date.\n", "")] * 2


def test_a_store_that_cannot_be_opened_is_said_in_one_line(cti, config, tmp_path):
    (tmp_path / "cti.db").write_bytes(b"this is no database" * 100)

    done = cti("user", "list")

    assert (done.code, done.out) == (1, "")
    assert done.err == "cti-bridge: the store failed: file is not a database\n"


def test_customers_are_imported_once(cti, config, tmp_path):
    file = tmp_path / "customers.csv"
    file.write_text("name,phones\nZoë,020 7946 0018\n王芳,020 7946 0019\n")

    tried = cti("import", "accounts", file, "--dry-run")
    first, second = (cti("import", "accounts", file) for _ in range(2))

    assert tried == Done(0, "2 rows (UTF-8): 2 would be added, 0 known already.\n", "")
    assert first == Done(0, "2 rows (UTF-8): 2 added, 0 known already.\n", "")
    assert second == Done(0, "2 rows (UTF-8): 0 added, 2 known already.\n", "")


def test_a_list_of_another_program_updates_by_its_key(cti, config, tmp_path):
    file = tmp_path / "customers.csv"
    how = ("--key", "customer_number", "--column", "name=客户名称", "--column", "customer_numbers=编号")
    first, second = (f"编号;客户名称;地区\nK-7;{name};北京\n".encode("gb18030") for name in ("王芳", "李雷"))
    file.write_bytes(first)
    added = cti("import", "accounts", file, *how)
    file.write_bytes(second)

    updated = cti("import", "accounts", file, *how)

    passed_over = "Passed over: '地区'.\n"
    assert added == Done(0, f"1 rows (GB18030): 1 added, 0 updated, 0 known already.\n{passed_over}", "")
    assert updated == Done(0, f"1 rows (GB18030): 0 added, 1 updated, 0 known already.\n{passed_over}", "")


def test_a_mapping_of_columns_that_cannot_be_read(cti, config):
    done = cti("import", "accounts", "customers.csv", "--column", "colour=x")

    assert (done.code, done.out) == (2, "")
    assert "'colour' is no column of ours" in done.err


def test_a_bad_row_stops_the_whole_file(cti, config, tmp_path):
    file = tmp_path / "customers.csv"
    file.write_text("name,phones\nZoë,020 7946 0018\n,call me\n")

    done = cti("import", "accounts", file)

    assert (done.code, done.out) == (2, "")
    assert f"{file}:3" in done.err


def test_a_missing_customer_file_is_named(cti, config):
    assert cti("import", "accounts", "none.csv") == Done(
        2, "", "cti-bridge: none.csv: cannot be read: No such file or directory\n"
    )


# --- record (the recording itself: tests/system/test_program.py)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["trace.txt"], "a trace's name ends in .ami", id="another ending"),
        pytest.param(["trace.ami", "--pbx", "other"], "no [[pbx]] is named other: there are main", id="an unknown PBX"),
    ],
)
def test_record_refuses_what_it_cannot_do(cti, config, tmp_path, arguments, told, monkeypatch):
    monkeypatch.setattr("cti_bridge.logs.configure", lambda _settings: None)  # process-wide, and this is pytest's process

    done = cti("record", *arguments, "--config", config)

    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".ami", ".ts"}] == []


def test_without_a_command_the_help_is_shown(cti):
    done = cti()

    assert "Call-centre CTI for Asterisk." in done.out + done.err
    for command in ("run", "demo", "check", "replay", "record", "migrate", "user", "import"):
        assert command in done.out + done.err
