"""Start the real privileged helper, with Unix users and a stand-in for sbatch, for tests that run as root."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
HELPER = REPOSITORY / "gateway" / "runas"

# What a real sbatch inherits and gets is what the tests ask about, so the stand-in tells it on stderr.
SBATCH = """#!/bin/sh
echo run >> "$HOME/runs"
while [ -e "$HOME/hold" ]; do sleep 0.02; done
echo "4711"
exec >&2
echo "argv: $*"; echo "groups: $(id -G)"; echo "uid: $(id -ru) $(id -u) gid: $(id -rg) $(id -g)"
echo "cwd: $(pwd)"; echo "umask: $(umask)"; echo "nofile: $(ulimit -n)"; echo "core: $(ulimit -c)"
echo "fds: $(ls /proc/self/fd | tr '\\n' ' ')"; grep -E 'NoNewPrivs|CapEff|SigBlk|SigIgn' /proc/self/status
echo "stdin: $(cat)"; env | sed 's/^/env: /'
"""
SCANCEL = '#!/bin/sh\necho "argv: $*"; id -un >&2; exit 3\n'

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


def wait_until(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    """Poll until it holds, and fail the test when it does not in time."""
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, f"not within {within} s"
        time.sleep(0.01)


@contextmanager
def open_room() -> Iterator[Path]:
    """Make a directory that every user can enter (pytest's own tmp_path is root's alone)."""
    room = Path(tempfile.mkdtemp(prefix="sgw-test-", dir="/var/tmp"))
    room.chmod(0o711)
    try:
        yield room
    finally:
        shutil.rmtree(room)


@contextmanager
def unix_user(
    name: str, home: Path, *, group: str | None = None, uid: int | None = None
) -> Iterator[pwd.struct_passwd]:
    """Make a Unix user, with a further group of its own if asked, and remove both again."""
    extra = ["--groups", group] if group else []
    if group:
        _edit_users(["groupadd", "-f", group])
    number = ["--uid", str(uid)] if uid else []
    _edit_users(["useradd", "-d", str(home), "-m", "-s", "/bin/sh", *extra, *number, name])
    try:
        yield pwd.getpwnam(name)
    finally:
        _edit_users(["userdel", "-f", name])
        if group:
            _edit_users(["groupdel", group])


def _edit_users(argv: list[str]) -> None:
    """Run a command that locks /etc/passwd, again while another test process (or a dev cluster) holds the lock."""
    until = time.monotonic() + 30
    while (done := subprocess.run(argv, capture_output=True, text=True, check=False)).returncode != 0:
        locked = "lock" in done.stderr
        assert locked, f"{argv}: {done.stderr}"
        assert time.monotonic() < until, f"{argv}: {done.stderr}"
        time.sleep(0.1)


def write_commands(room: Path) -> dict[str, object]:
    """Put stand-ins for Slurm's commands into the room and return the configuration that uses them."""
    root = room / "attempts"
    root.mkdir()
    root.chmod(0o711)
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (room / name).write_text(text)
        (room / name).chmod(0o755)
    return {
        "attempts_root": str(root),
        "sbatch": str(room / "sbatch"),
        "scancel": str(room / "scancel"),
        "slurm_conf": "/nowhere/slurm.conf",
    }


class RunningHelper:
    """A helper process, its socket, its configuration file and its log."""

    def __init__(self, room: Path, **config: object) -> None:
        self.room = room
        self.socket = room / "runas.sock"
        self.config = room / "runas.json"
        self.log = room / "runas.log"
        self.facts = write_commands(room) | {"clients": ["root"]} | config
        self.configure()
        self._environ = {"PATH": os.environ["PATH"], "SGW_SECRET": "hunter2", "LD_LIBRARY_PATH": "/nowhere"}
        self.start()

    def configure(self, **config: object) -> None:
        """Write the configuration anew, with changes."""
        self.facts |= config
        self.config.write_text(json.dumps(self.facts))
        self.config.chmod(0o644)

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-I", str(HELPER), "--socket", str(self.socket), "--config", str(self.config)]
            self.process = subprocess.Popen(command, stderr=log, env=self._environ)
        pid = self.process.pid
        wait_until(lambda: any(each["event"] == "helper.started" and each["pid"] == pid for each in self.events()))

    def events(self) -> list[dict[str, object]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]

    def sessions(self) -> list[int]:
        """The pids of the sessions that are open."""
        mine = self.events()
        mine = mine[max(n for n, each in enumerate(mine) if each["event"] == "helper.started") :]
        closed = {each["pid"] for each in mine if each["event"] == "session.closed"}
        opened = [each["pid"] for each in mine if each["event"] == "session.opened"]
        return [int(str(pid)) for pid in opened if pid not in closed]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)
