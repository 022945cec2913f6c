from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.load import load_settings, read_secret
from config.settings import DatabaseSettings, PbxSettings, Settings
from cti_bridge.domain.errors import ConfigError, Problem

PBX = '[[pbx]]\nname = "main"\nusername = "cti"\nsecret = "s3cret"\n'
EXAMPLE = Path(__file__).parents[3] / "config" / "example.toml"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cti.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path | None, env: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, env or {})
    return caught.value.problems


def told(path: Path | None, env: dict[str, str] | None = None) -> list[str]:
    """The problems as the operator reads them, without the directory."""
    return [str(problem).replace(f"{path.parent}/" if path else "\0", "") for problem in problems_of(path, env)]


def test_example_loads_and_says_the_defaults():
    settings = load_settings(EXAMPLE, {})

    defaults = Settings(pbx=(PbxSettings(name="main", username="cti", secret_file=Path("/run/secrets/ami")),))
    assert settings == defaults


def test_example_names_every_setting():
    text = EXAMPLE.read_text(encoding="utf-8")

    for section in (Settings, *(field.annotation for field in Settings.model_fields.values()), PbxSettings):
        for name in getattr(section, "model_fields", {}):
            assert f"{name} =" in text or f"[{name}]" in text or f".{name}]" in text, name


def test_a_variable_wins_over_the_file(tmp_path: Path):
    path = written(tmp_path, PBX + "[server]\nport = 81\n")

    settings = load_settings(path, {"CTI_SERVER__PORT": "82", "CTI_DATABASE__URL": "postgresql+psycopg://db/cti"})

    assert settings.server.port == 82
    assert settings.database == DatabaseSettings(url="postgresql+psycopg://db/cti")


def test_variables_reach_the_entries_of_lists(tmp_path: Path):
    path = written(tmp_path, PBX)

    settings = load_settings(
        path,
        {
            "CTI_PBX__0__HOST": "127.0.0.9",
            "CTI_PBX__1__NAME": "second",
            "CTI_PBX__1__USERNAME": "cti",
            "CTI_PBX__1__SECRET": "x",
            "CTI_PBX__1__RECORD__CEL_CSV": "/cel.csv",
            "CTI_SERVER__ORIGINS": '["https://a.example", "https://b.example"]',
        },
    )

    assert [(pbx.name, pbx.host) for pbx in settings.pbx] == [("main", "127.0.0.9"), ("second", "127.0.0.1")]
    assert settings.pbx[1].record.cel_csv == Path("/cel.csv")
    assert settings.server.origins == ("https://a.example", "https://b.example")


def test_all_settings_may_come_from_variables():
    settings = load_settings(None, {"CTI_PBX__0__NAME": "m", "CTI_PBX__0__USERNAME": "u", "CTI_PBX__0__SECRET": "s"})

    assert settings.pbx[0].name == "m"


def test_variables_of_the_platform_are_left_alone(tmp_path: Path):
    env = {"CTI_PORT": "tcp://10.0.0.1:80", "CTI_SERVICE_HOST": "10.0.0.1", "PATH": "/bin", "OTHER__X": "1"}

    assert load_settings(written(tmp_path, PBX), env) == load_settings(written(tmp_path, PBX), {})


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path):
    path = written(
        tmp_path,
        """\
[server]
port = 99999
hots = "x"

[numbers]
region = "gb"
internal = "["

[[pbx]]
name = "main"
username = "cti"
secret = "s"

[[pbx]]
name = "se cond"
secret = "s"
secret_file = "f"
[pbx.record]
cell_csv = "x"

[serverr]
""",
    )

    assert sorted(told(path, {"CTI_LOG__LEVEL": "loud", "CTI_SERVER__ORIGINS": "[x", "CTI_QUEUES__WRAP_UP": "5"})) == [
        "CTI_LOG__LEVEL: log.level: input should be 'debug', 'info', 'warning' or 'error'",
        "CTI_QUEUES__WRAP_UP: queues.wrap_up is no setting (did you mean wrap_up_seconds?)",
        'CTI_SERVER__ORIGINS: begins like JSON but is none (a list is ["a", "b"])',
        'cti.toml:14: pbx[1].username is missing (write username = "…" in this section)',
        "cti.toml:15: pbx[1].name: string should match pattern '^[A-Za-z0-9_-]{1,40}$'",
        "cti.toml:19: pbx[1].record.cell_csv is no setting (did you mean cel_csv?)",
        "cti.toml:21: serverr is no setting (did you mean server?)",
        "cti.toml:2: server.port: input should be less than or equal to 65535",
        "cti.toml:3: server.hots is no setting (did you mean host?)",
        "cti.toml:6: numbers.region: string should match pattern '^[A-Z]{2}$'",
        "cti.toml:7: numbers.internal: not a regular expression: unterminated character set at position 0",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["cti.toml: pbx is missing (add a [[pbx]] section with name, username and secret)"]),
        (
            '[[pbx]]\nname = "a"\nusername = "u"\nhost = "10.0.0.1"\nsecret = "x"\n',
            ["cti.toml:1: pbx[0]: 10.0.0.1 is not this machine: use tls = true, or allow_insecure = true inside a VPN"],
        ),
        (PBX + PBX, ["cti.toml: settings: every [[pbx]] needs a name of its own: call ids begin with it"]),
        (PBX + "[server]\nport = \n", ['cti.toml:6:8: not TOML: Invalid value (text stands in "quotes")']),
        (PBX + "server = 3", ["cti.toml:5: pbx[0].server is no setting (did you mean secret?)"]),
        (PBX + "[log]\nzzz = 1", ["cti.toml:6: log.zzz is no setting (known here: level, format)"]),
        ("pbx = 1\nserver = 3\n", ["cti.toml:2: server: input should be a valid dictionary or instance of ServerSettings",
          "cti.toml:1: pbx: input should be a valid tuple"]),
    ],
    ids=["empty", "insecure", "same-name", "not-toml", "unknown", "unlike", "wrong-kinds"],
)  # fmt: skip
def test_mistakes_are_told_in_words(tmp_path: Path, text: str, expected: list[str]):
    assert told(written(tmp_path, text)) == expected


