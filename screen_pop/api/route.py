"""What a route is: one row that says path, roles, fields and answer, and the one way in which every request passes it.

In: rows from the subjects' files; out: aiohttp handlers. Order of the checks: who asks (401), may they (403), from where
(403), is it readable (400, 413, 415), is it right (422). A route without a row does not exist, a row must name its roles:
what nobody allowed is refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from screen_pop.api.fields import NoFields, PageQuery
from screen_pop.api.problems import ApiProblem, Mistake, not_allowed, wrong_fields
from screen_pop.auth import Credentials, Origins, SignIn, credentials_of
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from screen_pop.ports import (
    Accounts,
    AuditLog,
    CallCommands,
    Callers,
    Cases,
    Deliveries,
    Gaps,
    Interactions,
    LiveState,
    Merges,
    Page,
    Persons,
    Profiles,
    Readiness,
    Relations,
    Role,
    Scores,
    User,
    WrapUps,
)
from screen_pop.visible import View
from screen_pop.wire import to_json

log = structlog.get_logger()

PREFIX: Final = "/api/v1"
MAX_BODY_BYTES: Final = 256 * 1024
BODY_SECONDS: Final = 10.0
"""A body that takes longer is a slow-loris."""

WRITES: Final = frozenset({hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH, hdrs.METH_DELETE})

ANYONE: Final = None
SIGNED_IN: Final = frozenset(Role)
AGENTS: Final = frozenset({Role.AGENT})
LEADERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
ADMINS: Final = frozenset({Role.ADMIN})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePorts:
    """What the root hands in for the routes."""

    accounts: Accounts
    merges: Merges
    profiles: Profiles
    cases: Cases
    persons: Persons
    audit_log: AuditLog
    interactions: Interactions
    scores: Scores
    relations: Relations
    gaps: Gaps
    deliveries: Deliveries
    commands: CallCommands
    wrap_ups: WrapUps
    callers: Callers
    live: LiveState
    readiness: Readiness
    due_after: Callable[[datetime, timedelta], datetime] = datetime.__add__
    """When so much working time will have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(RoutePorts):
    """What the routes work with; server.py builds one."""

    sign_in: SignIn
    origins: Origins
    hub: Hub
    metrics: WebMetrics
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that passed the checks. `user` and `credentials` are there on every route that is not for anyone."""

    services: Services
    request: web.Request
    signed_in: User | None
    credentials: Credentials | None
    path: Mapping[str, str]

    @property
    def user(self) -> User:
        assert self.signed_in is not None, "a route for anyone asked who is signed in"
        return self.signed_in

    @property
    def view(self) -> View:
        """How calls, contacts and customers are shown to who asks."""
        return self.services.hub.view_of(self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON `document`, or a `body` of another `content_type`, or neither (204)."""

    document: Any = None
    body: bytes | None = None
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the API. `roles` ANYONE: no sign-in needed. `handle` gets (asked, fields of the body or query)."""

    method: str
    path: str
    summary: str
    roles: frozenset[Role] | None
    handle: Callable[[Asked, Any], Awaitable[Answer]]
    fields: type[BaseModel] = NoFields
    """The body of a write, the query of a read; unknown fields are refused."""
    answer: type[BaseModel] | None = None
    is_list: bool = False
    status: int = 200
    headers: tuple[str, ...] = ()
    """Request headers that the route reads."""

    @property
    def takes_body(self) -> bool:
        return self.method in WRITES and self.fields is not NoFields


def handler_of(route: Route, services: Services) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler that does the checks, reads the fields and writes the answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        credentials = credentials_of(request)
        user = await _permitted(route, services, credentials)
        check_origin(request, services.origins, credentials)
        fields = await _fields_of(route, request)
        asked = Asked(services=services, request=request, signed_in=user, credentials=credentials, path=request.match_info)
        answer = await route.handle(asked, fields)
        return _response(answer)

    return handle


def list_answer(page: Page[T], document: Callable[[T], dict[str, Any]]) -> Answer:
    """A page of a list as every list is answered."""
    return Answer(document={"items": [document(item) for item in page.items], "next": page.next})


def page_of(items: Sequence[T], key: Callable[[T], str], query: PageQuery) -> Page[T]:
    """A page of a list in memory, in order of `key`; the cursor is the last key seen, so changes meanwhile do no harm."""
    after = [item for item in sorted(items, key=key) if query.cursor is None or key(item) > query.cursor]
    shown = tuple(after[: query.limit])
    return Page(items=shown, next=key(shown[-1]) if len(after) > len(shown) else None)


def check_origin(request: web.Request, origins: Origins, credentials: Credentials | None) -> None:
    """Refuses a write that another site's page made a browser send."""
    if request.method not in WRITES:
        return
    is_cookie = credentials is not None and credentials.is_cookie
    if not origins.allow(request.headers, scheme=request.scheme, is_cookie=is_cookie):
        raise ApiProblem(403, "wrong-origin", "This request does not come from a page of this service.")


async def _permitted(route: Route, services: Services, credentials: Credentials | None) -> User | None:
    if route.roles is ANYONE:
        return None
    user = await services.sign_in.user_of(credentials.token_hash) if credentials else None
    if user is None:
        raise ApiProblem(401, "not-signed-in", "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
    if user.role not in route.roles:
        raise not_allowed(f"This is not for the role {user.role}.")
    return user


async def _fields_of(route: Route, request: web.Request) -> BaseModel:
    try:
        if request.method in WRITES:
            return route.fields.model_validate_json(await _body(request), strict=True)
        return route.fields.model_validate(_query(request))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if any(problem["type"] == "json_invalid" for problem in problems):
            raise ApiProblem(400, "malformed-json", "The body is not JSON.") from error
        mistakes = (
            Mistake(at=_place(problem["loc"]), message=problem["msg"].removeprefix("Value error, ")) for problem in problems[:50]
        )
        raise wrong_fields(*mistakes) from error


def _query(request: web.Request) -> dict[str, str]:
    twice = {name for name in request.query if len(request.query.getall(name)) > 1}
    if twice:
        raise wrong_fields(*(Mistake(at=name[:100], message="given twice") for name in sorted(twice)))
    return dict(request.query)


async def _body(request: web.Request) -> bytes:
    if not request.body_exists:
        return b"{}"
    if request.content_type != "application/json":
        raise ApiProblem(415, "not-json", "Send application/json.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise ApiProblem(408, "too-slow", "The body did not arrive in time.") from error


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step)[:100] for step in location)


def _response(answer: Answer) -> web.Response:
    body = answer.body if answer.document is None else to_json(answer.document)
    response = web.Response(status=answer.status, body=body, headers={hdrs.CACHE_CONTROL: "no-store", **answer.headers})
    if body is not None:
        response.headers[hdrs.CONTENT_TYPE] = answer.content_type
    return response
