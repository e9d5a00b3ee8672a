"""Wrap every exchange: give it an id, a line in the log, its place in the metrics, and an answer whatever happens."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problem
from gateway.api.metrics import Metrics
from gateway.clock import Stopwatch
from gateway.errors import GatewayFault

_log = structlog.get_logger(__name__)

_FOREIGN_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines; not worth a line each."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
# Answers hold one tenant's data: no proxy may keep them for the next.
_NO_STORE: Final = (b"cache-control", b"no-store")


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """What is known about one request while it is answered."""

    request_id: str
    status: int = 0


class Envelope:
    """ASGI: the outermost layer of ours. Plain ASGI, because Starlette's base class costs a task per request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(request_id=_request_id(scope))
        scope["sgw.request_id"] = exchange.request_id
        with structlog.contextvars.bound_contextvars(request=exchange.request_id), self._noted(scope, exchange):
            try:
                await self._app(scope, receive, _stamped(send, exchange))
            except Exception as error:
                # An HTTP status cannot be taken back: a response that has begun is cut off, and the client sees that.
                _log.error("request.broke", path=scope["path"], error=type(error).__name__, exc_info=error)
                if exchange.status:
                    raise
                fault = GatewayFault(
                    "The gateway made a mistake; its log tells more.",
                    hint=f"Tell whoever runs the gateway this id: {exchange.request_id}",
                )
                response = problem.answer(fault, request_id=exchange.request_id)
                await response(Request(scope).scope, receive, _stamped(send, exchange))

    @contextmanager
    def _noted(self, scope: Scope, exchange: _Exchange) -> Iterator[None]:
        watch = Stopwatch()
        try:
            yield
        finally:
            seconds, path = watch.seconds(), scope["path"]
            # The template, not the path: a path holds ids, and a label with ids grows without bound.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.answered(scope["method"], route, exchange.status, seconds)
            principal = scope.get("state", {}).get("principal")
            (_log.debug if path in _QUIET else _log.info)(
                "request.answered",
                method=scope["method"],
                path=path,
                status=exchange.status,
                ms=round(seconds * 1000, 1),
                tenant=principal.tenant if principal else None,
                user=principal.user if principal else None,
                client=scope["client"][0] if scope.get("client") else None,
            )


def _stamped(send: Send, exchange: _Exchange) -> Send:
    own = (*_HEADERS, (b"x-request-id", exchange.request_id.encode()))

    async def send_stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            headers = message["headers"]
            cached = any(name == b"cache-control" for name, _ in headers)
            message = {**message, "headers": [*headers, *own, *(() if cached else (_NO_STORE,))]}
        await send(message)

    return send_stamped


def _request_id(scope: Scope) -> str:
    """Keep the id that a proxy or client gave, so that one id finds a request in everyone's logs."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode("ascii") if _FOREIGN_ID.fullmatch(given) else secrets.token_hex(8)
