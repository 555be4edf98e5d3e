"""Refusals as problem documents (RFC 9457): what is wrong, and what to do. Never a traceback."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from holdfast.errors import (
    AuthenticationFailed,
    BackupNotFound,
    BackupOutOfReach,
    DamagedBackup,
    HoldfastError,
    InvalidInput,
    InvalidMailSettings,
    MailRefused,
    MailUnavailable,
    NotAuthorized,
    PolicyNotFound,
    RepositoryTooNew,
    RunNotFound,
    SecretMissing,
    Unavailable,
)
from holdfast.web.answers import Problem
from holdfast.web.headers import HEADERS
from holdfast.web.limits import TooMany

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "5"
_HINTS = {HTTPStatus.SERVICE_UNAVAILABLE: "Try again in a few seconds. If it stays so, look at the Kubernetes API."}
"""Where an error has none of its own."""

_STATUSES: tuple[tuple[type[HoldfastError], HTTPStatus], ...] = (
    (NotAuthorized, HTTPStatus.FORBIDDEN),
    (BackupNotFound, HTTPStatus.NOT_FOUND),
    (PolicyNotFound, HTTPStatus.NOT_FOUND),
    (RunNotFound, HTTPStatus.NOT_FOUND),
    (BackupOutOfReach, HTTPStatus.CONFLICT),
    # What is set in the cluster is in the way, not what was asked.
    (AuthenticationFailed, HTTPStatus.CONFLICT),
    (InvalidMailSettings, HTTPStatus.CONFLICT),
    (SecretMissing, HTTPStatus.CONFLICT),
    (MailRefused, HTTPStatus.CONFLICT),
    (MailUnavailable, HTTPStatus.CONFLICT),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DamagedBackup, HTTPStatus.CONFLICT),
    (RepositoryTooNew, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


_SHOW_ONE = "Send a token of this cluster as `Authorization: Bearer …`, such as that of `kubectl create token`."


class Unknown(Exception):
    """Nobody knows who asks: no token, or none that counts."""

    def __init__(self, message: str, hint: str = _SHOW_ONE) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


def status_of(error: HoldfastError) -> HTTPStatus:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def hint_of(error: HoldfastError) -> str:
    return error.hint or _HINTS.get(status_of(error), "")


def add_problems(app: FastAPI) -> None:
    app.add_exception_handler(Unknown, _unknown)
    app.add_exception_handler(TooMany, _too_many)
    app.add_exception_handler(HoldfastError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def answer(
    status: HTTPStatus, title: str, detail: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    problem = Problem(title=title, status=status, detail=detail, hint=hint or None)
    return JSONResponse(problem.to_wire(), status_code=status, headers=headers, media_type=MEDIA_TYPE)


async def _unknown(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unknown)  # noqa: S101
    return answer(
        HTTPStatus.UNAUTHORIZED,
        "Unauthorized",
        error.message,
        error.hint,
        {"WWW-Authenticate": "Bearer"},
    )


async def _too_many(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TooMany)  # noqa: S101
    return answer(
        HTTPStatus.TOO_MANY_REQUESTS,
        error.reason,
        f"Too many {error.what}.",
        f"Try again in {error.seconds} seconds.",
        {"Retry-After": str(error.seconds)},
    )


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HoldfastError)  # noqa: S101
    status = status_of(error)
    headers = {"Retry-After": RETRY_SECONDS} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return answer(status, error.reason, error.message, hint_of(error), headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return answer(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "InvalidRequest",
        f"{place}: {first['msg']}.",
        "/api/openapi.json says what is taken.",
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = HTTPStatus(error.status_code)
    hint = "/api/openapi.json says what there is."
    return answer(status, status.phrase.title().replace(" ", ""), f"{status.phrase}.", hint, dict(error.headers or {}))


async def _bug(_request: Request, error: Exception) -> JSONResponse:
    return answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Bug",
        f"Holdfast met an unexpected {type(error).__name__}; this is a bug.",
        "Please report it; the log says more.",
        HEADERS,  # it is answered outside of what sets them
    )
