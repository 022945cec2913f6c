"""The pages' own files: whole catalogues in both languages, no inline code, modules of a size one can read."""

import json
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "screen_pop" / "page"
LANGUAGES = ("en", "zh")


def test_both_languages_have_the_same_keys_and_places() -> None:
    en, zh = (json.loads((PAGE / "locales" / f"{name}.json").read_text("utf-8")) for name in LANGUAGES)

    assert list(en) == list(zh)
    assert {key: re.findall(r"\{\w+\}", text) for key, text in en.items() if sorted(re.findall(r"\{\w+\}", text))} == {
        key: re.findall(r"\{\w+\}", text) for key, text in zh.items() if sorted(re.findall(r"\{\w+\}", text))
    }


def test_every_string_is_translated() -> None:
    en, zh = (json.loads((PAGE / "locales" / f"{name}.json").read_text("utf-8")) for name in LANGUAGES)

    same = {key for key in en if en[key] == zh[key]}
    no_chinese = {key for key in zh if not re.search("[\u4e00-\u9fff]", zh[key])}
    assert same | no_chinese == {"language.short_zh", "language.short_en"}


def test_every_key_is_used_and_every_used_key_exists() -> None:
    keys = set(json.loads((PAGE / "locales" / "en.json").read_text("utf-8")))
    code = "\n".join(path.read_text("utf-8") for path in PAGE.rglob("*.js") if "vendor" not in path.parts)
    literal = set(re.findall(r"'([a-z_]+\.[a-z_-]+)'", code))
    families = set(re.findall(r"`([a-z_]+\.(?:[a-z]+_)?)\$\{", code))

    assert families
    assert {key for key in re.findall(r"\b(?:t|parts)\('([\w.-]+)'", code) if not {key, f"{key}.one"} & keys} == set()
    unused = {
        key
        for key in keys
        if key.removesuffix(".one").removesuffix(".other") not in literal
        and not any(key.startswith(family) for family in families)
    }
    assert unused == set()


def test_no_chinese_text_outside_the_catalogues() -> None:
    files = [*PAGE.rglob("*.js"), *PAGE.rglob("*.css"), *PAGE.glob("*.html")]

    assert [path.name for path in files if re.search("[\u4e00-\u9fff]", path.read_text("utf-8"))] == []


def test_modules_stay_readable_in_one_sitting() -> None:
    files = [path for path in PAGE.rglob("*") if path.suffix in {".js", ".css"} and "vendor" not in path.parts]

    assert {path.name: lines for path in files if (lines := len(path.read_text("utf-8").splitlines())) > 400} == {}


def test_pages_have_one_inline_script_and_it_is_the_import_map() -> None:
    html = (PAGE / "shell.html").read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", html) == [' type="importmap"']
    assert re.findall(r"<style|\sstyle=|\son\w+=", html) == []
