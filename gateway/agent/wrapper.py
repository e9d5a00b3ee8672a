"""Start one attempt on its node: claim it, run the tenant's script as a child, record how it ended.

A copy of this file lies in every attempt directory and is started by `batch.sh` with the node's own python3, so it
is one file, standard library only, Python 3.6. It ends exactly as the script did: Slurm sees no difference.
"""

import contextlib
import errno
import json
import os
import re
import resource
import select
import shutil
import signal
import sys
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

VERSION = 1
NOT_RUN = 75
"""Exit code (EX_TEMPFAIL) that says: no tenant code was started."""

# Not forwarded: what nobody can catch, what a fault of our own would raise, what our own writes can cause, and the
# two that belong to the C library.
_KEPT = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_FORWARDED = set(range(1, signal.SIGRTMAX + 1)) - _KEPT - {signal.SIGPIPE, signal.SIGXFSZ, 32, 33}
_WITNESS_S = 1.0
"""How long the witness may take to tell; with 0.2 s a busy node (load 7 on 2 cores) delivered a signal twice."""


class NotOurs(Exception):
    """Another job owns this attempt, or nobody may run it."""


class CannotStart(Exception):
    """The script cannot be started; `exit_code` is what a shell would end with."""

    def __init__(self, code: str, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code


def main(directory: str, environ: Mapping[str, str]) -> int:
    """Run the attempt in `directory`; returns an exit code, unless the script's end was a signal."""
    # Signals wait from here on, so none is lost before there is a script to send it to.
    untouched = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    try:
        attempt = read_attempt(directory)
        task = environ.get("SLURM_ARRAY_TASK_ID", "")
        claim(directory, environ, task)
    except (OSError, ValueError, KeyError, NotOurs) as error:
        complain("attempt {} was not run: {}".format(os.path.basename(directory), error))
        return NOT_RUN
    suffix = "." + task if task else ""
    started = time.time()
    peak = failure = None  # type: Any
    finishers = []  # type: List[Callable[[], None]]
    try:
        enter(attempt["workdir"])
        finishers = [place(each, directory, suffix, environ) for each in attempt.get("outputs", [])]
        status, peak = supervise(directory, attempt, environ, untouched)
    except CannotStart as error:
        complain(str(error))
        status, failure = error.exit_code << 8, error.code
    for finish in finishers:
        finish()
    facts = {"started": started, "max_rss_kb": peak, "wrapper_error": failure}
    write_record(directory, suffix, environ, status, facts)
    wake(attempt)
    return end_like(status)


def read_attempt(directory: str) -> Dict[str, Any]:
    """Read `attempt.json`; raises OSError, ValueError."""
    with open(os.path.join(directory, "attempt.json"), encoding="utf-8") as file:
        attempt = json.load(file)
    if attempt.get("version") != VERSION:
        raise ValueError("attempt.json has version {!r}, not {}".format(attempt.get("version"), VERSION))
    return dict(attempt)


def claim(directory: str, environ: Mapping[str, str], task: str) -> None:
    """Become the only one who may ever run this attempt (or array task); raises NotOurs, OSError, KeyError.

    Slurm can start a job twice (a delayed sbatch that landed after all, a requeue): whoever writes first runs.
    """
    restart = environ.get("SLURM_RESTART_COUNT", "0")
    if task:
        claim_file(directory, "claim", environ["SLURM_ARRAY_JOB_ID"])
        claim_file(directory, "claim." + task, restart)
    else:
        claim_file(directory, "claim", "{}.{}".format(environ["SLURM_JOB_ID"], restart))
    if os.path.lexists(os.path.join(directory, "FENCED")):
        raise NotOurs("it was fenced off")


def claim_file(directory: str, name: str, mine: str) -> None:
    """Write a claim unless there is one; raises NotOurs when it is not `mine`.

    link(2) decides, never a look: network file systems remember for a while that a file was absent, and may answer
    EEXIST to a link that was made. Hence also the second reading.
    """
    path = os.path.join(directory, name)
    temporary = write_temporary(directory, name, mine.encode())
    try:
        os.link(temporary, path)
        sync_directory(directory)
    except FileExistsError:
        with open(path, encoding="utf-8", errors="replace") as file:
            owner = file.read(256).strip()
        if owner != mine:
            raise NotOurs("{} says {}, this is {}".format(name, owner, mine)) from None
    finally:
        os.unlink(temporary)


def enter(workdir: str) -> None:
    """Change to the directory the tenant asked for; raises CannotStart."""
    try:
        os.chdir(workdir)
    except OSError as error:
        raise CannotStart("workdir", 1, "working directory {}: {}".format(workdir, error.strerror)) from None


def place(output: Mapping[str, Any], directory: str, suffix: str, environ: Mapping[str, str]) -> Callable[[], None]:
    """Make the file that the tenant asked for appear, and return what is left to do at the end.

    Slurm writes to the attempt directory; the tenant's name is a second link to that very file, or a symbolic one on
    another file system, replaced by a copy at the end. A job is not stopped for the sake of a name.
    """
    source = os.path.join(directory, output["stream"] + suffix)
    target = os.path.realpath(expand(output["path"], environ))
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            if target != "/dev/null":
                complain("{} is not a regular file: the output stays in {}".format(target, source))
            return _nothing
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if output.get("append"):
            with open(target, "ab"):
                return lambda: _finish(source, target, "ab")
        return _link(source, target)
    except OSError as error:
        complain("{}: {}: the output stays in {}".format(target, error.strerror, source))
        return _nothing


def expand(pattern: str, environ: Mapping[str, str]) -> str:
    """Fill in a file name as slurmstepd does for batch jobs (sbatch(1), filename pattern)."""
    if "\\" in pattern:  # a backslash anywhere switches patterns off
        return pattern.replace("\\", "")
    job = environ["SLURM_JOB_ID"]
    words = {
        "%": "%",
        "a": environ.get("SLURM_ARRAY_TASK_ID", "4294967294"),
        "A": environ.get("SLURM_ARRAY_JOB_ID", job),
        "j": job,
        "J": job,
        "N": environ.get("SLURMD_NODENAME", os.uname().nodename),
        "n": "0",
        "s": "batch",
        "t": "0",
        "u": environ.get("SLURM_JOB_USER", environ.get("USER", "")),
        "x": environ.get("SLURM_JOB_NAME", "sbatch"),
    }

    def word(found: "re.Match[str]") -> str:
        width, letter = found.groups()
        if letter not in words:
            return found.group()
        return words[letter].zfill(min(int(width or 0), 10)) if words[letter].isdigit() else words[letter]

    return re.sub(r"%([0-9]*)(.)", word, pattern, flags=re.DOTALL)


def supervise(
    directory: str, attempt: Mapping[str, Any], environ: Mapping[str, str], untouched: Set[int]
) -> Tuple[int, int]:
    """Run the script to its end, passing on the signals that only we got; returns its status and peak memory in KiB.

    Raises CannotStart.
    """
    script = os.path.join(directory, "script")
    child = start(script, [script, *attempt.get("args", [])], script_environment(attempt, environ), untouched)
    # Only now: a signal from before the witness lived is passed on, perhaps twice; the other way round it is lost.
    witness = Witness()
    while True:
        number = signal.sigwaitinfo(_FORWARDED | {signal.SIGCHLD}).si_signo
        if number == signal.SIGCHLD:
            ended, status, usage = os.wait4(child, os.WNOHANG)
            if ended:
                witness.dismiss()
                return status, usage.ru_maxrss
        elif not witness.saw(number):
            os.kill(child, number)


def start(script: str, argv: List[str], environ: Mapping[str, str], untouched: Set[int]) -> int:
    """Start the script with the signal mask and dispositions we were started with; raises CannotStart."""
    failed, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, untouched)
            os.execve(script, argv, environ)  # noqa: S606 - the tenant's script, as the tenant
        except OSError as error:
            os.write(tell, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(tell)
    with open(failed, "rb") as stream:
        code = stream.read()  # nothing when exec worked: it closed the other end
    if code:
        os.waitpid(child, 0)
        raise unstartable(script, int(code.decode()))
    return child


def unstartable(script: str, code: int) -> CannotStart:
    """Say what is wrong with a script that the kernel would not start, with a shell's exit code."""
    try:
        with open(script, "rb") as file:
            first = file.readline(256).rstrip(b"\n").decode("utf-8", "replace")
    except OSError as error:
        return CannotStart("script", 127, "the script is gone: {}".format(error.strerror))
    if code == errno.ENOENT:
        hint = " (the script has DOS line ends)" if first.endswith("\r") else ""
        return CannotStart("interpreter", 127, "bad interpreter in {!r}: no such file{}".format(first, hint))
    return CannotStart("script", 126, "the script, which begins {!r}: {}".format(first, os.strerror(code)))


def script_environment(attempt: Mapping[str, Any], environ: Mapping[str, str]) -> Dict[str, str]:
    """Add to what Slurm gave us what the tenant asked for and what makes the script feel submitted by sbatch."""
    added = {
        "SLURM_SUBMIT_DIR": attempt.get("submit_dir") or attempt["workdir"],
        "SGW_JOB_ID": attempt["job"],
        "SGW_ATTEMPT": attempt["attempt"],
    }
    return dict(environ, **dict(attempt.get("env", {}), **added))


class Witness:
    """Tells whether a signal was sent to everybody in the job or to us alone.

    `scancel` and the time limit signal every process of the job, `--signal=B:` and `scancel --batch` only the first,
    which is us. The script must get each exactly once, so a silent process beside us reports what everybody gets.
    """

    def __init__(self) -> None:
        self._reports, report = os.pipe()
        end, self._lifeline = os.pipe()
        self._told = set()  # type: Set[int]
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._lifeline)
            _testify(report, end)
        os.close(report)
        os.close(end)

    def saw(self, number: int) -> bool:
        """Give the sender a moment: the processes of a job are signalled one after the other."""
        until = time.monotonic() + _WITNESS_S
        while number not in self._told:
            heard = select.select([self._reports], [], [], max(0, until - time.monotonic()))[0]
            told = os.read(self._reports, 4096) if heard else b""
            if not told:
                return False
            self._told.update(told)
        self._told.remove(number)
        return True

    def dismiss(self) -> None:
        """End it."""
        os.close(self._lifeline)
        os.waitpid(self._pid, 0)


