"""`/session`: sign in, who am I, sign out."""

from typing import Annotated

from aiohttp import hdrs
from pydantic import Field

from screen_pop.api.answers import SessionAnswer, UserAnswer
from screen_pop.api.fields import Fields, NoFields
from screen_pop.api.problems import ApiProblem
from screen_pop.api.route import ANYONE, PREFIX, SIGNED_IN, Answer, Asked, Route
from screen_pop.auth import TooManyAttempts, cookie_header, no_cookie_header
from screen_pop.visible import user_document


class SignInFields(Fields):
    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


async def sign_in(asked: Asked, fields: SignInFields) -> Answer:
    """A new session; one that the browser still had ends, so that no id from before the sign-in lives on."""
    services, request = asked.services, asked.request
    try:
        session = await services.sign_in.sign_in(fields.username, fields.password, address=request.remote or "")
    except TooManyAttempts as limited:
        services.metrics.sign_ins.labels("limited").inc()
        headers = {"Retry-After": str(limited.retry_after)}
        raise ApiProblem(429, "too-many-attempts", "Too many attempts. Wait a little.", headers=headers) from limited
    if session is None:
        services.metrics.sign_ins.labels("wrong").inc()
        raise ApiProblem(401, "wrong-credentials", "User name or password is wrong.")
    services.metrics.sign_ins.labels("ok").inc()
    if asked.credentials and asked.credentials.is_cookie:
        await _end(asked)
    document = {"user": user_document(session.user), "token": session.token}
    return Answer(document=document, headers={"Set-Cookie": cookie_header(session.token, secure=_is_secure(asked))})


async def who_am_i(asked: Asked, _: NoFields) -> Answer:
    return Answer(document={"user": user_document(asked.user)})


async def sign_out(asked: Asked, _: NoFields) -> Answer:
    await _end(asked)
    return Answer(status=204, headers={"Set-Cookie": no_cookie_header(secure=_is_secure(asked))})


async def _end(asked: Asked) -> None:
    assert asked.credentials is not None
    await asked.services.sign_in.sign_out(asked.credentials.token_hash)
    asked.services.hub.end_session(asked.credentials.token_hash)


def _is_secure(asked: Asked) -> bool:
    """Over TLS: our own, or a reverse proxy's as the page's origin (checked before) tells."""
    return asked.request.secure or asked.request.headers.get(hdrs.ORIGIN, "").startswith("https://")


ROUTES = (
    Route(
        method="POST",
        path=f"{PREFIX}/session",
        summary="Sign in",
        roles=ANYONE,
        handle=sign_in,
        fields=SignInFields,
        answer=SessionAnswer,
    ),
    Route(method="GET", path=f"{PREFIX}/session", summary="Who am I", roles=SIGNED_IN, handle=who_am_i, answer=UserAnswer),
    Route(method="DELETE", path=f"{PREFIX}/session", summary="Sign out", roles=SIGNED_IN, handle=sign_out, status=204),
)
