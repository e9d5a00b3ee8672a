"""Play a whole cluster in memory, behind the very transport that real clusters are reached by.

`FakeSlurm` is a `CommandTransport` whose commands are answered from memory: commands, parser and judgement are the
real ones, so a fake that passes proves something. Time stands still until the test moves the clock; jobs start and end
when the test says so. Like a real node, a starting job claims its attempt first, so running twice would be seen.
"""

import json
from collections import Counter, deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath

from gateway.clock import ManualClock
from gateway.errors import ClusterUnreachable
from gateway.ids import AttemptId, ClusterName, SlurmJobId, UnixUser
from gateway.slurm.runner import CommandResult
from gateway.slurm.transports.command import CommandTransport
from gateway.testing import slurm_text
from gateway.testing.fake_controller import FakeController, FakeJob
from gateway.testing.fake_runner import ATTEMPTS, FakeRunner, Heard

MARK = "\x1efake\x1e"
NOT_RUN = 75
_NO_CONTROLLER = "Unable to contact slurm controller (connect failure)"


class Fate(StrEnum):
    """What becomes of one sbatch."""

    ANSWERS = "answers"
    ACCEPTED_UNHEARD = "accepted unheard"
    """Slurm has the job; sbatch was killed before it could say so."""
    NEVER_ARRIVES = "never arrives"
    """sbatch was killed before slurmctld read the request."""
    LANDS_LATER = "lands later"
    """sbatch was killed, but its request waits in slurmctld's socket until `land()`."""
    HANGS = "hangs"
    """sbatch waits for slurmctld until `land()`, then answers."""


