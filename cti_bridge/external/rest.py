"""A system that answers JSON over HTTP: asked by an address with the number in it.

In: a number in E.164. Out: records. The address is the administrator's own, so it may be a private one; the other side is
trusted with nothing else: its certificate is verified, its redirects are not followed, its body has a limit.
"""

import ssl
from collections.abc import Mapping

from aiohttp import ClientConnectorError, ClientError, ClientSession, DummyCookieJar, TCPConnector
from multidict import CIMultiDict
from yarl import URL

import cti_bridge
from config.external import ExternalSettings
from cti_bridge.domain.errors import ConfigError, ExternalFailed, Problem
from cti_bridge.domain.external import ExternalRecord
from cti_bridge.domain.phone_number import national_of
from cti_bridge.domain.url_template import filled
from cti_bridge.external.reading import reader_of
from cti_bridge.resolver import Resolver

CONNECTIONS = 16
MAX_BODY_BYTES = 256 * 1024
_NOBODY = frozenset({204, 404})
"""How systems say that they know no such customer."""
_LONGEST_ERROR = 200


class RestLookup:
    """`ExternalLookup` over HTTP; connections are kept between questions. Raises ConfigError where `tls_ca` cannot be used."""

    def __init__(self, settings: ExternalSettings, secret: str | None) -> None:
        assert settings.url is not None
        self._url = settings.url
        self._headers = CIMultiDict(
            {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"cti-bridge/{cti_bridge.__version__}"}
        )
        self._headers.update({name: value.replace("{secret}", secret or "") for name, value in settings.headers.items()})
        self._tls = _tls(settings)
        self._read = reader_of(settings)
        self._session: ClientSession | None = None
        self._resolver: Resolver | None = None

    async def by_number(self, e164: str) -> tuple[ExternalRecord, ...]:
        """Raises ExternalFailed; it has no time limit of its own."""
        number = forms_of(e164)
        body = await self._ask(URL(filled(self._url, number), encoded=True))
        return self._read(body, number) if body is not None else ()

    async def close(self) -> None:
        if self._session is not None and self._resolver is not None:
            await self._session.close()
            await self._resolver.close()

    async def _ask(self, url: URL) -> bytes | None:
        """The body of a good answer; None where it says that it knows nobody."""
        session = self._session or self._open()
        try:
            async with session.get(url, headers=self._headers, allow_redirects=False) as response:
                if response.status in _NOBODY:
                    return None
                if response.status != 200:
                    redirects = ": redirects are not followed" if 300 <= response.status < 400 else ""
                    raise ExternalFailed(f"it answered {response.status}{redirects}")
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise ExternalFailed(f"its answer is larger than {MAX_BODY_BYTES // 1024} KiB")
                return bytes(body)
        except ClientConnectorError as error:
            raise ExternalFailed(str(error)[:_LONGEST_ERROR]) from error  # host, port and the system's words
        except (ClientError, ConnectionError) as error:
            raise ExternalFailed(f"the connection broke off: {type(error).__name__}") from error

    def _open(self) -> ClientSession:
        self._resolver = Resolver()
        connector = TCPConnector(resolver=self._resolver, limit=CONNECTIONS, ssl=self._tls)
        self._session = ClientSession(connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False)
        return self._session


def forms_of(e164: str) -> Mapping[str, str]:
    """The number in every form that an address may ask by."""
    return {"e164": e164, "digits": e164.removeprefix("+"), "national": national_of(e164)}


def _tls(settings: ExternalSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except OSError as error:  # ssl.SSLError is one
        what = f"cannot be used: {error.strerror or error}"
        hint = "tls_ca names a file of certificates in PEM"
        raise ConfigError((Problem(where=str(settings.tls_ca), what=what, hint=hint),)) from error
