"""Offer the same world over the fake cluster and over the running dev cluster, for the transport's contract."""

import os
import pwd
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from gateway.ids import AttemptId, ClusterName, SlurmJobId, UnixUser
from gateway.slurm.answers import Accepted, read_answer
from gateway.slurm.helper import HelperRunner
from gateway.slurm.transport import SlurmJob, SubmitOrder, Transport
from gateway.slurm.transports.command import CommandTransport
from gateway.testing.fake_slurm import FakeSlurm
from tests.privileged import RunningHelper, open_room

DEV_CLUSTER = Path(os.environ.get("SGW_DEV_ROOT", "/var/lib/sgw-dev"))
DEV_USER = "sgwdemo-ada"

T = TypeVar("T")


class World(Protocol):
    """A transport, and what moves its jobs on."""

    @property
    def transport(self) -> Transport: ...

    @property
    def user(self) -> UnixUser: ...

    @property
    def uid(self) -> int: ...

    def let_start(self, job_id: SlurmJobId) -> None: ...

    def let_end(self, job_id: SlurmJobId, *, exit_code: int = 0, output: bytes = b"") -> None: ...

    def let_tasks_end(self, job_id: SlurmJobId, exit_codes: list[int]) -> None: ...

    def let_refuse(self, text: str) -> None: ...

    def eventually(self, look: Callable[[], T | None]) -> T: ...


@dataclass
class FakeWorld:
    """The fake cluster: the test itself starts and ends jobs, and nothing takes time."""

    transport: FakeSlurm = field(default_factory=FakeSlurm)
    user: UnixUser = field(default_factory=lambda: UnixUser("ada"))

    @property
    def uid(self) -> int:
        return self.transport.controller.uid(self.user)

    def let_start(self, job_id: SlurmJobId) -> None:
        self.transport.clock.advance(1)
        self.transport.start(job_id)

    def let_end(self, job_id: SlurmJobId, *, exit_code: int = 0, output: bytes = b"") -> None:
        self.let_start(job_id)
        attempt = AttemptId(Path(self.transport.job(job_id).workdir).name)
        self.transport.write(self.user, attempt, "stdout", output)
        self.transport.clock.advance(1)
        self.transport.finish(job_id, exit_code=exit_code)

    def let_tasks_end(self, job_id: SlurmJobId, exit_codes: list[int]) -> None:
        self.let_start(job_id)
        for task, exit_code in enumerate(exit_codes):
            self.transport.finish(f"{job_id}_{task}", exit_code=exit_code)

    def let_refuse(self, text: str) -> None:
        self.transport.fates.append(text)

    def eventually(self, look: Callable[[], T | None]) -> T:
        found = look()
        assert found is not None
        return found


@dataclass
class DevWorld:
    """The dev cluster: jobs start and end by themselves, soon."""

    transport: CommandTransport
    user: UnixUser
    uid: int

    def let_start(self, job_id: SlurmJobId) -> None:
        self.eventually(lambda: True if self._states(job_id) <= {"RUNNING"} else None)

    def let_end(self, job_id: SlurmJobId, *, exit_code: int = 0, output: bytes = b"") -> None:
        """The batch script ends as the test wants it; nothing to do."""

    def let_tasks_end(self, job_id: SlurmJobId, exit_codes: list[int]) -> None:
        """The same for arrays."""

    def let_refuse(self, text: str) -> None:
        """The test asks for something that Slurm refuses."""

    def eventually(self, look: Callable[[], T | None]) -> T:
        until = time.monotonic() + 60
        while (found := look()) is None:
            assert time.monotonic() < until, "not within 60 s"
            time.sleep(0.1)
        return found

    def _states(self, job_id: SlurmJobId) -> set[str]:
        return {job.state for job in self.transport.observe().jobs if job_id in {job.job_id, job.array_job_id}}


@contextmanager
def dev_world() -> Iterator[DevWorld]:
    """Reach the dev cluster as root, tenants through a privileged helper of the test's own; skip without one."""
    slurm_conf = DEV_CLUSTER / "etc" / "slurm.conf"
    if os.getuid() != 0 or not slurm_conf.exists():
        pytest.skip("no dev cluster: run `sgw dev up` as root")
    with ExitStack() as stack:
        room = stack.enter_context(open_room())
        commands = {"sbatch": "/usr/bin/sbatch", "scancel": "/usr/bin/scancel", "slurm_conf": str(slurm_conf)}
        helper = RunningHelper(room, users=[DEV_USER], **commands)
        stack.callback(helper.stop)
        runner = HelperRunner(helper.socket)
        stack.callback(runner.close)
        transport = CommandTransport(
            ClusterName("dev"), runner=runner, slurm_conf=slurm_conf, attempts_root=room / "attempts"
        )
        world = DevWorld(transport, UnixUser(DEV_USER), pwd.getpwnam(DEV_USER).pw_uid)
        yield world
        mine = [job for job in transport.observe().jobs if job.workdir.startswith(str(room)) and job.exit_code is None]
        if mine:
            transport.cancel(world.user, sorted({job.array_job_id or job.job_id for job in mine}))
        world.eventually(lambda: True if not _alive(transport, room) else None)


def order(world: World, *options: str, batch: str = "exit 0", array: bool = False, merged: bool = False) -> SubmitOrder:
    """Make an order whose batch script is a line of shell."""
    return SubmitOrder(
        attempt=AttemptId(f"12-main-1-{secrets.token_hex(4)}"),
        user=world.user,
        uid=world.uid,
        options=("--ntasks=1", "--mem=50", "--time=5", *options),
        array=array,
        merged=merged,
        batch=f"#!/bin/sh\n{batch}\n".encode(),
        files={"script": b"#!/bin/sh\n", "attempt.json": b"{}", "wrapper.py": b""},
        deadline=2_000_000_000.0,
    )


def submitted(world: World, given: SubmitOrder) -> SlurmJobId:
    """Submit and return the id that Slurm gave."""
    answer = world.transport.submit(given, wait_s=30)
    assert answer is not None
    verdict = read_answer(answer)
    assert isinstance(verdict, Accepted), verdict
    return verdict.job_id


def records(world: World, job_id: SlurmJobId) -> list[SlurmJob]:
    """What one look at the cluster shows of a job or an array; the look must be complete."""
    look = world.transport.observe()
    assert look.unread == 0
    return [job for job in look.jobs if job_id in {job.job_id, job.array_job_id}]


def _alive(transport: CommandTransport, room: Path) -> bool:
    return any(job.workdir.startswith(str(room)) and job.exit_code is None for job in transport.observe().jobs)
