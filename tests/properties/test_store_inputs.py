"""Whatever callers, files and browsers send: it is read, or refused with ValueError; never anything else."""

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from config.load import load_settings
from config.toml_lines import lines_of
from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.errors import ConfigError
from cti_bridge.domain.phone_number import is_withheld, masked, to_e164
from storage.contact_points import contact_point, fold
from storage.paging import cursor_after, key_of, time_key_of

ANY_TEXT = st.text(st.characters(exclude_categories=()))
EXAMPLE = Path(__file__).parents[2] / "config" / "example.toml"
REGIONS = st.sampled_from(["GB", "CN", "NL", "US"])


@given(ANY_TEXT | st.text("0123456789+-() .", max_size=45), REGIONS)
def test_a_number_read_twice_stays_the_same(presented: str, region: str):
    number = to_e164(presented, region)

    if number is not None:
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdecimal()
        assert to_e164(number, region) == to_e164(number, None) == number
        assert not is_withheld(presented)


@given(ANY_TEXT)
def test_a_masked_number_keeps_its_length_and_hides_the_middle(number: str):
    hidden = masked(number)

    assert len(hidden) == len(number)
    assert hidden.count("*") >= min(len(number), 2)


@given(st.sampled_from(ContactKind), ANY_TEXT, st.none() | ANY_TEXT, REGIONS)
def test_a_contact_point_is_read_or_refused_and_reads_back_the_same(
    kind: ContactKind, as_given: str, label: str | None, region: str
):
    try:
        point = contact_point(kind, as_given, label, region=region)
    except ValueError:
        return

    assert contact_point(kind, point.value, point.label, region=region).value == point.value


@given(ANY_TEXT)
def test_folding_twice_is_folding_once(text: str):
    assert fold(fold(text)) == fold(text)


@given(ANY_TEXT.filter(lambda text: len(text) < 200), ANY_TEXT.filter(lambda text: len(text) < 40))
def test_a_cursor_gives_its_key_back(value: str, row_id: str):
    assert key_of(cursor_after(value, row_id)) == (value, row_id)


@given(ANY_TEXT | st.text("ABCabc012_-=", max_size=60))
def test_any_other_cursor_is_refused_with_value_error(cursor: str):
    for read in (key_of, time_key_of):
        try:
            read(cursor)
        except ValueError:
            continue


@given(ANY_TEXT | st.text("[]a.\"'= \n#", max_size=60))
def test_lines_are_found_in_any_text_and_stand_in_it(text: str):
    for line in lines_of(text).values():
        assert 1 <= line <= len(text.splitlines())


@given(st.dictionaries(st.text("ab", min_size=1), st.dictionaries(st.text("ab_1", min_size=1), st.integers()), max_size=4))
def test_every_key_of_a_plain_file_is_found_on_its_line(sections: dict[str, dict[str, int]]):
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in sections.items()
    )
    assert tomllib.loads(text) == sections

    lines = lines_of(text)

    for name, keys in sections.items():
        for key, value in keys.items():
            assert text.splitlines()[lines[(name, key)] - 1] == f"{key} = {value}"


@given(st.dictionaries(st.text("AB_01PXHOSTERV", min_size=1).map(lambda name: f"CTI_{name}"), ANY_TEXT, max_size=4))
def test_any_environment_gives_settings_or_a_list_of_problems(env: dict[str, str]):
    try:
        load_settings(EXAMPLE, env)
    except ConfigError as error:
        told = error.problems
    else:
        told = None

    assert told != ()
