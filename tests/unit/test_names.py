"""Names that one person would be called by sound alike; names of two people do not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.names import SIMILAR, block_of, likeness, sound_of


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("李雷", "Li Lei"),
        ("李雷", "LEI, Li"),
        ("张三丰", "Zhang Sanfeng"),
        ("Zoë Ångström", "Zoe Angstrom"),
        ("O'Brien, Pat", "pat o brien"),
        ("ＪＯＨＮ　ＳＭＩＴＨ", "john smith"),
    ],
)
def test_the_same_name_sounds_the_same(name: str, other: str) -> None:
    assert sound_of(name) == sound_of(other)


@pytest.mark.parametrize(("name", "other"), [("Jon Smith", "John Smith"), ("Müller GmbH", "Mueller GmbH"), ("陈丽", "程丽")])
def test_a_slip_of_the_pen_is_still_alike(name: str, other: str) -> None:
    one, two = sound_of(name), sound_of(other)

    assert SIMILAR <= likeness(one, two) < 100
    assert block_of(one)[:1] == block_of(two)[:1]


@pytest.mark.parametrize(("name", "other"), [("Ann Lee", "Dan Lee"), ("王伟", "王芳"), ("Peter Jones", "Petra Johnson")])
def test_other_people_are_not_alike(name: str, other: str) -> None:
    assert likeness(sound_of(name), sound_of(other)) < SIMILAR


@given(st.text(max_size=60))
@example("0\U000267830")
def test_any_text_has_a_sound_that_stays(name: str) -> None:
    sound = sound_of(name)

    assert sound_of(sound) == sound
    assert sound.startswith(block_of(sound)) or block_of(sound) in sound
