"""Take a job from its tenant: validate it, give it an id, make it durable; then say so, exactly once per key.

Or only check it, in the same way.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
import structlog

from gateway.auth.principal import Principal
from gateway.db import tables
from gateway.db.database import Transaction
from gateway.errors import Busy, ClusterUnreachable, Forbidden, KeyReused, NotFound
from gateway.ids import JobId, UnixUser
from gateway.jobs import read
from gateway.jobs.described import invalid
from gateway.jobs.intake import Intake, Site, take_in
from gateway.jobs.lifecycle import create
from gateway.jobs.pools import load_pools
from gateway.jobs.views import placement_of
from gateway.services import Services
from gateway.slurm.runner import Identity
from gateway.slurm.sessions import RunnerRefused
from gateway.slurm.transport import PoolCapacity
from gateway.wire import JobCheck, JobRequest, JobView

log = structlog.get_logger()

MAX_KEY: Final = 255
_IDENTITY_LIFE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The accepted job; `replayed` when an earlier request with the same key had made it."""

    view: JobView
    replayed: bool


def submit(services: Services, principal: Principal, request: JobRequest, *, key: str | None = None) -> Submitted:
    """Accept a job. The same `key` with the same request returns the same job, however often it is sent.

    Raises InvalidRequest, Forbidden (another tenant's id), NotFound (a dependency), KeyReused, Busy (the same key is
    being worked on), ClusterUnreachable (the user cannot be looked up on the cluster).
    """
    _demand_own(principal, request)
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", f"must be 1 to {MAX_KEY} printable ASCII characters")
    digest = _digest(request)
    with _in_flight.holding(principal.user_id, key):
        cluster = services.settings.cluster
        with services.database.read() as connection:
            known = None if key is None else _recall(connection, principal, key, digest)
            pools = load_pools(connection, cluster)
        if known is not None:
            return Submitted(view=read.get(services, principal.visible, known), replayed=True)
        identity = _identities.resolve(services, cluster, UnixUser(principal.unix_user))
        intake = _take_in(services, principal, request, pools, identity)

        def insert(transaction: Transaction) -> tuple[JobId, bool]:
            if key is not None and (known := _recall(transaction.connection, principal, key, digest)) is not None:
                return known, True
            job_id = _insert(transaction, principal, intake, request, cluster=cluster, identity=identity)
            if key is not None:
                _remember(transaction, principal, key, digest, job_id)
            return job_id, False

        job_id, replayed = services.writer.run(insert, tenant=principal.tenant)
    return Submitted(view=read.get(services, principal.visible, job_id), replayed=replayed)


def check(services: Services, principal: Principal, request: JobRequest) -> JobCheck:
    """Say what `submit` would say of a request, and create nothing. Raises what `submit` raises, apart from keys."""
    _demand_own(principal, request)
    cluster = services.settings.cluster
    with services.database.read() as connection:
        pools = load_pools(connection, cluster)
    identity = _identities.resolve(services, cluster, UnixUser(principal.unix_user))
    intake = _take_in(services, principal, request, pools, identity, checking=True)
    with services.database.read() as connection:
        _demand_needs(connection, principal, intake)
    spec = intake.spec
    placement = placement_of(spec, cluster=cluster, pool=spec.partition, priority=request.priority)
    return JobCheck(
        name=spec.name, placement=placement, workdir=spec.workdir or identity.home, warnings=intake.warnings
    )


def _demand_own(principal: Principal, request: JobRequest) -> None:
    if request.tenant_id is not None and request.tenant_id != principal.tenant:
        raise Forbidden(f"tenantId is {request.tenant_id!r}; this token belongs to {principal.tenant!r}.")


def _take_in(
    services: Services,
    principal: Principal,
    request: JobRequest,
    pools: Mapping[str, PoolCapacity],
    identity: Identity,
    *,
    checking: bool = False,
) -> Intake:
    site = Site(
        cluster=services.settings.clusters[services.settings.cluster],
        pools=pools,
        account=principal.account,
        home=identity.home,
        max_array_tasks=services.settings.max_array_tasks,
    )
    return take_in(request, site, now=services.clock.now().astimezone(), checking=checking)


def _digest(request: JobRequest) -> bytes:
    """Sum a request up by what it says, not by what a later version adds to it. JSON's escapes can hold any text."""
    said = json.dumps(request.model_dump(exclude_defaults=True), sort_keys=True)
    return hashlib.sha256(said.encode()).digest()


