"""Inline scripts are hashed as browsers hash them."""

import base64
import hashlib

import pytest

from screen_pop.pages import inline_scripts, security_headers


@pytest.mark.parametrize(
    ("html", "scripts"),
    [
        ("<script src='/a.js'></script>", ()),
        ('<script type="importmap">{"a":"b"}</script>', ('{"a":"b"}',)),
        ("<script>a && b < c; '&amp;'</script><p>text</p><SCRIPT>d</SCRIPT>", ("a && b < c; '&amp;'", "d")),
        ("<script>\r\n1\r\n</script>", ("\n1\n",)),
        ("<!-- <script>no</script> -->", ()),
    ],
)
def test_inline_scripts_are_found_as_they_stand(html: str, scripts: tuple[str, ...]) -> None:
    assert inline_scripts(html) == scripts


def test_without_inline_scripts_only_own_files_run() -> None:
    assert "script-src 'self';" in security_headers()["Content-Security-Policy"]


def test_an_inline_script_runs_by_its_hash() -> None:
    digest = base64.b64encode(hashlib.sha256("é".encode()).digest()).decode()

    assert f"script-src 'self' 'sha256-{digest}';" in security_headers(["é"])["Content-Security-Policy"]
