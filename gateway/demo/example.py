"""Run the shipped MPI example as a tenant and show it happening."""

import os
import pwd
import re
import sys
import time
import uuid
from pathlib import Path
from typing import TextIO

from gateway.client import GatewayClient, LogBytes
from gateway.demo.people import token_of
from gateway.demo.place import Place
from gateway.devcluster.commands import run
from gateway.states import State
from gateway.wire import JobRequest, JobView

USER = "ada"
_PROGRESS = re.compile(r"::progress (\d+(?:\.\d+)?) ?(.*)")
_BAR = 30


def build(place: Place) -> Path:
    """Compile the example into the tenant's home, as that tenant; returns the folder it is in."""
    source = Path(__file__).parent.parent.parent / "slurm_templates" / "examples" / "mpi"
    unix_user = place.cluster.user_prefix + USER
    entry = pwd.getpwnam(unix_user)
    folder = Path(entry.pw_dir) / "heat"
    folder.mkdir(exist_ok=True)
    for name in ("heat.c", "heat.sbatch"):
        (folder / name).write_bytes((source / name).read_bytes())
        os.chown(folder / name, entry.pw_uid, entry.pw_gid)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    as_user = ["setpriv", f"--reuid={unix_user}", f"--regid={unix_user}", "--init-groups", "--"]
    run([*as_user, "mpicc", "-O2", "-o", str(folder / "heat"), str(folder / "heat.c"), "-lm"])
    return folder


def show(place: Place, *, nodes: int = 4, out: TextIO = sys.stdout) -> bool:
    """Submit the example, stream its log with a progress line, print how it ended; True if it completed."""
    folder = build(place)
    client = GatewayClient(place.url, token_of(place, USER))
    request = JobRequest(
        name="heat",
        runtime="mpi",
        command=("./heat", "10", "0.4"),
        nodes=nodes,
        tasks_per_node=2,
        time_limit=5,
        workdir=str(folder),
        # Eight ranks share this machine's few cores: a rank that waits must not keep the others from working.
        env={"OMPI_MCA_mpi_yield_when_idle": "1"},
    )
    started = time.monotonic()
    job = client.submit(request, key=str(uuid.uuid4()))
    answered = (time.monotonic() - started) * 1000
    out.write(f"Submitted batch job {job.id} as {job.tenant}/{job.user} ({nodes} nodes, {answered:.0f} ms)\n")
    screen = _Screen(out)
    for item in client.follow_logs(job.id, stream="both", patience_s=60):
        if isinstance(item, LogBytes):
            screen.write(item.data.decode(errors="replace"))
    screen.close()
    job = client.job(job.id, wait_s=30)
    out.write(_line(job) + "\n")
    return job.state is State.COMPLETED


class _Screen:
    """Print a log line by line; progress reports redraw one line on a terminal, and are plain lines in a pipe."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._rest = ""
        self._drawn = False

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)
        self._out.flush()

    def close(self) -> None:
        if self._rest:
            self._line(self._rest)
        if self._drawn:
            self._out.write("\n")

    def _line(self, line: str) -> None:
        found = _PROGRESS.match(line)
        if found is None:
            self._out.write(("\r\033[K" if self._drawn else "") + f"  | {line}\n")
            self._drawn = False
            return
        share = min(1.0, float(found[1]))
        bar = "#" * round(share * _BAR)
        text = f"  [{bar:<{_BAR}}] {share:4.0%}  {found[2]}"
        self._out.write(f"\r\033[K{text}" if self._live else f"{text}\n")
        self._drawn = self._live


def _line(job: JobView) -> str:
    where = f"{job.nodes_allocated} nodes {job.node_list}" if job.node_list else "no nodes"
    return f"Job {job.id} {job.state}  {where}  elapsed {job.elapsed_s} s  exit code {job.exit_code}"
