"""Changing the configuration of the running PBX for a test, and putting it back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.support.pbx import Pbx

RELOAD = ("manager reload", "dialplan reload", "queue reload all", "module reload cel", "module reload cdr", "logger reload")


@contextmanager
def changed(pbx: Pbx, changes: Mapping[str, Mapping[str, str]], added: Mapping[str, str] | None = None) -> Iterator[None]:
    """`changes`: file -> {text that stands there: text instead}; `added`: file -> text at its end. Reloaded now, and again after.

    Raises AssertionError where a text to change is not there.
    """
    files = {name: pbx.folder / "etc" / name for name in {*changes, *(added or {})}}
    before = {name: file.read_text() for name, file in files.items()}
    try:
        for name, file in files.items():
            text = before[name]
            for old, new in changes.get(name, {}).items():
                assert old in text, f"{old!r} is not in {name}"
                text = text.replace(old, new)
            file.write_text(text + (added or {}).get(name, ""))
        reload(pbx)
        yield
    finally:
        for name, file in files.items():
            file.write_text(before[name])
        reload(pbx)


def reload(pbx: Pbx) -> None:
    for command in RELOAD:
        pbx.command(command)
