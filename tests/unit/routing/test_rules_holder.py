"""The last good rules stay in force, whatever is saved next."""

from datetime import timedelta

import pytest

from cti_bridge.domain.errors import ConfigError
from routing.rules_holder import RulesHolder
from tests.support.routing_samples import MONDAY_NOON

GOOD = "default: {queue: support}\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "routing.yaml"


async def test_reload_swaps_in_a_good_file(file):
    times = iter([MONDAY_NOON, MONDAY_NOON + timedelta(hours=1)])
    holder = RulesHolder(file, now=lambda: next(times))
    file.write_text(GOOD)
    holder.load()
    file.write_text("default: {queue: sales}\n")

    assert await holder.reload()
    assert holder.rules is not None
    assert holder.rules.default.queue == "sales"
    assert holder.loaded_at == MONDAY_NOON + timedelta(hours=1)
    assert holder.problems == ()


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"default: {}\n", 1, "default names no queue"),
        (b"default:\n  queue: \xff\n", 2, "not UTF-8"),
        (None, 1, "cannot be read: No such file or directory"),
    ],
)
async def test_reload_of_a_bad_file_keeps_the_last_good_one_and_says_why(file, content, line, message):
    holder = RulesHolder(file, now=lambda: MONDAY_NOON)
    file.write_text(GOOD)
    holder.load()
    before = holder.rules
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    assert not await holder.reload()
    assert holder.rules is before
    assert [(problem.line, problem.message) for problem in holder.problems] == [(line, message)]


def test_start_with_a_bad_file_is_refused_with_every_mistake(file):
    file.write_text("rules: a\ndefault: {}\n")

    with pytest.raises(ConfigError) as refused:
        RulesHolder(file, now=lambda: MONDAY_NOON).load()

    assert [problem.where for problem in refused.value.problems] == [f"{file}:1:8", f"{file}:2:10"]


def test_start_without_a_file_is_refused(file):
    with pytest.raises(ConfigError, match="cannot be read"):
        RulesHolder(file, now=lambda: MONDAY_NOON).load()


async def test_file_with_warnings_is_in_force(file):
    file.write_text(GOOD + "rules: [{name: a, queue: q}, {name: b, queue: q}]\n")
    holder = RulesHolder(file, now=lambda: MONDAY_NOON)

    assert await holder.reload()
    assert [problem.severity for problem in holder.problems] == ["warning"]
    assert holder.text == file.read_text()