class FakeSlurm(CommandTransport):
    """A cluster to test against."""

    def __init__(self, *, clock: ManualClock | None = None, cluster: str = "fake") -> None:
        self.clock = clock or ManualClock()
        self.controller = FakeController(clock=self.clock)
        self.runner = FakeRunner(clock=self.clock, uid=self.controller.uid, sbatch=self._sbatch, scancel=self._scancel)
        self.unreachable = False
        """slurmctld does not answer."""
        self.slurmdbd_down = False
        self.blind = False
        """squeue shows nothing and exits with 0, as for an ordinary user under `PrivateData=jobs`."""
        self.cut: int | None = None
        """Answers of queries end after so many characters."""
        self.complaint = ""
        """What queries print on stderr, with exit code 0."""
        self.fates: deque[Fate | str] = deque()
        """Of the next sbatches; a text is Slurm's refusal. When empty, sbatch answers."""
        self.tenant_runs: Counter[str] = Counter()
        """How often tenant code was started, by attempt (`<attempt>` or `<attempt>.<task>`)."""
        self.signals: list[tuple[str, str]] = []
        """(job, signal) that scancel has sent."""
        self._waiting: list[tuple[UnixUser, AttemptId, Sequence[str], Fate]] = []
        super().__init__(
            ClusterName(cluster),
            runner=self.runner,
            slurm_conf=Path("/fake/slurm.conf"),
            attempts_root=Path(ATTEMPTS),
            query=self._answer_query,
            mark=lambda: MARK,
        )

    def job(self, address: str) -> FakeJob:
        """Return the one job or task of that address; raises LookupError when there is none or several."""
        with self.runner.lock:
            found = self.controller.find(address)
            if len(found) != 1:
                raise LookupError(f"{len(found)} jobs are called {address}")
            return found[0]

    def job_of(self, attempt: AttemptId) -> SlurmJobId | None:
        """Return the id of the newest job (or array) that carries the attempt's marker."""
        with self.runner.lock:
            marked = [job for job in self.controller.remembered() if PurePosixPath(job.workdir).name == attempt]
            return SlurmJobId(str(marked[-1].array_job_id or marked[-1].job_id)) if marked else None

    def start(self, *addresses: str) -> None:
        """Start pending jobs, or all tasks of an array; without an address everything that waits and is not held."""
        with self.runner.lock:
            for job in self._chosen(addresses, "PENDING"):
                self.controller.start(job)
                self._run_wrapper(job)

    def finish(
        self,
        *addresses: str,
        exit_code: int = 0,
        signal: int | None = None,
        state: str | None = None,
        record: bool = True,
    ) -> None:
        """End running jobs; `state` is Slurm's word, by default what the exit code makes of it.

        With `record` False the wrapper could not write its exit record, as on a lost node.
        """
        with self.runner.lock:
            for job in self._chosen(addresses, "RUNNING"):
                failed = exit_code or signal
                self.controller.end(
                    job, state or ("FAILED" if failed else "COMPLETED"), exit_code=exit_code, signal=signal
                )
                if record:
                    self._write_record(job)

    def write(self, user: UnixUser, attempt: AttemptId, name: str, data: bytes) -> None:
        """Put a file into an attempt directory, as the job could."""
        with self.runner.lock:
            self.runner.directory(user, attempt).files[name] = data

    def land(self) -> None:
        """Let slurmctld read the requests that waited."""
        with self.runner.lock:
            waiting, self._waiting = self._waiting, []
            for user, attempt, argv, fate in waiting:
                said = self._accept(user, argv)
                if fate is Fate.HANGS:
                    self.runner.say(user, attempt, said)

    def restart(self, *, forget_s: float = 0.0) -> None:
        """Restart slurmctld; jobs younger than `forget_s` are lost, and their ids are given out again."""
        with self.runner.lock:
            self.controller.restart(forget_s=forget_s)

    def _chosen(self, addresses: Sequence[str], state: str) -> list[FakeJob]:
        if addresses:
            jobs = [job for address in addresses for job in self.controller.find(address)]
            if not jobs:
                raise LookupError(f"no such jobs: {', '.join(addresses)}")
        else:
            jobs = [job for job in self.controller.remembered() if job.reason != "JobHeldUser"]
        return [job for job in jobs if job.state == state]

    def _run_wrapper(self, job: FakeJob) -> None:
        """Claim as gateway/agent/wrapper.py does: whoever is not the owner ends without tenant code."""
        attempt = AttemptId(PurePosixPath(job.workdir).name)
        directory = self.runner.directory(UnixUser(job.user), attempt)
        task = "" if job.task is None else f".{job.task}"
        claims = {"claim": f"{job.job_id}.{job.restarts}"}
        if task:
            claims = {"claim": str(job.array_job_id), f"claim{task}": str(job.restarts)}
        ours = all(directory.write_once(name, mine.encode()) == mine.encode() for name, mine in claims.items())
        if ours and "FENCED" not in directory.files:
            self.tenant_runs[f"{attempt}{task}"] += 1
        else:
            self.controller.end(job, "FAILED", exit_code=NOT_RUN)

    def _write_record(self, job: FakeJob) -> None:
        record = {
            "version": 1,
            "slurm_job_id": str(job.job_id),
            "restart": job.restarts,
            "task": job.task,
            "exit_code": job.exit_code,
            "signal": job.signal,
            "started": float(job.started or 0),
            "ended": float(job.ended or 0),
            "host": "c1",
            "max_rss_kb": 4096,
            "wrapper_error": None,
        }
        name = "exit.json" if job.task is None else f"exit.{job.task}.json"
        self.write(UnixUser(job.user), AttemptId(PurePosixPath(job.workdir).name), name, json.dumps(record).encode())

    def _sbatch(self, user: UnixUser, attempt: AttemptId, argv: Sequence[str], _batch: bytes) -> Heard:
        fate = self.fates.popleft() if self.fates else Fate.ANSWERS
        if self.unreachable:
            return Heard(result=_failed("sbatch", f"Batch job submission failed: {_NO_CONTROLLER}"))
        if not isinstance(fate, Fate):
            return Heard(result=_failed("sbatch", f"Batch job submission failed: {fate}"))
        if fate in {Fate.LANDS_LATER, Fate.HANGS}:
            self._waiting.append((user, attempt, argv, fate))
        said = self._accept(user, argv) if fate in {Fate.ANSWERS, Fate.ACCEPTED_UNHEARD} else None
        return Heard(result=said if fate is Fate.ANSWERS else None, dead=fate is not Fate.HANGS)

    def _accept(self, user: UnixUser, argv: Sequence[str]) -> CommandResult:
        job_id = self.controller.accept(user, _options(argv))
        return CommandResult(exit_code=0, stdout=f"{job_id}\n", stderr="")

    def _scancel(self, user: UnixUser, addresses: Sequence[str], signal: str | None) -> CommandResult:
        """Unknown and ended jobs are no error, other people's are (seen on 22.05.8)."""
        if self.unreachable:
            return _failed("scancel", _NO_CONTROLLER)
        jobs = [job for address in addresses for job in self.controller.find(address) if job.live]
        denied = [job for job in jobs if job.user != user]
        mine = [job for job in jobs if job not in denied]
        if signal is None:
            self.controller.cancel(mine)
        else:
            self.signals += [(job.address, signal) for job in mine if job.state == "RUNNING"]
        if denied:
            return _failed("scancel", f"Kill job error on job id {denied[0].address}: Access/permission denied")
        return CommandResult(exit_code=0, stdout="", stderr="")

    def _answer_query(self, argv: Sequence[str]) -> CommandResult:
        """Answer the commands of `gateway.slurm.commands`, each from what it would ask in a real cluster."""
        with self.runner.lock:
            said = self._sacct(argv) if argv[0] == "sacct" else self._ask_controller(argv)
            if said.exit_code != 0:
                return said
            stdout = said.stdout if self.cut is None else said.stdout[: self.cut]
            return CommandResult(exit_code=0, stdout=stdout, stderr=self.complaint)

    def _ask_controller(self, argv: Sequence[str]) -> CommandResult:
        if self.unreachable:
            return _failed(argv[0], _NO_CONTROLLER)
        jobs = self.controller.remembered()
        match argv[0]:
            case "squeue":
                wanted = _options(argv).get("jobs", "").split(",")
                found = jobs if wanted == [""] else [job for one in wanted for job in self.controller.find(one)]
                shown = [] if self.blind else found
                if wanted != [""] and len(wanted) == 1 and not shown:  # of several it shows those that there are
                    return _failed("slurm_load_jobs", "Invalid job id specified")
                text = slurm_text.squeue(shown, MARK)
            case "scontrol":
                text = slurm_text.config(self.controller)
            case "sinfo":
                text = slurm_text.sinfo(jobs)
            case "sdiag":
                text = slurm_text.sdiag(self.controller)
            case other:
                raise ClusterUnreachable(f"the fake cluster has no {other}")
        return CommandResult(exit_code=0, stdout=text, stderr="")

    def _sacct(self, argv: Sequence[str]) -> CommandResult:
        if self.slurmdbd_down:
            return _failed("sacct", "Problem talking to the database: Connection refused")
        wanted = set(_options(argv)["jobs"].split(","))
        known = self.controller.known_to_accounting()
        found = [job for job in known if {str(job.job_id), str(job.array_job_id)} & wanted]
        return CommandResult(exit_code=0, stdout=slurm_text.sacct(found, MARK), stderr="")


def _options(argv: Sequence[str]) -> dict[str, str]:
    """Read `--name=value`; of two the last counts."""
    pairs = (option.removeprefix("--").partition("=") for option in argv[1:])
    return {name: value for name, _, value in pairs}


def _failed(command: str, text: str) -> CommandResult:
    return CommandResult(exit_code=1, stdout="", stderr=f"{command}: error: {text}\n")
