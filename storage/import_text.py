"""A text file of unknown encoding as lines of bounded length: what spreadsheets and old programs save, read as it was meant.

UTF-8 (with or without a byte order mark), UTF-16 with its mark, GB18030; others by name. A guess that does not hold is
refused rather than stored as rubbish.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cti_bridge.domain.errors import ConfigError, Problem

MAX_LINE = 1_000_000
"""Characters; no line of a customer list is near it, and memory stays bounded whatever the file is."""
BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """`codec` as Python knows it, `name` as people do."""

    codec: str
    name: str


class UnreadableLine(Exception):
    """Nothing after this line can be read."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def encoding_of(path: Path, wanted: str | None) -> Encoding:
    """The encoding of the file, `wanted` where it is given. Raises ConfigError: none that is known; OSError."""
    if wanted is not None:
        try:
            "a".encode(wanted)  # what is no encoding of text is refused here too
        except LookupError:
            raise ConfigError((Problem(where="--encoding", what=f"{wanted!r} is no encoding"),)) from None
        return Encoding(codec=wanted, name=wanted)
    with path.open("rb") as file:
        start = file.read(BLOCK)
    for mark, codec, name in _MARKS:
        if start.startswith(mark):
            return Encoding(codec=codec, name=name)
    broken = _first_undecodable(path, "utf-8")
    if broken is None:
        return Encoding(codec="utf-8", name="UTF-8")
    if _is_mostly_utf8(start):
        what, hint = "not UTF-8, though the lines before are", "mend this line, or name the file's encoding with --encoding"
        raise ConfigError((Problem(where=f"{path}:{broken}", what=what, hint=hint),))
    if _first_undecodable(path, "gb18030") is None and _is_plausible_chinese(start):
        return Encoding(codec="gb18030", name="GB18030")
    what, hint = "neither UTF-8 nor GB18030", "save it as CSV UTF-8, or name its encoding with --encoding, as cp1252"
    raise ConfigError((Problem(where=f"{path}:{broken}", what=what, hint=hint),))


def _first_undecodable(path: Path, codec: str) -> int | None:
    """The line of the first byte that cannot be read so; None: the whole file can."""
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            if not block:
                return None
            line += block.count(b"\n")


def _is_mostly_utf8(start: bytes) -> bool:
    text = start.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not character.isascii() for character in text) > 2 * broken


def _is_plausible_chinese(start: bytes) -> bool:
    """Western letters read as GB18030 give rare characters; most of a Chinese text is in the small set of 1980."""
    foreign = [character for character in start.decode("gb18030", "replace") if not character.isascii()]
    common = "".join(foreign).encode("gb2312", "ignore").decode("gb2312")
    return len(common) * 2 >= len(foreign)


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines with their ends. Raises UnreadableLine: one is too long, holds a NUL, or is not of the encoding."""
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE + 1)
        except UnicodeDecodeError as error:
            raise UnreadableLine(number, f"from about here on not {error.encoding}") from error
        if not line:
            return
        if len(line) > MAX_LINE:
            raise UnreadableLine(number, f"longer than {MAX_LINE} characters")
        if "\0" in line:
            raise UnreadableLine(number, "a NUL character: this is no text file")
        yield line