def _testify(report: int, lifeline: int) -> None:
    """Be the witness: the interpreter itself writes each signal's number to `report`, until our maker has ended."""
    try:
        os.set_blocking(report, False)
        signal.set_wakeup_fd(report)
        for number in _FORWARDED:
            signal.signal(number, _nothing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        os.read(lifeline, 1)
    finally:
        os._exit(0)


def write_record(directory: str, suffix: str, environ: Mapping[str, str], status: int, facts: Dict[str, Any]) -> None:
    """Write the exit record; one that cannot be written is only complained about, Slurm knows the exit code too."""
    record = {
        "version": VERSION,
        "slurm_job_id": environ["SLURM_JOB_ID"],
        "restart": int(environ.get("SLURM_RESTART_COUNT", "0")),
        "task": int(suffix[1:]) if suffix else None,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "ended": time.time(),
        "host": os.uname().nodename,
    }
    record.update(facts)
    name = "exit{}.json".format(suffix)
    try:
        os.rename(write_temporary(directory, name, json.dumps(record).encode()), os.path.join(directory, name))
        sync_directory(directory)
    except OSError as error:
        complain("{}: {}".format(name, error.strerror))


def wake(attempt: Mapping[str, Any]) -> None:
    """Leave a hint that something ended; anybody could, so it is worth no more than a reason to look sooner."""
    if attempt.get("wake_dir"):
        path = os.path.join(attempt["wake_dir"], attempt["attempt"])
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644))
            os.utime(path, follow_symlinks=False)