@pytest.mark.parametrize(
    "env",
    [
        {"CTI_PBX__X__HOST": "h"},
        {"CTI_PBX__500__HOST": "h"},
        {"CTI_SERVER__0": "h"},
        {"CTI_SERVER__PORT__X": "h"},
        {"CTI___": ""},
        {"CTI_PBX__1__NAME": "x"},
        {"CTI_SERVERR__PORT": "1"},
    ],
    ids=["no-number", "far-entry", "number-in-section", "below-a-value", "nothing", "half-a-pbx", "typo"],
)
def test_variables_that_lead_nowhere_are_told(tmp_path: Path, env: dict[str, str]):
    (name,) = env

    assert any(problem.where == name for problem in problems_of(written(tmp_path, PBX + "[server]\nport = 81\n"), env))


def test_a_secret_is_never_repeated(tmp_path: Path):
    path = written(tmp_path, '[[pbx]]\nname = "a b"\nsecret = ["hunter2"]\n')

    assert "hunter2" not in "\n".join(told(path, {"CTI_PBX__0__SECRET_FILE": "hunter2"}))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path):
    assert told(tmp_path / "none.toml") == [
        "none.toml: cannot be read: No such file or directory (check the path and its rights)"
    ]
    assert told(tmp_path) == [f"{tmp_path.name}: cannot be read: Is a directory (check the path and its rights)"]


def test_a_file_in_another_encoding_is_told(tmp_path: Path):
    path = tmp_path / "cti.toml"
    path.write_bytes(b'[server]\nhost = "\xff"\n')

    assert told(path) == ["cti.toml: not UTF-8 (byte 17) (save the file as UTF-8)"]


def a_pbx(**fields) -> PbxSettings:
    return PbxSettings(name="main", username="cti", **fields)


def test_secret_comes_from_the_settings_or_from_a_file_without_its_line_end(tmp_path: Path):
    file = tmp_path / "ami"
    file.write_bytes(b" p\xc3\xa4ss \r\n")
    file.chmod(0o600)

    assert read_secret(a_pbx(secret="given")).get_secret_value() == "given"
    assert read_secret(a_pbx(secret_file=file)).get_secret_value() == " päss "


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"a\0b"])
def test_an_unusable_secret_is_refused(tmp_path: Path, content: bytes):
    file = tmp_path / "ami"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match="the secret"):
        read_secret(a_pbx(secret_file=file))


def test_a_missing_secret_file_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(a_pbx(secret_file=tmp_path / "none"))


def test_a_secret_file_open_to_everybody_is_warned_about(tmp_path: Path):
    file = tmp_path / "ami"
    file.write_text("s3cret")
    file.chmod(0o644)

    with capture_logs() as logs:
        read_secret(a_pbx(secret_file=file))

    assert [entry["event"] for entry in logs] == ["config.secret_file_open_to_all"]
    assert "s3cret" not in str(logs)


def test_retention_keeps_everything_unless_told_and_the_evidence_for_a_year(tmp_path: Path):
    kept = load_settings(written(tmp_path, PBX), {}).retention
    some = load_settings(written(tmp_path, PBX + "[retention]\ncases_days = 30\naudit_log_days = 365\n"), {}).retention

    assert kept.as_periods() == {}
    assert {kind.value: period.days for kind, period in some.as_periods().items()} == {"cases": 30, "audit_log": 365}
    (problem,) = told(written(tmp_path, PBX + "[retention]\naudit_log_days = 30\n"))
    assert "at least 365" in problem
