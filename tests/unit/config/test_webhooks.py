"""The section [[webhook]]: what is refused before anything is sent, with its place and never its secret."""

from pathlib import Path

import pytest

from config.load import load_settings, read_webhook_secret
from cti_bridge.domain.errors import ConfigError
from tests.support.webhook_target import SECRET

PBX = '[[pbx]]\nname = "main"\nusername = "cti"\nsecret = "s3cret"\n'
GOOD = {"name": '"crm"', "url": '"https://crm.example/cti"', "secret": f'"{SECRET}"', "events": '["call.ended"]'}


def problems_of(tmp_path: Path, *sections: dict[str, str | None]) -> str:
    """What the operator is told; nothing where all is well."""
    path = tmp_path / "cti.toml"
    webhooks = ("[[webhook]]\n" + "".join(f"{key} = {value}\n" for key, value in one.items() if value) for one in sections)
    path.write_text(PBX + "".join(webhooks), encoding="utf-8")
    try:
        for webhook in load_settings(path, {}).webhook:
            read_webhook_secret(webhook)
    except ConfigError as error:
        return "\n".join(str(problem) for problem in error.problems)
    return ""


@pytest.mark.parametrize(
    "changes",
    [{}, {"allow_private": "true", "url": '"http://10.0.0.1/"'}, {"events": '["account.merged", "case.escalated"]'}],
    ids=str,
)
def test_a_good_one_is_taken(tmp_path: Path, changes: dict[str, str]):
    assert problems_of(tmp_path, GOOD | changes) == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": '"http://crm.example/"'}, "use https"),
        ({"url": '"ftp://crm.example/"'}, "url"),
        ({"url": '"https://eve:hunter2@crm.example/"'}, "name or password"),
        ({"events": "[]"}, "webhook[0].events"),
        ({"events": '["call.began"]'}, "webhook[0].events[0]"),
        ({"secret": None}, "either secret or secret_file"),
        ({"secret_file": '"/tmp/x"'}, "either secret or secret_file"),
        ({"secret": '"hunter2"'}, "webhook crm: secret: is not whsec_"),
        ({"secret": '"whsec_aHVudGVyMg=="'}, "24 to 64 bytes"),
        ({"secret": f'"{SECRET}!"'}, "24 to 64 bytes"),
        ({"event": '["call.ended"]'}, "did you mean events?"),
    ],
    ids=str,
)
def test_a_wrong_one_is_told_without_its_secret(tmp_path: Path, changes: dict[str, str | None], problem: str):
    told = problems_of(tmp_path, GOOD | changes)

    assert problem in told
    assert not any(secret in told for secret in ("hunter2", "aHVudGVyMg", SECRET))


def test_names_are_distinct(tmp_path: Path):
    assert "a name of its own" in problems_of(tmp_path, GOOD, GOOD)


def test_a_mistake_in_a_list_of_sections_is_told_with_what_is_known_there(tmp_path: Path):
    path = tmp_path / "cti.toml"
    path.write_text(PBX + '[[tiers.rules]]\ntier = "gold"\nrevenue = 1\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"did you mean|known here"):
        load_settings(path, {})
