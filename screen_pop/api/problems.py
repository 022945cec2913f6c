"""Errors as RFC 9457 problem details: the one shape in which this service says no.

In: whatever a route raised; out: `application/problem+json` with a stable type. A person never sees a traceback, and a
message never repeats a number, a name or a secret.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from cti_bridge.domain.errors import StorageError
from screen_pop.ports import CommandRefused
from screen_pop.wire import to_json

log = structlog.get_logger()

TYPE_PREFIX = "urn:cti-bridge:problem:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One wrong field: where it is (`contact_points.0.value`, a query parameter's name) and what is wrong."""

    at: str
    message: str


class ApiProblem(Exception):
    """A refusal with its status, its stable kind and what the user can do about it."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}


def not_found(what: str) -> ApiProblem:
    return ApiProblem(404, "not-found", f"There is no such {what}, or it is not yours to see.")


def wrong_fields(*mistakes: Mistake) -> ApiProblem:
    return ApiProblem(422, "wrong-fields", "One or more fields are wrong; see errors.", errors=mistakes)


def not_allowed(detail: str) -> ApiProblem:
    return ApiProblem(403, "not-allowed", detail)


def not_in_this_call() -> ApiProblem:
    """For a call of others and for none at all alike: nobody learns which calls there are by asking."""
    return ApiProblem(409, "not-in-this-call", "You are not in this call.")


def problem_response(problem: ApiProblem) -> web.Response:
    body = {
        "type": TYPE_PREFIX + problem.kind,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "errors": [{"at": mistake.at, "message": mistake.message} for mistake in problem.errors],
    }
    return web.Response(
        status=problem.status,
        body=to_json(body),
        content_type="application/problem+json",
        headers={hdrs.CACHE_CONTROL: "no-store", **problem.headers},
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every refusal and every failure into a problem; the innermost word on errors of all routes."""
    try:
        return await handler(request)
    except ApiProblem as problem:
        return problem_response(problem)
    except CommandRefused as refused:
        return problem_response(ApiProblem(409, refused.kind, refused.detail))
    except StorageError:
        log.warning("http.store_away", route=route_of(request))
        detail = "The store does not answer. Calls go on; try again in a moment."
        return problem_response(ApiProblem(503, "store-away", detail, headers={"Retry-After": "5"}))
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return problem_response(_of_aiohttp(error))
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        # The rim of a request: a defect ends this request only, and is seen in the log.
        log.exception("http.failed", method=request.method, route=route_of(request))
        return problem_response(ApiProblem(500, "internal-error", "Something went wrong here. It was logged."))


def route_of(request: web.Request) -> str:
    """The pattern of the route, never the path as sent: it may hold ids and numbers."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


_KINDS = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def _of_aiohttp(error: web.HTTPException) -> ApiProblem:
    kind = _KINDS.get(error.status, "bad-request" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal-error")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return ApiProblem(error.status, kind, HTTPStatus(error.status).description or error.reason, headers=headers)
