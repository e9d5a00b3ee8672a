"""Give routes what they need: the caller, known before anything else of the request is read, and the app's parts."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from gateway.api.metrics import Metrics
from gateway.api.stream import Streams
from gateway.auth.principal import Principal
from gateway.auth.tokens import authenticate
from gateway.errors import Unauthenticated
from gateway.services import Services

_bearer = HTTPBearer(auto_error=False, description="A token made with `sgw admin token`: `sgw_…`.")


class SignedInRoute(APIRoute):
    """A route that nobody reaches without a valid token.

    Checked here and not in a dependency, because FastAPI reads and parses the body before it asks its dependencies:
    whoever has no token would still make us parse megabytes. And a route of such a router cannot forget it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            services = services_of(request)
            request.state.principal = await run_in_threadpool(
                authenticate, services.database, _token(request), services.clock.now()
            )
            return await inner(request)

        return handle


def services_of(request: Request) -> Services:
    """Return the collaborators that the app was made with."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - app.state is untyped
    return services


def streams_of(request: Request) -> Streams:
    """Return what the open streams share."""
    streams = request.app.state.streams
    assert isinstance(streams, Streams)  # noqa: S101 - app.state is untyped
    return streams


def metrics_of(request: Request) -> Metrics:
    """Return the app's counters."""
    metrics = request.app.state.metrics
    assert isinstance(metrics, Metrics)  # noqa: S101 - app.state is untyped
    return metrics


async def _services(request: Request) -> Services:
    return services_of(request)


async def _principal(request: Request, _: Annotated[object, Depends(_bearer)]) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)  # noqa: S101 - request.state is untyped
    return principal


# Both are coroutines: FastAPI would run plain functions in a thread each, 60 us for nothing.
ServicesHere = Annotated[Services, Depends(_services)]
Caller = Annotated[Principal, Depends(_principal)]


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthenticated(hint="Sign in with `sgw login`, or send the header yourself.")
    return token.strip()
