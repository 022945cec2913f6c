"""Names made comparable: by how they are written and by how they sound, Latin and Chinese alike. Pure."""

import os
import unicodedata

from rapidfuzz import fuzz

from storage.contact_points import fold

# Without its dictionary of idioms, which no name needs, pypinyin loads in a fifth of the time: the service starts sooner.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
from pypinyin import lazy_pinyin

_BLOCK_LETTERS = 4
SIMILAR = 88
"""From this score (0 to 100) on two names are worth a look: `Jon Smith` and `John Smith` have 95, `Ann Lee` and `Dan Lee` 86."""


def sound_of(name: str) -> str:
    """The name as it sounds: Chinese in pinyin without tones, Latin letters without accents, words in order of the alphabet.

    `李雷`, `Li Lei` and `LEI, Li` sound alike, and so do `张三丰` and `Zhang Sanfeng`.
    """
    sound = _sounded(name)
    # A character that pinyin does not know may stand with its neighbours as one word, and without them as another.
    while not sound.isascii() and (again := _sounded(sound)) != sound:
        sound = again
    return sound


def _sounded(name: str) -> str:
    spoken = " ".join(_spoken(word) for word in fold(name).split())
    bare = "".join(c for c in unicodedata.normalize("NFKD", spoken) if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in bare).split()
    return " ".join(sorted(words))


def _spoken(word: str) -> str:
    """A Chinese person's name is a family name of one character and a given name, which is one word in pinyin."""
    syllables = lazy_pinyin(word)
    is_persons = 2 <= len(word) <= 3 and len(syllables) == len(word)
    return f"{syllables[0]} {''.join(syllables[1:])}" if is_persons else " ".join(syllables)


def block_of(sound: str) -> str:
    """The beginning of the longest word: names that are alike mostly share it, so a search need not read every account."""
    return max(sound.split(), key=len, default="")[:_BLOCK_LETTERS]


def likeness(sound: str, other: str) -> int:
    """How alike two names sound, from 0 to 100, whatever the order of their words."""
    return round(fuzz.token_sort_ratio(sound, other))
