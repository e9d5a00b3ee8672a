"""Play slurmctld and slurmdbd in memory: jobs, arrays, ids, what is forgotten and what is known too late."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.clock import ManualClock
from gateway.slurm.values import duration

FIRST_UID = 1000
_LIVE = {"PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING"}


@dataclass(slots=True, kw_only=True, eq=False)
class FakeJob:
    """One job or one task of an array, as the controller knows it. Times are epoch seconds."""

    job_id: int
    array_job_id: int | None = None
    task: int | None = None
    throttle: str = ""
    """`%2`, as the array asked for it."""
    split: bool = False
    """The task has an id and a record of its own; before, it is in the array's pending rest."""
    user: str
    uid: int
    name: str
    account: str
    partition: str
    workdir: str
    nodes: int = 1
    cpus: int = 1
    time_limit_s: int | None = 3600
    submitted: int
    started: int | None = None
    ended: int | None = None
    state: str = "PENDING"
    reason: str = "Priority"
    exit_code: int = 0
    signal: int | None = None
    restarts: int = 0

    @property
    def live(self) -> bool:
        """Slurm has not ended it."""
        return self.state in _LIVE

    @property
    def address(self) -> str:
        """What people call it: `36` or `36_1`."""
        return str(self.job_id) if self.task is None else f"{self.array_job_id}_{self.task}"


@dataclass(slots=True, kw_only=True)
class FakeController:
    """A controller with a memory that forgets, and accounting that learns late."""

    clock: ManualClock
    min_job_age_s: float = 300.0
    accounting_lag_s: float = 0.0
    anonymous_s: float = 0.0
    """So long after its submission accounting knows a job, but not whose it is (up to 5 s, seen on 22.05.8)."""
    next_id: int = 1
    boot_time: int = 0
    memory: list[FakeJob] = field(default_factory=list)
    accounted: list[FakeJob] = field(default_factory=list)
    """The same objects, and those the controller has lost or forgotten."""
    uids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.boot_time = self.now

    @property
    def now(self) -> int:
        """The controller's clock."""
        return int(self.clock.now().timestamp())

    def uid(self, user: str) -> int:
        """Return the user's number, made up at the first question."""
        return self.uids.setdefault(user, FIRST_UID + len(self.uids))

    def accept(self, user: str, options: dict[str, str]) -> int:
        """Put a job in the queue as sbatch's long options ask for; returns its id."""
        job = FakeJob(
            job_id=self._new_id(),
            user=user,
            uid=self.uid(user),
            name=options.get("job-name", "sbatch"),
            account=options.get("account", user),
            partition=options.get("partition", "cpu"),
            workdir=options.get("chdir", "/"),
            nodes=int(options.get("nodes", "1").partition("-")[0]),
            cpus=int(options.get("ntasks", "1")) * int(options.get("cpus-per-task", "1")),
            time_limit_s=duration(options.get("time", "60")),
            submitted=self.now,
            reason="JobHeldUser" if "hold" in options else "Priority",
        )
        expression, _, throttle = options.get("array", "").partition("%")
        throttle = throttle and f"%{throttle}"
        tasks = list(_tasks(expression)) if expression else [None]
        for task in tasks:
            array = None if task is None else job.job_id
            one = replace(job, task=task, array_job_id=array, throttle=throttle, split=task is None)
            self.memory.append(one)
            self.accounted.append(one)
        return job.job_id

    def find(self, address: str) -> list[FakeJob]:
        """Return the job, the task (`36_1`) or all tasks of the array, newest owner of the id only."""
        number, _, task = address.partition("_")
        known = [job for job in self.remembered() if number in {str(job.job_id), str(job.array_job_id)}]
        return [job for job in known if not task or str(job.task) == task]

    def start(self, job: FakeJob) -> None:
        """Give a pending job its nodes, and an array's task an id of its own; the last one keeps the array's."""
        if job.task is not None and not job.split:
            waiting = [one for one in self.memory if one.array_job_id == job.array_job_id and not one.split]
            job.split = True
            if len(waiting) > 1:
                job.job_id = self._new_id()
        job.state, job.reason, job.started = "RUNNING", "None", self.now

    def end(self, job: FakeJob, state: str, *, exit_code: int = 0, signal: int | None = None) -> None:
        """End a live job."""
        if job.live:
            job.state, job.exit_code, job.signal = state, exit_code, signal
            job.started, job.ended = job.started or self.now, self.now

    def cancel(self, jobs: list[FakeJob]) -> None:
        """End live jobs as scancel does; a task that never started leaves nothing behind (seen on 22.05.8).

        Only the last such tasks of an array, cancelled together, leave one record.
        """
        for job in jobs:
            waiting = [
                one for one in self.memory if one.live and not one.split and one.array_job_id == job.array_job_id
            ]
            if job.split or all(one in jobs for one in waiting):
                self.end(job, "CANCELLED", signal=15 if job.started else None)
            elif job.live:
                self.memory.remove(job)
                self.accounted.remove(job)

    def requeue(self, job: FakeJob) -> None:
        """Put a running job back, as an administrator can: same id, another submit time."""
        self.accounted.append(replace(job, state="NODE_FAIL", ended=self.now))
        job.state, job.reason, job.started, job.ended = "PENDING", "BeginTime", None, None
        job.submitted, job.restarts = self.now, job.restarts + 1

    def restart(self, *, forget_s: float = 0.0) -> None:
        """Start slurmctld anew; it may have lost jobs younger than `forget_s`, and hands out their ids again."""
        lost = [job for job in self.memory if job.submitted > self.now - forget_s]
        self.memory = [job for job in self.memory if job not in lost]
        if lost:
            self.next_id = min(min(job.job_id, job.array_job_id or job.job_id) for job in lost)
        self.boot_time = max(self.boot_time + 1, self.now)

    def remembered(self) -> list[FakeJob]:
        """Return what squeue would show: `MinJobAge` after its end a job is forgotten."""
        oldest = self.now - self.min_job_age_s
        self.memory = [job for job in self.memory if job.ended is None or job.ended > oldest]
        return self.memory

    def known_to_accounting(self) -> list[FakeJob]:
        """Return the jobs as accounting has heard of them by now."""
        heard = self.now - self.accounting_lag_s
        known = [_as_of(job, heard) for job in self.accounted if job.submitted <= heard]
        young = self.now - self.anonymous_s
        return [replace(job, uid=0, workdir="") if job.submitted > young else job for job in known]

    def accounting_backlog(self) -> int:
        """Count the messages on their way to accounting."""
        heard = self.now - self.accounting_lag_s
        return sum((moment or 0) > heard for job in self.accounted for moment in (job.submitted, job.ended))

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1


def _as_of(job: FakeJob, heard: float) -> FakeJob:
    if job.ended is not None and job.ended > heard:
        job = replace(job, state="RUNNING", ended=None, exit_code=0, signal=None)
    if job.started is not None and job.started > heard:
        job = replace(job, state="PENDING", started=None)
    return job


def _tasks(expression: str) -> Iterator[int]:
    """Read `1,3-5,0-10:5`."""
    for first, last, step in re.findall(r"(\d+)(?:-(\d+))?(?::(\d+))?", expression):
        yield from range(int(first), int(last or first) + 1, int(step or 1))
