"""Give API tests a gateway: a real database, the real use-cases, and a cluster that is a folder of bytes."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import sqlalchemy as sa

from gateway import redis
from gateway.api.assembly import create_app
from gateway.api.stream import Streams
from gateway.auth import tokens
from gateway.clock import ManualClock
from gateway.db import tables
from gateway.db.columns import METADATA
from gateway.db.database import Database
from gateway.db.writer import GroupWriter
from gateway.errors import ClusterUnreachable
from gateway.ids import AttemptId, JobId, StepId, UnixUser, attempt_id
from gateway.jobs.lifecycle import Move, NewAttempt, advance
from gateway.notices import Notices
from gateway.services import Services
from gateway.settings import ClusterSettings, Settings
from gateway.slurm.runner import CommandResult, FileSlice, Identity, ReadRequest, Runner, Target
from gateway.slurm.transport import PoolCapacity, Transport
from gateway.slurm.transports.command import Cost
from gateway.states import Phase, Reason

JOB = {"script": "#!/bin/bash\n#SBATCH --time=5\nsrun hostname\n", "script_name": "hosts.sh"}

POOL = PoolCapacity(
    partition="cpu", default=True, available=True, nodes=4, nodes_idle=4, nodes_allocated=0, nodes_down=0,
    nodes_powered_down=0, cpus=16, cpus_allocated=0, cpus_idle=16, cpus_per_node=4, memory_mb_per_node=4000, gpus=0,
    max_time_s=None, default_time_s=None,
)  # fmt: skip


@dataclass
class Files:
    """Attempt directories in memory, with the two verbs of a transport that the API uses and the runner's look-up."""

    held: dict[tuple[AttemptId, str], bytes] = field(default_factory=dict)
    refused: str | None = None
    away: bool = False
    reads: int = 0
    signals: list[tuple[str | None, Target]] = field(default_factory=list)

    @property
    def costs(self) -> Mapping[str, Cost]:
        return {"read": Cost(calls=self.reads, seconds=0.5)}

    def write(self, attempt: AttemptId, data: bytes, name: str = "stdout") -> None:
        self.held[attempt, name] = self.held.get((attempt, name), b"") + data

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        self.reads += 1
        if self.away:
            raise ClusterUnreachable
        return [self._slice(request) for request in requests]

    def cancel(
        self, user: UnixUser, job_ids: Sequence[str], *, signal: str | None = None, target: Target = "default"
    ) -> CommandResult:
        self.signals.append((signal, target))
        return CommandResult(exit_code=0, stdout="", stderr="")

    def resolve(self, user: UnixUser) -> Identity:
        return Identity(user=user, uid=1001, gid=1001, groups=(), home=f"/home/{user}", attempts=f"/jobs/{user}")

    def _slice(self, request: ReadRequest) -> FileSlice:
        data = self.held.get((request.attempt, request.name))
        if self.refused or data is None:
            return FileSlice(data=b"", size=0, identity=None, refused=self.refused)
        part = data[request.offset : request.offset + request.limit]
        return FileSlice(data=part, size=len(data), identity=(1, 1))


class InProcess(httpx.BaseTransport):
    """Sends requests straight into the app. For answers that end by themselves."""

    def __init__(self, app: Any, runner: asyncio.Runner) -> None:
        self._inner = httpx.ASGITransport(app)
        self._runner = runner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def exchange() -> httpx.Response:
            request.stream = httpx.ByteStream(request.read())
            answer = await self._inner.handle_async_request(request)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            body = b"".join([part async for part in answer.stream])
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))

        return self._runner.run(exchange())


