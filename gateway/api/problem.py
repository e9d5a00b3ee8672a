"""Answer every error in one shape: a problem document (RFC 9457)."""

import math
from collections.abc import Mapping
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from gateway.api.findings import findings, printable
from gateway.errors import CallerError, GatewayError, InvalidRequest, NotFound, TooLarge, Unauthenticated
from gateway.wire import Problem, ProblemDetail

MEDIA_TYPE: Final = "application/problem+json"

_log = structlog.get_logger(__name__)


class NotJson(CallerError):
    """The body is not JSON."""

    problem = "not-json"
    title = "Not JSON"


class UnsupportedMediaType(CallerError):
    """The body must be JSON: send `Content-Type: application/json`."""

    problem = "unsupported-media-type"
    title = "Unsupported media type"
    status = 415


class MethodNotAllowed(CallerError):
    """This address does not know that method."""

    problem = "method-not-allowed"
    title = "Method not allowed"
    status = 405


def install(app: FastAPI) -> None:
    """Make the app answer everything it raises with a problem document.

    Exceptions that nobody foresaw are not handled here but in `envelope`, which wraps everything.
    """
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DataError, _on_data_error)


def answer(error: GatewayError, *, request_id: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """Render an error as the response it becomes."""
    own: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        own["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        own["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    document = problem_of(error, request_id=request_id).model_dump_json(exclude_none=True)
    return Response(document, error.status, {**own, **(headers or {})}, MEDIA_TYPE)


def problem_of(error: GatewayError, *, request_id: str | None) -> Problem:
    """Write an error as a problem document; `request_id` finds it again in the gateway's log."""
    return Problem.model_validate(
        {
            **error.extra,
            "type": f"/problems/{error.problem}",
            "title": error.title,
            "status": error.status,
            "detail": printable(str(error)),
            "hint": error.hint,
            "retryable": error.retryable,
            "errors": tuple(
                ProblemDetail(where=detail.where, message=detail.message, hint=detail.hint) for detail in error.details
            ),
            "request_id": request_id,
        }
    )


def request_id_of(request: Request) -> str | None:
    """Return the id that `envelope` gave to the request."""
    found: str | None = request.scope.get("sgw.request_id")
    return found


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for this class; for the type only
    if error.fault == "us" and not error.retryable:
        _log.error("request.broke", problem=error.problem, error=str(error), exc_info=error)
    return answer(error, request_id=request_id_of(request))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class; for the type only
    return answer(_understood(error), request_id=request_id_of(request))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class; for the type only
    return answer(_translated(request, error), request_id=request_id_of(request), headers=error.headers)


async def _on_data_error(request: Request, _: Exception) -> Response:
    # PostgreSQL keeps no NUL in a text, and nobody checks every text of every request for one.
    error = InvalidRequest("A text of the request holds a character that cannot be stored (NUL).")
    return answer(error, request_id=request_id_of(request))


def _understood(error: RequestValidationError) -> CallerError:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        before = str(error.body)[: first["loc"][-1]]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return NotJson(f"The body is not JSON: {first['ctx']['error']}, at line {line}, column {column}.")
    if first["loc"] == ("body",) and isinstance(first["input"], bytes):
        return UnsupportedMediaType()
    details = findings(error.errors(), error.body)
    return InvalidRequest("; ".join(f"{detail.where}: {detail.message}" for detail in details[:3]), details=details)


def _translated(request: Request, error: HTTPException) -> GatewayError:
    """Say in our words what FastAPI and Starlette raise by themselves."""
    match error.status_code:
        case 404:
            return NotFound("There is nothing at this address.", hint="The addresses are listed at /docs.")
        case 405:
            return MethodNotAllowed(f"{request.method} is not possible here.", hint="The addresses are at /docs.")
        case 413:
            return TooLarge(str(error.detail))
        case 400:
            return NotJson("The body could not be read as JSON.")
        case _:
            return CallerError(str(error.detail))
