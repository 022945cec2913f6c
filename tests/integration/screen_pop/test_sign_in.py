"""Sign-in, sessions, cookies, attempt limit, origins."""

from typing import Any

import pytest

from tests.support.stores import AGENT, PASSWORD
from tests.support.web import Browser, Web

SESSION = "/api/v1/session"


async def sign_in(web: Web, username: str = "ada", password: str = PASSWORD, **headers: str) -> tuple[int, Any, Any]:
    body = {"username": username, "password": password}
    async with web.http.post(web.base + SESSION, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None), response.headers


async def test_signing_in_gives_the_user_a_token_and_a_cookie_that_scripts_cannot_read(web: Web) -> None:
    status, body, headers = await sign_in(web)

    expected = {"username": "ada", "name": "Ada", "role": "agent", "extension": "1001", "language": "en"}
    assert (status, body["user"]) == (200, expected)
    assert headers["Set-Cookie"] == f"cti_session={body['token']}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax"
    assert len(body["token"]) >= 43  # 256 bits
    assert body["token"].encode() not in repr(web.sessions.kept).encode()


async def test_the_cookie_is_secure_behind_a_tls_proxy(web: Web) -> None:
    _, _, headers = await sign_in(web, Origin="https://cti.example")

    assert headers["Set-Cookie"].endswith("; Secure")


async def test_cookie_and_bearer_token_both_say_who_asks(web: Web) -> None:
    _, body, _ = await sign_in(web)

    for headers in ({"Cookie": f"cti_session={body['token']}"}, {"Authorization": f"Bearer {body['token']}"}):
        assert await web.call("GET", SESSION, headers=headers) == (200, {"user": body["user"]})


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD)], ids=["password", "name"])
async def test_wrong_credentials_look_and_cost_the_same(web: Web, username: str, password: str) -> None:
    status, body, headers = await sign_in(web, username, password)

    assert (status, body) == (
        401,
        {
            "type": "urn:cti-bridge:problem:wrong-credentials",
            "title": "Unauthorized",
            "status": 401,
            "detail": "User name or password is wrong.",
            "errors": [],
        },
    )
    assert len(web.passwords.checked) == 1
    assert "Set-Cookie" not in headers


async def test_guessing_is_slowed_down_and_the_right_password_waits_too(web: Web) -> None:
    guesses = [(await sign_in(web, password=f"guess {n}"))[0] for n in range(7)]
    right, body, headers = await sign_in(web)
    checked = len(web.passwords.checked)

    web.clock.seconds += int(headers["Retry-After"])

    assert guesses == [401] * 5 + [429] * 2
    assert (right, body["type"], checked) == (429, "urn:cti-bridge:problem:too-many-attempts", 5)
    assert (await sign_in(web))[0] == 200


async def test_signing_in_again_ends_the_session_that_the_browser_had(web: Web) -> None:
    _, first, _ = await sign_in(web)

    cookie = {"Cookie": f"cti_session={first['token']}", "Origin": web.base}
    await sign_in(web, **cookie)

    assert (await web.call("GET", SESSION, headers=cookie))[0] == 401


async def test_a_session_set_by_somebody_else_is_not_taken_over(web: Web) -> None:
    _, body, _ = await sign_in(web, Cookie="cti_session=fixed", Origin=web.base)

    assert body["token"] != "fixed"
    assert (await web.call("GET", SESSION, headers={"Cookie": "cti_session=fixed"}))[0] == 401


async def test_signing_out_ends_the_session_and_takes_the_cookie(web: Web) -> None:
    token = await web.token_of(AGENT)
    headers = {"Authorization": f"Bearer {token}"}

    async with web.http.delete(web.base + SESSION, headers=headers) as response:
        gone = response.headers["Set-Cookie"]

    assert (response.status, gone) == (204, "cti_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
    assert (await web.call("GET", SESSION, headers=headers))[0] == 401


async def test_a_session_ends_after_twelve_hours(web: Web) -> None:
    headers = {"Authorization": f"Bearer {await web.token_of(AGENT)}"}

    web.clock.seconds += 12 * 3600 - 1
    before = (await web.call("GET", SESSION, headers=headers))[0]
    web.clock.seconds += 1

    assert (before, (await web.call("GET", SESSION, headers=headers))[0]) == (200, 401)


ORIGINS = {
    "own": ("http://{host}", True),
    "configured": ("https://cti.example", True),
    "null": ("null", False),
    "empty": ("", False),
    "missing": (None, False),
    "own over TLS": ("https://{host}", False),
    "own with a slash": ("http://{host}/", False),
    "own with a path": ("http://{host}/agent", False),
    "own in capitals": ("HTTP://{host}", False),
    "own host, other port": ("http://127.0.0.1:1", False),
    "own host, no port": ("http://127.0.0.1", False),
    "own as a suffix": ("http://evil.{host}", False),
    "own as a prefix": ("http://{host}.evil.example", False),
    "own as a user name": ("http://{host}@evil.example", False),
    "own twice": ("http://{host} http://{host}", False),
    "other name of this machine": ("http://localhost:{port}", False),
    "configured without TLS": ("http://cti.example", False),
    "configured, other port": ("https://cti.example:8443", False),
    "configured, sub-domain": ("https://evil.cti.example", False),
    "configured, suffix": ("https://evilcti.example", False),
    "configured in capitals": ("https://CTI.example", False),
    "configured with a dot": ("https://cti.example.", False),
    "another site": ("https://evil.example", False),
    "a file": ("file://", False),
}


@pytest.mark.parametrize(("origin", "is_allowed"), list(ORIGINS.values()), ids=list(ORIGINS))
async def test_writes_and_upgrades_with_a_cookie_need_an_allowed_origin(web: Web, origin: str | None, is_allowed: bool) -> None:
    host = web.base.removeprefix("http://")
    headers = {"Cookie": f"cti_session={await web.token_of(AGENT)}"}
    if origin is not None:
        headers["Origin"] = origin.format(host=host, port=host.partition(":")[2])

    status, body = await web.call("POST", "/api/v1/accounts", {"name": "X"}, headers=headers)
    browser = Browser(await web.http.ws_connect(web.base + "/ws", protocols=("cti.v1",), headers=headers))

    if is_allowed:
        assert status == 201
        await browser.say({"type": "hello"})
        assert (await browser.hear())["type"] == "welcome"
    else:
        assert (status, body["type"]) == (403, "urn:cti-bridge:problem:wrong-origin")
        assert await browser.hear_end() == 4403


async def test_a_program_with_a_token_needs_no_origin_but_a_foreign_page_is_refused(web: Web) -> None:
    without, _ = await web.call("POST", "/api/v1/accounts", {"name": "X"}, user=AGENT)
    foreign, _ = await web.call("POST", "/api/v1/accounts", {"name": "X"}, user=AGENT, headers={"Origin": "https://evil.example"})

    assert (without, foreign) == (201, 403)


async def test_reading_with_a_cookie_needs_no_origin(web: Web) -> None:
    headers = {"Cookie": f"cti_session={await web.token_of(AGENT)}"}

    assert (await web.call("GET", SESSION, headers=headers))[0] == 200


async def test_another_site_cannot_sign_a_browser_in(web: Web) -> None:
    assert (await sign_in(web, Origin="https://evil.example"))[0] == 403
