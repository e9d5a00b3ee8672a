"""Give tests of the core its people, its jobs, and use-cases over a real database without any cluster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from gateway import redis
from gateway.auth.principal import Principal
from gateway.clock import ManualClock
from gateway.db import tables
from gateway.db.columns import METADATA
from gateway.db.database import Database, Transaction
from gateway.db.writer import GroupWriter
from gateway.ids import AttemptId, JobId, StepId, TenantId, TokenId, UnixUser, UserId, attempt_id
from gateway.jobs.lifecycle import Move, NewAttempt, advance, create
from gateway.notices import Notices
from gateway.services import Services
from gateway.settings import ClusterSettings, Settings
from gateway.slurm.runner import Identity, Runner
from gateway.slurm.transport import PoolCapacity, Transport
from gateway.states import Phase, Reason
from gateway.wire import Role
from tests.databases import hasten

CLUSTER = "dev"
POOL = PoolCapacity(
    partition="cpu", default=True, available=True, nodes=4, nodes_idle=4, nodes_allocated=0, nodes_down=0,
    nodes_powered_down=0, cpus=16, cpus_allocated=0, cpus_idle=16, cpus_per_node=4, memory_mb_per_node=4000, gpus=0,
    max_time_s=7200, default_time_s=600,
)  # fmt: skip

SPEC: Mapping[str, Any] = {
    "name": "heat", "runtime": "script", "options": ["--job-name=heat"], "args": [], "env": [], "workdir": "/home/ada",
    "outputs": [], "merged": True, "dependencies": [], "any_dependency": False, "partition": "cpu",
    "resources": {"nodes": 1, "tasks": 1, "cpus": 1, "memory_mb": 1000, "gpus": 0}, "time_limit_s": 600, "array": None,
    "expected_runtime_s": None, "estimated_cores": None, "storage_bytes": None, "output_bytes": None,
    "caller_cost_estimate": None,
}  # fmt: skip

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("acme", "ada", "member"),
    ("acme", "bob", "member"),
    ("acme", "amy", "admin"),
    ("globex", "eve", "admin"),
    ("site", "root", "operator"),
)


def principal(name: str) -> Principal:
    """Whoever is called that."""
    number, (tenant, _, role) = next((n, person) for n, person in enumerate(PEOPLE, 1) if person[1] == name)
    return Principal(
        tenant=TenantId(tenant), user_id=UserId(number), user=name, unix_user=f"{tenant}-{name}", account=tenant,
        role=role, token_id=TokenId("0"), expires_at=None,
    )  # fmt: skip


def settle_people(database: Database) -> None:
    """Insert tenants, users, the pool, and a cluster that was seen."""
    with database.begin() as transaction:
        now = {"created_at": transaction.now}
        for tenant in dict.fromkeys(tenant for tenant, _, _ in PEOPLE):
            transaction.execute(tables.tenants.insert().values(id=tenant, account=tenant, last_event=0, **now))
        for number, (tenant, name, _) in enumerate(PEOPLE, 1):
            row = {"id": number, "tenant_id": tenant, "name": name, "unix_user": f"{tenant}-{name}", **now}
            transaction.execute(tables.users.insert().values(row))
        watch = {"cluster": CLUSTER, "seen_at": transaction.now, "tick_cost_s": 0.0}
        transaction.execute(tables.cluster_watches.insert().values(watch))
        pool = {"cluster": CLUSTER, "partition": "cpu", "capacity": asdict(POOL), "observed_at": transaction.now}
        transaction.execute(tables.pool_states.insert().values(pool))


def add_job(transaction: Transaction, owner: str = "ada", **changes: Any) -> JobId:
    """Accept a job, without any of the checks of a submission."""
    who = principal(owner)
    row = {
        "tenant_id": who.tenant, "user_id": who.user_id, "user_name": who.user, "name": "heat", "cluster": CLUSTER,
        "pool": "cpu", "unix_user": who.unix_user, "uid": 1000 + who.user_id, "account": who.account, "priority": 0,
        "spec": dict(SPEC), "warnings": [], "array_tasks": None,
    }  # fmt: skip
    job = create(transaction, job=row | changes)
    transaction.execute(tables.job_scripts.insert().values(job_id=job, script=b"#!/bin/sh\n"))
    return job


def step_of(transaction: Transaction, job: JobId) -> Any:
    """The row of a job's one step."""
    return transaction.execute(tables.steps.select().where(tables.steps.c.job_id == job)).one()


def move(transaction: Transaction, job: JobId, to: Phase, reason: Reason, **more: Any) -> bool:
    """Move a job's step as its newest version stands; a new attempt is made for SUBMITTING."""
    step = step_of(transaction, job)
    if to is Phase.SUBMITTING:
        new = attempt_id(job, "main", step.tries + 1, f"{step.tries:08x}")
        more["new_attempt"] = NewAttempt(id=new, number=step.tries + 1, sbatch_deadline=transaction.now)
    wish = Move(step=StepId(step.id), version=step.version, to=to, reason=reason, actor="controller", **more)
    return bool(advance(transaction, [wish]))


def start(database: Database, job: JobId) -> AttemptId:
    """Bring a waiting job to RUNNING as Slurm's job number 36, and return its attempt."""
    with database.begin() as transaction:
        move(transaction, job, Phase.SUBMITTING, Reason.DISPATCHED)
        a = tables.attempts
        transaction.execute(a.update().where(a.c.job_id == job).values(slurm_job_id="36"))
        move(transaction, job, Phase.QUEUED, Reason.ACCEPTED_BY_SLURM)
        move(transaction, job, Phase.RUNNING, Reason.STARTED)
        return AttemptId(step_of(transaction, job).attempt_id)


@dataclass
class Lookup:
    """The one verb of a runner that use-cases need."""

    asked: list[UnixUser] = field(default_factory=list)

    def resolve(self, user: UnixUser) -> Identity:
        self.asked.append(user)
        return Identity(user=user, uid=1001, gid=1001, groups=(), home=f"/home/{user}", attempts=f"/jobs/{user}")


@contextmanager
def use_cases(database: Database, folder: Path, *, clock: ManualClock | None = None) -> Iterator[Services]:
    """Bundle a database with a writer, notices that reach nobody, and a runner that only knows users."""
    writer = GroupWriter(database)
    writer.start()
    cluster = ClusterSettings(
        runas_socket=folder / "runas.sock", attempts_root=folder / "attempts", wake_dir=folder / "wake"
    )
    try:
        yield Services(
            settings=Settings(state_dir=folder, clusters={CLUSTER: cluster}),
            clock=clock or ManualClock(),
            database=database,
            writer=writer,
            notices=Notices(redis.connect(f"unix://{folder}/nobody.sock")),
            transports={CLUSTER: cast("Transport", None)},
            runners={CLUSTER: cast("Runner", Lookup())},
        )
    finally:
        writer.stop()


@contextmanager
def sqlite_world(folder: Path) -> Iterator[Services]:
    """Use-cases over a new SQLite file with everybody in it."""
    notices = Notices(redis.connect(f"unix://{folder}/nobody.sock"))
    clock = ManualClock()
    database = Database(f"sqlite:///{folder}/gateway.db", clock=clock, publish=notices.publish)
    hasten(database)
    METADATA.create_all(database.engine)
    settle_people(database)
    with use_cases(database, folder, clock=clock) as services:
        yield services
    database.dispose()
