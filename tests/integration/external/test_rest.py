"""Over HTTP to a real web server that answers well, badly, hugely, elsewhere, slowly, or not at all."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cti_bridge.domain.errors import ConfigError, ExternalFailed
from cti_bridge.domain.external import ExternalRecord
from cti_bridge.external.rest import MAX_BODY_BYTES, RestLookup
from tests.support.authority import new_authority
from tests.support.crm import FANG, SECRET, Crm, a_crm, says

ZOE = "+442079460018"


@asynccontextmanager
async def asked(crm: Crm, **changes: Any) -> AsyncIterator[RestLookup]:
    adapter = RestLookup(crm.settings(**changes), SECRET)
    try:
        yield adapter
    finally:
        await adapter.close()


async def why_not(crm: Crm, **changes: Any) -> str:
    async with asked(crm, **changes) as adapter:
        with pytest.raises(ExternalFailed) as caught:
            await adapter.by_number(ZOE)
    return str(caught.value)


async def test_a_customer_is_found_by_the_number_in_its_place_with_the_secret_in_a_header():
    headers = {"Authorization": "Bearer {secret}", "X-Site": "north"}
    async with a_crm() as crm, asked(crm, headers=headers, secret=SECRET) as adapter:
        records = await adapter.by_number(ZOE)

    (request,) = crm.asked
    assert [(record.external_id, record.name) for record in records] == [("4711", "Fang Weiss")]
    assert request.raw_path == "/customers?phone=%2B442079460018"
    assert (request.headers["Authorization"], request.headers["X-Site"]) == (f"Bearer {SECRET}", "north")
    assert SECRET not in request.raw_path


async def test_the_settings_may_name_another_accept_and_other_forms_of_the_number():
    async with a_crm() as crm:
        url = f"http://127.0.0.1:{crm.port}/v2/{{national}}?d={{digits}}"
        async with asked(crm, url=url, headers={"accept": "application/vnd.crm+json"}) as adapter:
            await adapter.by_number(ZOE)

    (request,) = crm.asked
    assert request.raw_path == "/v2/02079460018?d=442079460018"
    assert request.headers.getall("Accept") == ["application/vnd.crm+json"]


@pytest.mark.parametrize(
    "answer", [says("", status=404), says("", status=204), says({"customer": None})], ids=["404", "204", "null"]
)
async def test_a_number_of_nobody_is_no_failure(answer: Any):
    async with a_crm(answer) as crm, asked(crm) as adapter:
        assert await adapter.by_number(ZOE) == ()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(FANG, status=500), "it answered 500"),
        (says(FANG, status=401), "it answered 401"),
        (says(FANG, status=429), "it answered 429"),
        (says(FANG, status=302, headers={"Location": "/elsewhere"}), "it answered 302: redirects are not followed"),
        (says("<html>Sign in</html>"), "its answer is not JSON"),
        (says(FANG, headers={"Content-Encoding": "gzip"}), None),
        (says(b"\x1f\x8b\x08\x00junk", headers={"Content-Encoding": "gzip"}), "its answer is not JSON"),
        (says(b" " * (MAX_BODY_BYTES + 1)), "its answer is larger than 256 KiB"),
    ],
    ids=["500", "401", "429", "redirect", "html", "says gzip and is none", "gzip", "huge"],
)
async def test_what_cannot_be_used_is_a_failure_with_its_reason_and_no_more(answer: Any, why: str | None):
    async with a_crm(answer) as crm:
        if why is None:
            async with asked(crm) as adapter:
                assert await adapter.by_number(ZOE)
        else:
            assert await why_not(crm) == why
    assert len(crm.asked) == 1


async def test_a_body_without_an_end_is_given_up_at_the_limit():
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)
            sent += 65_536

    async with a_crm(endless) as crm:
        assert await why_not(crm) == "its answer is larger than 256 KiB"

    assert sent < 100 * MAX_BODY_BYTES


async def test_a_server_that_is_not_there_or_hangs_up_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]

    async def hangs_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with a_crm(hangs_up) as crm:
        assert "broke off" in await why_not(crm)
        refused = await why_not(crm, url=f"http://127.0.0.1:{free}/{{e164}}")

    assert f"127.0.0.1:{free}" in refused
    assert "442079460018" not in refused


async def test_a_name_that_does_not_exist_is_a_failure():
    async with a_crm() as crm:
        assert "crm.invalid" in await why_not(crm, url="https://crm.invalid/{e164}")


async def test_a_connection_is_used_again():
    async with a_crm() as crm, asked(crm) as adapter:
        for _ in range(3):
            await adapter.by_number(ZOE)

    assert len(crm.connections) == 1


async def test_cookies_are_not_kept():
    async with a_crm(says(FANG, headers={"Set-Cookie": "id=1"})) as crm, asked(crm) as adapter:
        await adapter.by_number(ZOE)
        await adapter.by_number(ZOE)

    assert "Cookie" not in crm.asked[-1].headers


async def test_a_certificate_is_verified_and_one_of_the_own_authority_is_taken(tmp_path: Path):
    authority = new_authority(tmp_path)
    (tmp_path / "both.pem").write_text(authority.sign("crm", "IP:127.0.0.1"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "both.pem")

    async def fang(_: web.Request) -> web.StreamResponse:
        return web.json_response(FANG)

    app = web.Application()
    app.router.add_get("/{number}", fang)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/{{e164}}"
    async with a_crm() as crm:
        unverified = await why_not(crm, url=url)
        async with asked(crm, url=url, tls_ca=str(authority.certificate)) as adapter:
            records = await adapter.by_number(ZOE)
    await runner.cleanup()

    assert "certificate" in unverified.lower()
    assert [type(record) for record in records] == [ExternalRecord]


async def test_a_file_that_holds_no_certificates_is_a_mistake_of_the_settings(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    async with a_crm() as crm:
        for name in ("ca.pem", "missing.pem"):
            with pytest.raises(ConfigError, match="cannot be used"):
                RestLookup(crm.settings(tls_ca=str(tmp_path / name)), None)


async def test_a_question_that_is_cut_off_leaves_no_connection_behind():
    async with a_crm(is_open=False) as crm, asked(crm) as adapter:
        question = asyncio.create_task(adapter.by_number(ZOE))
        await crm.reached.wait()
        question.cancel()
        await asyncio.wait({question})
        crm.gate.set()

        assert await adapter.by_number(ZOE)
