"""Put the API together from its collaborators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from gateway.api import docs, openapi, problem
from gateway.api.body_limit import BodyLimit
from gateway.api.envelope import Envelope
from gateway.api.metrics import Metrics
from gateway.api.routes import health, jobs, logs, nodepools, tenants
from gateway.api.stream import Streams
from gateway.services import Services

_GZIP_FROM: Final = 8 * 1024
"""Bytes: below, the time to compress is more than what the shorter answer saves on a fast network."""
_UNCOMPRESSED: Final = ("text/event-stream", "text/plain", "application/octet-stream")
"""Streams must not be held back, and a log's announced length must be the length that is sent."""


def create_app(services: Services) -> FastAPI:
    """Build the app. The caller starts and stops the services."""
    metrics = Metrics(services)
    streams = Streams(services, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        streams.close()

    app = FastAPI(
        title="Slurm gateway",
        description="Submit, watch, follow and cancel jobs on Slurm. Errors are problem documents (RFC 9457).",
        version="1",
        lifespan=lifespan,
        # FastAPI's own pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services, app.state.metrics, app.state.streams = services, metrics, streams
    for router in (jobs.router, logs.router, nodepools.router, tenants.router, health.router):
        app.include_router(router)
    problem.install(app)
    openapi.describe(app)
    docs.install(app)
    # The last one added is the outermost.
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM, compresslevel=4, exclude_content_types=_UNCOMPRESSED)
    app.add_middleware(BodyLimit, limit=services.settings.max_body_bytes)
    app.add_middleware(Envelope, metrics=metrics)
    return app