def end_like(status: int) -> int:
    """Return the script's exit code, or die of the signal it died of, without a second core file."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    return os.WEXITSTATUS(status)


def write_temporary(directory: str, name: str, data: bytes) -> str:
    """Write a file to be linked or renamed, down to the disk; returns its path."""
    path = os.path.join(directory, ".{}.{}.{}".format(name, os.getpid(), os.urandom(4).hex()))
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return path


def sync_directory(directory: str) -> None:
    """Make names in the directory survive a power cut of the file server."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def complain(message: str) -> None:
    """Tell the tenant, in the job's own error output."""
    sys.stderr.write("sgw: {}\n".format(message))
    sys.stderr.flush()


def _link(source: str, target: str) -> Callable[[], None]:
    temporary = "{}.{}".format(target, os.urandom(4).hex())
    try:
        os.link(source, temporary)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        os.symlink(source, temporary)
        os.rename(temporary, target)
        return lambda: _finish(source, temporary, "xb", target)
    os.rename(temporary, target)
    return _nothing


def _finish(source: str, target: str, mode: str, name: Optional[str] = None) -> None:
    """Copy what Slurm wrote to where the tenant wants it, and give it its `name`."""
    try:
        with open(source, "rb") as content, open(target, mode) as file:
            shutil.copyfileobj(content, file)
        if name:
            os.rename(target, name)
    except OSError as error:
        complain("{}: {}: the output stays in {}".format(name or target, error.strerror, source))


def _nothing(*_: object) -> None:
    return None


if __name__ == "__main__":
    sys.exit(main(os.path.dirname(os.path.abspath(__file__)), os.environ))
