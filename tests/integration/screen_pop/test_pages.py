"""Pages, files and headers."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest

from tests.support.stores import ADMIN, AGENT, SUPERVISOR
from tests.support.web import Web

PATHS = ("/", "/login", "/agent", "/supervisor", "/admin")


async def opened(web: Web, path: str, user: Any = None) -> str:
    """Where the page leads, or the title of the page."""
    headers = {"Cookie": f"cti_session={await web.token_of(user)}"} if user else {}
    async with web.http.get(web.base + path, headers=headers, allow_redirects=False) as response:
        text = await response.text()
        return response.headers["Location"] if response.status == 302 else text.rpartition("<title>")[2].partition("<")[0]


@pytest.mark.parametrize(
    ("user", "leads"),
    [
        (None, ("/login", "login", "/login", "/login", "/login")),
        (AGENT, ("/agent", "/agent", "agent", "/agent", "/agent")),
        (SUPERVISOR, ("/supervisor", "/supervisor", "/supervisor", "supervisor", "/supervisor")),
        (ADMIN, ("/admin", "/admin", "/admin", "/admin", "admin")),
    ],
    ids=["nobody", "agent", "supervisor", "admin"],
)
async def test_everybody_is_led_to_the_own_page(web: Web, user: Any, leads: tuple[str, ...]) -> None:
    assert tuple([await opened(web, path, user) for path in PATHS]) == leads


@pytest.mark.parametrize(
    ("name", "type_"),
    [("main.js", "text/javascript; charset=utf-8"), ("vendor/preact.mjs", "text/javascript; charset=utf-8")],
)
async def test_files_are_served_as_what_they_are(web: Web, name: str, type_: str) -> None:
    async with web.http.get(f"{web.base}/static/{name}") as response:
        assert (response.status, response.headers["Content-Type"], await response.text()) == (200, type_, "export {};")


@pytest.mark.parametrize(
    "name",
    ["", "vendor", "vendor/", ".", "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "vendor/../../secret.txt"],
)
async def test_nothing_else_can_be_named(web: Web, name: str) -> None:
    host, _, port = web.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    writer.write(f"GET /static/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()

    assert b"not served" not in answer
    assert answer.split()[1] in {b"404", b"400"}


@pytest.mark.parametrize("path", ["/login", "/static/main.js", "/api/v1/session", "/nowhere", "/healthz", "/api/docs", "/"])
async def test_every_answer_carries_the_headers(web: Web, path: str) -> None:
    async with web.http.get(web.base + path, allow_redirects=False) as response:
        headers = response.headers

    digest = base64.b64encode(hashlib.sha256(b'{"imports":{}}').digest()).decode()
    assert headers["Content-Security-Policy"] == (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