def _insert(
    transaction: Transaction,
    principal: Principal,
    intake: Intake,
    request: JobRequest,
    *,
    cluster: str,
    identity: Identity,
) -> JobId:
    _demand_needs(transaction.connection, principal, intake)
    spec = intake.spec
    job_id = create(
        transaction,
        job={
            "tenant_id": principal.tenant,
            "user_id": principal.user_id,
            "user_name": principal.user,
            "name": spec.name,
            "cluster": cluster,
            "pool": spec.partition,
            "unix_user": identity.user,
            "uid": identity.uid,
            "account": principal.account,
            "priority": request.priority,
            "spec": spec.to_json(),
            "warnings": list(intake.warnings),
            "array_tasks": spec.resources.array_tasks,
        },
    )
    transaction.execute(tables.job_scripts.insert(), {"job_id": job_id, "script": intake.script})
    needs = {(need.job_id, need.kind) for need in spec.dependencies}
    if needs:
        rows = [{"job_id": job_id, "needs_job_id": needed, "kind": kind} for needed, kind in sorted(needs)]
        transaction.execute(tables.job_dependencies.insert(), rows)
    return job_id


def _demand_needs(connection: sa.Connection, principal: Principal, intake: Intake) -> None:
    """A dependency on a job that is not the tenant's is a dependency on nothing."""
    wanted = {need.job_id for need in intake.spec.dependencies}
    if not wanted:
        return
    j = tables.jobs.c
    found = connection.execute(sa.select(j.id).where(j.id.in_(wanted), j.tenant_id == principal.tenant)).scalars()
    missing = wanted - set(found)
    if missing:
        raise NotFound(f"--dependency: there is no job {min(missing)}.")


def _recall(connection: sa.Connection, principal: Principal, key: str, digest: bytes) -> JobId | None:
    row = connection.execute(_BY_KEY, {"user": principal.user_id, "key": key}).one_or_none()
    if row is None:
        return None
    if row.digest != digest:
        raise KeyReused(extra={"job_id": str(row.job_id)}, hint="Use a new key for a new job.")
    return JobId(row.job_id)


_BY_KEY: Final = sa.select(tables.idempotency.c.job_id, tables.idempotency.c.digest).where(
    tables.idempotency.c.user_id == sa.bindparam("user"), tables.idempotency.c.key == sa.bindparam("key")
)


def _remember(transaction: Transaction, principal: Principal, key: str, digest: bytes, job_id: JobId) -> None:
    values = {"user_id": principal.user_id, "key": key, "digest": digest, "job_id": job_id}
    transaction.execute(tables.idempotency.insert(), values | {"created_at": transaction.now})


class _InFlight:
    """The keys that this process works on at the moment; between processes the database decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[int, str]] = set()

    @contextmanager
    def holding(self, user_id: int, key: str | None) -> Iterator[None]:
        if key is None:
            yield
            return
        with self._lock:
            if (user_id, key) in self._keys:
                raise Busy("A request with this Idempotency-Key is being worked on.", retry_after=1)
            self._keys.add((user_id, key))
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard((user_id, key))


class _Identities:
    """Who Unix users are on their clusters, remembered for a minute: the helper need not be asked for every job."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, Identity]] = {}

    def resolve(self, services: Services, cluster: str, user: UnixUser) -> Identity:
        at, identity = self._known.get((cluster, user), (0.0, None))
        if identity is None or time.monotonic() - at > _IDENTITY_LIFE_S:
            try:
                identity = services.runners[cluster].resolve(user)
            except RunnerRefused as error:
                log.warning("identity.refused", cluster=cluster, user=user, code=error.code, error=str(error))
                raise Forbidden(
                    f"Your Unix user {user!r} may not run jobs on the cluster {cluster!r}.",
                    hint="Ask the operator of the gateway to allow it.",
                ) from error
            except ClusterUnreachable as error:
                # What exactly does not answer, and where it lives, is the operator's business.
                log.warning("identity.unresolved", cluster=cluster, user=user, error=str(error))
                raise ClusterUnreachable(
                    f"The cluster {cluster!r} cannot take jobs at the moment; nothing was submitted.", retry_after=10
                ) from error
            self._known[cluster, user] = (time.monotonic(), identity)
        return identity


_in_flight = _InFlight()
_identities = _Identities()
