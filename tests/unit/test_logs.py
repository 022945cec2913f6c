import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from config.settings import LogSettings
from cti_bridge import logs


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    logs.configure(LogSettings(format="json"), stream=stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def line(out: io.StringIO) -> dict[str, object]:
    return json.loads(out.getvalue().splitlines()[-1])


def test_a_line_is_json_with_a_utc_time(out: io.StringIO) -> None:
    structlog.get_logger().info("ami.connected", pbx="main", conn=3)

    written = line(out)
    assert written.pop("timestamp").endswith("Z")
    assert written == {"event": "ami.connected", "pbx": "main", "conn": 3, "level": "info"}


@pytest.mark.parametrize(
    "number",
    ["+442079460018", "02079460018", "020 7946 0018", "+44 (0)20 7946-0018", "13800138000", "１３８００１３８０１８", "1000018"],
)
def test_a_phone_number_keeps_its_last_three_digits_only(number: str, out: io.StringIO) -> None:
    structlog.get_logger().warning("call.odd", caller=number, text=f"from {number}, twice", legs=[{"number": number}])

    written = line(out)
    assert number not in out.getvalue()
    assert written["caller"] == f"…{number[-3:]}"
    assert written["text"] == f"from …{number[-3:]}, twice"
    assert written["legs"] == [{"number": f"…{number[-3:]}"}]


def test_ids_dates_and_extensions_stay_whole(out: io.StringIO) -> None:
    facts = {
        "call_id": "main:1795314829.43",
        "uniqueid": "1795314829.43",
        "agent": "1001",
        "day": "2026-11-22",
        "host": "192.168.100.200",
    }
    structlog.get_logger().info("call.ended", **facts)

    written = line(out)
    assert {key: written[key] for key in facts} == facts


def test_secrets_are_hidden(out: io.StringIO) -> None:
    structlog.get_logger().info("settings", secret="s3cret", token="abc", pbx={"password": "x"}, wrapped=SecretStr("s3cret"))

    assert "s3cret" not in out.getvalue()
    assert line(out)["pbx"] == {"password": "[hidden]"}


def test_what_libraries_log_passes_the_same_way(out: io.StringIO) -> None:
    try:
        raise RuntimeError("caller +442079460018 broke it")
    except RuntimeError:
        logging.getLogger("aiohttp").exception("from %s", "+442079460018")

    written = line(out)
    assert written["level"] == "error"
    assert written["event"] == "from …018"
    assert "broke it" in str(written["exception"])
    assert "2079460018" not in out.getvalue()


def test_a_name_cannot_write_lines_or_colours_of_its_own() -> None:
    stream = io.StringIO()
    logs.configure(LogSettings(format="console"), stream=stream)
    structlog.get_logger().info("call.began", name="Eve\x1b[31m\r\n2026-11-22 ami.connected\u2028\u202e")
    logging.getLogger().handlers = []
    structlog.reset_defaults()

    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_the_level_of_the_settings_is_kept() -> None:
    stream = io.StringIO()
    logs.configure(LogSettings(level="warning"), stream=stream)
    structlog.get_logger().info("ami.frame")
    logging.getLogger().handlers = []
    logging.getLogger().setLevel(logging.WARNING)
    structlog.reset_defaults()

    assert stream.getvalue() == ""