@dataclass(kw_only=True)
class World:
    services: Services
    files: Files
    tokens: Mapping[str, str]
    app: Any
    runner: asyncio.Runner

    @property
    def streams(self) -> Streams:
        found: Streams = self.app.state.streams
        return found

    def client(self, who: str | None = "ada") -> httpx.Client:
        """A client of acme's ada (member), bob (member) or root (operator), or globex' eve (admin)."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.Client(transport=InProcess(self.app, self.runner), base_url="http://gateway", headers=headers)

    def restart(self) -> None:
        """Forget everything that is not in the database."""
        self.app = create_app(self.services)

    def submit(self, **changes: object) -> JobId:
        answer = self.client().post("/v1/jobs", json=JOB | changes)
        assert answer.status_code == 201, answer.text
        return JobId(int(answer.json()["id"]))

    def start(self, job: JobId, *, number: int = 1) -> AttemptId:
        """Bring the job's next attempt to RUNNING."""
        now = self.services.clock.now()
        new = NewAttempt(id=attempt_id(job, "main", number, f"{number:08x}"), number=number, sbatch_deadline=now)
        self.move(job, Phase.SUBMITTING, Reason.DISPATCHED, new)
        self.move(job, Phase.QUEUED, Reason.ACCEPTED_BY_SLURM)
        self.move(job, Phase.RUNNING, Reason.STARTED)
        return new.id

    def end(self, job: JobId, to: Phase = Phase.COMPLETED, reason: Reason = Reason.SUCCESS) -> None:
        self.move(job, Phase.FINALIZING, Reason.ENDED)
        self.move(job, to, reason)

    def move(self, job: JobId, to: Phase, reason: Reason, new: NewAttempt | None = None) -> None:
        s = tables.steps.c
        with self.services.database.begin() as transaction:
            query = tables.steps.select().where(s.job_id == job)
            step = transaction.execute(query).one()
            wish = Move(
                step=StepId(step.id), version=step.version, to=to, reason=reason, actor="controller", new_attempt=new
            )
            assert advance(transaction, [wish])


@contextmanager
def world(folder: Path, **settings: object) -> Iterator[World]:
    """Make a gateway in `folder`. Its Redis is away, so notices are delivered inside the process."""
    clock, files = ManualClock(), Files()
    notices = Notices(redis.connect(f"unix://{folder}/nobody.sock"))
    notices.connected = True
    database = Database(f"sqlite:///{folder}/gateway.db", clock=clock, publish=notices.publish)
    # What is tested here survives no power cut; without this, half of the time is spent on fsync.
    sa.event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    METADATA.create_all(database.engine)
    writer = GroupWriter(database)
    writer.start()
    services = Services(
        settings=_settings(folder, settings),
        clock=clock,
        database=database,
        writer=writer,
        notices=notices,
        transports={"dev": cast("Transport", files)},
        runners={"dev": cast("Runner", files)},
    )
    made = _people(services)
    # One event loop for all requests: making one for each costs more than most requests.
    with asyncio.Runner() as runner:
        gateway = World(services=services, files=files, tokens=made, app=create_app(services), runner=runner)
        try:
            yield gateway
        finally:
            gateway.streams.close()
            writer.stop()
            database.dispose()


def _settings(folder: Path, changes: Mapping[str, object]) -> Settings:
    cluster = ClusterSettings(
        runas_socket=folder / "runas.sock", attempts_root=folder / "attempts", wake_dir=folder / "wake"
    )
    return Settings.model_validate({"state_dir": folder, "clusters": {"dev": cluster}, **changes})


def _people(services: Services) -> dict[str, str]:
    """Add tenants, users, tokens and the pool; returns each user's token."""
    now = services.clock.now()
    people = (("acme", "ada", "member"), ("acme", "bob", "member"), ("acme", "root", "operator"))
    made: dict[str, str] = {}
    with services.database.begin() as transaction:
        for tenant in ("acme", "globex"):
            row = {"id": tenant, "account": tenant, "last_event": 0, "created_at": now}
            transaction.execute(tables.tenants.insert().values(row))
        for number, (tenant, name, role) in enumerate((*people, ("globex", "eve", "admin")), start=1):
            user = {"id": number, "tenant_id": tenant, "name": name, "unix_user": f"{tenant}-{name}", "created_at": now}
            transaction.execute(tables.users.insert().values(user))
            new = tokens.generate()
            token = {"id": new.id, "user_id": number, "digest": new.digest, "role": role, "created_at": now}
            transaction.execute(tables.tokens.insert().values(token))
            made[name] = new.text
        pool = {"cluster": "dev", "partition": "cpu", "capacity": asdict(POOL), "observed_at": now}
        transaction.execute(tables.pool_states.insert().values(pool))
        watch = {"cluster": "dev", "seen_at": now, "tick_cost_s": 0.25}
        transaction.execute(tables.cluster_watches.insert().values(watch))
    return made
