"""Reach a cluster by its commands: queries as the gateway's own user, everything of a tenant through the runner."""

import os
import pwd
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import ClusterRefused, ClusterUnreachable, GatewayFault
from gateway.ids import AttemptId, ClusterName, SlurmJobId, UnixUser
from gateway.slurm import capacity, commands, parse, visibility
from gateway.slurm.query import LocalQuery, Query
from gateway.slurm.runner import Answer, Claim, CommandResult, FileSlice, ReadRequest, Runner, Target
from gateway.slurm.transport import Observation, Outcome, PoolCapacity, SubmitOrder

_IDS_A_QUERY = 1000
"""Of sacct: longer lists are slow, and one argument holds 128 KiB."""
_IDS_A_CANCEL = 1000
"""The privileged helper takes no more."""
_NO_ACCOUNTING = "accounting storage is disabled"
_NO_SUCH_JOB = "Invalid job id specified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one kind of command has cost since the start."""

    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Waited, not CPU."""


class CommandTransport:
    """A cluster whose commands are installed on this machine. Thread-safe."""

    def __init__(
        self,
        cluster: ClusterName,
        *,
        runner: Runner,
        slurm_conf: Path,
        attempts_root: Path,
        accounting: bool = True,
        timeout_s: float = 30.0,
        query: Query | None = None,
        mark: Callable[[], str] = lambda: f"\x1e{secrets.token_hex(6)}\x1e",
    ) -> None:
        self._cluster = cluster
        self._runner = runner
        self._attempts_root = attempts_root
        self._accounting = accounting
        self._query = query or LocalQuery(slurm_conf=slurm_conf, timeout_s=timeout_s)
        self._mark = mark
        self._lock = threading.Lock()
        self._costs: dict[str, Cost] = {}
        self._boot_time: int | None = None

    @property
    def cluster(self) -> ClusterName:
        """The cluster's name in the settings."""
        return self._cluster

    @property
    def costs(self) -> Mapping[str, Cost]:
        """What every kind of command has cost so far, by its name."""
        with self._lock:
            return dict(self._costs)

    def submit(self, order: SubmitOrder, *, wait_s: float) -> Answer | None:
        """Run sbatch as the tenant; see `Transport.submit`."""
        uid = self._runner.resolve(order.user).uid
        if uid != order.uid:
            # The name was given to somebody else since the job was accepted: it would run with their files.
            raise ClusterRefused(f"The Unix user {order.user} was {order.uid} and is {uid} now; submit the job again.")
        directory = self._attempts_root / order.user / order.attempt
        with self._counted("sbatch"):
            return self._runner.submit(
                order.user,
                order.attempt,
                argv=commands.sbatch(order, str(directory)),
                batch=order.batch,
                files=order.files,
                deadline=order.deadline,
                wait_s=wait_s,
            )

    def answer(self, user: UnixUser, attempt: AttemptId) -> Answer | None:
        """Return what the attempt's sbatch answered, or None while there is nothing."""
        return self._runner.answer(user, attempt)

    def sbatch_is_dead(self, user: UnixUser, attempt: AttemptId) -> bool:
        """Say whether the attempt's sbatch is known not to run (any more)."""
        return self._runner.sbatch_is_dead(user, attempt)

    def claim(self, user: UnixUser, attempt: AttemptId, *, void: bool) -> Claim:
        """Read who may run the attempt; with `void` first try to make it that nobody may."""
        return self._runner.claim(user, attempt, void=void)

    def observe(self) -> Observation:
        """Look at all jobs with one squeue, and make sure that it was one slurmctld's memory."""
        before = self._boot_time or self._controller().boot_time
        for _ in range(2):
            mark = self._mark()
            jobs, unread = parse.queue(self._ask(commands.squeue(mark)), mark)
            after = self._controller().boot_time
            if before == after:
                return Observation(cluster=self._cluster, boot_time=after, jobs=tuple(jobs), unread=unread)
            before = after
        raise ClusterUnreachable("slurmctld restarted again and again while it was asked")

    def outcomes(self, job_ids: Sequence[SlurmJobId], *, since: int) -> list[Outcome]:
        """Ask accounting; see `Transport.outcomes`."""
        found: list[Outcome] = []
        for start in range(0, len(job_ids) if self._accounting else 0, _IDS_A_QUERY):
            mark = self._mark()
            argv = commands.sacct(mark, job_ids[start : start + _IDS_A_QUERY], since=since)
            # A record that cannot be read is as good as none: the controller and the exit record come next.
            outcomes, _unread = parse.accounting(self._ask(argv, nothing=_NO_ACCOUNTING), mark)
            found += outcomes
        return sorted(found, key=lambda one: one.submitted or 0)

    def controller_outcomes(self, job_ids: Sequence[SlurmJobId]) -> list[Outcome]:
        """Ask the controller's memory by squeue: `scontrol show job` cannot be read safely, names fake its fields."""
        found: list[Outcome] = []
        for start in range(0, len(job_ids), _IDS_A_QUERY):
            mark = self._mark()
            argv = commands.squeue(mark, job_ids[start : start + _IDS_A_QUERY])
            jobs, _unread = parse.queue(self._ask(argv, nothing=_NO_SUCH_JOB), mark)
            found += [parse.recollection(job) for job in jobs]
        return found

    def accounting_settled(self) -> bool:
        """Say whether nothing more is on its way to accounting; see `Transport.accounting_settled`."""
        return not self._accounting or parse.accounting_backlog(self._ask(commands.sdiag())) == 0

    def cancel(
        self, user: UnixUser, job_ids: Sequence[str], *, signal: str | None = None, target: Target = "default"
    ) -> CommandResult:
        """Run scancel as the tenant; success says nothing about a job's end."""
        said = []
        for start in range(0, len(job_ids), _IDS_A_CANCEL):
            with self._counted("scancel"):
                ids = job_ids[start : start + _IDS_A_CANCEL]
                said.append(self._runner.cancel(user, ids, signal=signal, target=target))
        return CommandResult(
            exit_code=max((each.exit_code for each in said), default=0),
            stdout="".join(each.stdout for each in said),
            stderr="".join(each.stderr for each in said),
        )

    def read_many(self, user: UnixUser, requests: Sequence[ReadRequest]) -> list[FileSlice]:
        """Read byte ranges of files in the user's attempt directories, in one call."""
        return self._runner.read_many(user, requests)

    def capacity(self) -> list[PoolCapacity]:
        """Count the nodes and CPUs of every partition."""
        return capacity.pools(self._ask(commands.sinfo()))

    def check_visibility(self) -> None:
        """Raise GatewayFault if Slurm hides other people's jobs from our own user."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        controller = self._controller()
        level = None
        if visibility.must_prove(controller, user) and controller.accounting:
            level = visibility.admin_level(self._ask(commands.admin_level(user)), user)
        if told := visibility.blindness(controller, user, level):
            raise GatewayFault(told)

    def ping(self) -> str:
        """Return Slurm's version, or raise ClusterUnreachable."""
        return self._controller().version

    def _controller(self) -> parse.Controller:
        controller = parse.controller(self._ask(commands.show_config()))
        if controller is None:
            raise ClusterUnreachable("scontrol did not say slurmctld's version and boot time")
        self._boot_time = controller.boot_time
        return controller

    def _ask(self, argv: Sequence[str], *, nothing: str | None = None) -> str:
        """Return what a query printed; an error that says `nothing` is an empty answer, any other is no answer."""
        with self._counted(argv[0]):
            said = self._query(argv)
            if nothing is not None and nothing in said.stderr:
                return ""
            # Slurm's commands can complain and still exit with 0; then nobody knows what is missing.
            if said.exit_code != 0 or said.stderr.strip():
                complaint = said.stderr.strip()[:500] or f"exit code {said.exit_code}"
                raise ClusterUnreachable(f"{argv[0]} failed: {complaint}")
        return said.stdout

    @contextmanager
    def _counted(self, command: str) -> Iterator[None]:
        started = time.monotonic()
        failed = 1
        try:
            yield
            failed = 0
        finally:
            took = time.monotonic() - started
            with self._lock:
                cost = self._costs.get(command, Cost())
                self._costs[command] = replace(
                    cost, calls=cost.calls + 1, failed=cost.failed + failed, seconds=cost.seconds + took
                )
