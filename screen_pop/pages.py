"""The pages and their files: who gets which page, and the headers that keep a page to itself.

In: the folder of pages, read once at the start; out: files by exact name (nothing else in the file system can be named), and
the Content-Security-Policy with the hashes of the pages' own inline script (the import map). All pages are one shell, in which
`$page` names the script and the style.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from string import Template
from typing import Final

from aiohttp import hdrs, web

from screen_pop.auth import SignIn, credentials_of
from screen_pop.ports import Role

PAGE_FOLDER: Final = Path(__file__).parent / "page"

SHELL: Final = "shell.html"
LOGIN: Final = "/login"
PAGE_OF: Final[Mapping[Role, str]] = {Role.AGENT: "/agent", Role.SUPERVISOR: "/supervisor", Role.ADMIN: "/admin"}

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served, and as what: the machine's own list of types varies, and browsers refuse a module of a wrong one."""


class Pages:
    """The files of the page folder by their names under /static/."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in CONTENT_TYPES)
        self._files = {path.relative_to(folder).as_posix(): path for path in files}
        shell = (folder / SHELL).read_text("utf-8")
        self._pages = {path: Template(shell).substitute(page=path[1:]) for path in (LOGIN, *PAGE_OF.values())}
        self.headers: Mapping[str, str] = security_headers(inline_scripts(shell))

    def page(self, path: str) -> web.Response:
        """The page at `/login`, `/agent` and so on."""
        headers = {hdrs.CONTENT_TYPE: CONTENT_TYPES[".html"], hdrs.CACHE_CONTROL: "no-cache"}
        return web.Response(body=self._pages[path].encode(), headers=headers)

    def file(self, name: str) -> web.FileResponse:
        """The file, to be asked for again by its date. Raises HTTPNotFound for anything that is not listed."""
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        headers = {hdrs.CONTENT_TYPE: CONTENT_TYPES[path.suffix], hdrs.CACHE_CONTROL: "no-cache"}
        return web.FileResponse(path, headers=headers)


def add_pages(app: web.Application, pages: Pages, sign_in: SignIn) -> None:
    """The entrances: `/` leads everyone home, a page of another role too, and who is not signed in goes to /login."""

    async def static(request: web.Request) -> web.StreamResponse:
        return pages.file(request.match_info["name"])

    app.router.add_get("/static/{name:.+}", static)
    app.router.add_get("/", _entrance(pages, sign_in, None))
    app.router.add_get(LOGIN, _entrance(pages, sign_in, LOGIN))
    for path in PAGE_OF.values():
        app.router.add_get(path, _entrance(pages, sign_in, path))


def _entrance(pages: Pages, sign_in: SignIn, path: str | None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def enter(request: web.Request) -> web.StreamResponse:
        credentials = credentials_of(request)
        user = await sign_in.user_of(credentials.token_hash) if credentials else None
        home = LOGIN if user is None else PAGE_OF[user.role]
        if path != home:
            raise web.HTTPFound(home, headers={hdrs.CACHE_CONTROL: "no-store"})
        return pages.page(home)

    return enter


def security_headers(inline: Iterable[str] = ()) -> dict[str, str]:
    """The headers of every answer; `inline` are the scripts that stand in the pages themselves."""
    hashes = "".join(f" 'sha256-{_sha256(script)}'" for script in sorted(inline))
    policy = (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",  # plain same-origin would cut the CRM window off
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def inline_scripts(html: str) -> tuple[str, ...]:
    """The texts of the scripts that have no `src`, as a browser hashes them (line ends as LF)."""
    finder = _ScriptFinder()
    finder.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    finder.close()
    return tuple(finder.scripts)


class _ScriptFinder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._is_inline = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and not any(name == "src" for name, _ in attrs):
            self._is_inline = True
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._is_inline:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._is_inline = False


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
