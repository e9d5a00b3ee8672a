"""Tell machines whether this process lives, whether all it needs is there, and what it has done."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from gateway.api.answers import as_json
from gateway.api.caller import ServicesHere, metrics_of
from gateway.api.metrics import CONTENT_TYPE
from gateway.db import tables
from gateway.services import Services

router = APIRouter(tags=["health"])

_STALE: Final = timedelta(seconds=60)
"""A collector looks every 1 to 10 s; six missed looks mean that nobody is looking."""


class Check(BaseModel):
    """One thing that is needed; `error` says what is wrong with it."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    error: str | None = None


class Readiness(BaseModel):
    """All that is needed."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    checks: tuple[Check, ...]


@router.get("/healthz", summary="Say that the process lives")
async def healthz() -> Response:
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, summary="Check what is needed")
def readyz(services: ServicesHere) -> Response:
    """503 names what is missing. Jobs are accepted even while a cluster is away, so a load balancer asks /healthz."""
    checks = [*_stored(services), _notices(services)]
    ready = all(check.ok for check in checks)
    return as_json(Readiness(ready=ready, checks=tuple(checks)), 200 if ready else 503)


@router.get("/metrics", summary="Expose the metrics for Prometheus")
def metrics(request: Request) -> Response:
    return Response(metrics_of(request).exposition(), media_type=CONTENT_TYPE)


def _stored(services: Services) -> list[Check]:
    """Check the database, and in it what the collectors last said: a probe must never cost slurmctld a call."""
    try:
        with services.database.read() as connection:
            watches = {row.cluster: row for row in connection.execute(sa.select(tables.cluster_watches))}
    except sa.exc.SQLAlchemyError as error:
        return [Check(name="database", ok=False, error=type(error).__name__)]
    now = services.clock.now()
    clusters = [_cluster(name, watches.get(name), now) for name in services.settings.clusters]
    return [Check(name="database", ok=True), *clusters]


def _cluster(name: str, watch: "sa.Row[tuple[object, ...]] | None", now: datetime) -> Check:
    if watch is None or watch.seen_at is None:
        error: str | None = "it was not looked at yet; is a controller running?"
    elif watch.error:
        error = watch.error
    elif now - watch.seen_at > _STALE:
        error = f"the last look was at {watch.seen_at:%H:%M:%S} UTC; is a controller running?"
    else:
        error = None
    return Check(name=f"cluster {name}", ok=error is None, error=error)


def _notices(services: Services) -> Check:
    connected = services.notices.connected
    return Check(name="redis", ok=connected, error=None if connected else "notices do not arrive; all goes on, slower")
