"""What we hand to sbatch means to the real sbatch what the tenant's own spelling meant to it.

sbatch prints the options it understood (`-vvv`) before it looks for a controller, so none is needed.
"""

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gateway.directives import Directives, parse_script
from gateway.directives.options import Treatment
from gateway.directives.table import TABLE

pytestmark = pytest.mark.skipif(not shutil.which("sbatch"), reason="sbatch is not installed")

CONF = """ClusterName=none
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=6
AuthType=auth/none
SlurmUser=root
NodeName=n1
PartitionName=p Nodes=n1
"""

BOTH_TAKE = [
    "--comment 'a b'", '--job-name="foo bar" -N2', "-J=foo", "-N2-4 -n2", "-N -4", "--nodes=2k",
    "--tasks=3 -N1", "--time=60", "-t 10:30", "-t 1:0:0", "--time=0-06", "-t 1-", "-t 1-12:00", "-t 0",
    "--time=infinite", "--time=48:00:00", "--mem=12g", "--mem=1023K", "--mem=512MB", "--mem=0", "--mem=40",
    "--mem-per-cpu=1875m", "--mem-per-gpu=16GB", "--tmp=1G", "--signal=BUSR1@30", "--signal=:USR1",
    "--signal=B:15@180", "--signal=SIGUSR2@600", "--signal=R:TERM", "--signal=kill", "--gres=gpu:2",
    "--gres=gpu:a100:4,nvme:1000", "--gres=none", "--gpus=volta:3,kepler:1", "-G4", "--gpus-per-task=1",
    "--gpus-per-node=A100:1", "--nice", "--nice=-5", "--exclusive", "--exclusive=user", "--exclusive -s",
    "-s --exclusive", "--export=NONE", "--export=ALL,A=1", "--res=x", "--switches=1@10",
    "--hint=nomultithread,compute_bound", "--output=none", "-o logs/%x_%j.out -e err -i in", "-w n[1-3]",
    "-x n1,n2", "--profile=task", "--acctg-freq=task=30", "--cpu-freq=high", "--distribution=plane=4",
    "-m block:cyclic", "-m '*:cyclic'", "--time-min=5", "--delay-boot=5", "--open-mode=append", "-B 2:4",
    "--wait-all-nodes=1", "--no-kill", "-k", "--no-kill=off", "--mincpus=4", "-c 2 --threads-per-core=1",
    "-S 1", "--thread-spec=1", "-a 1,3-5%2", "--array=0-10:5",
    "--mail-type=begin,END --mail-user=a@b.example", "--mail-type=BEGIN --mail-type=END",
    "--dependency=singleton", "-H", "--contiguous", "--gres-flags=enforce-binding", "-L matlab:1,ansys@db:2",
    "-C 'a&b'", "--constraint=[x|y]", "--prefer=z", "-q long", "-p a,b", "-A x", "-D /tmp",
    "--begin=2099-01-20T12:34", "--begin=uts4102444800", "--deadline=01/20/37-10:00", "--ntasks-per-tres=2",
    "-O",
    "--gpu-bind=closest", "--gpu-bind=verbose,single:2", "--gpu-bind=map_gpu:0,1", "--gpu-bind=none", "--gpu-freq=low",
    "--gpu-freq=medium,memory=high", "--gpu-freq=450,memory=low,verbose", "--cpu-freq=performance",
    "--cpu-freq=low-high", "--cpu-freq=1000000-2000000:ondemand", "--mem-bind=local", "--mem-bind=verbose,map_mem:0,1",
    "--mem-bind=rank,prefer",
]  # fmt: skip
BOTH_REFUSE = [
    "--time=30s", "--time=abc", "--time=1:2:3:4", "--mem=1Gi", "--mem=1.5G", "--mem=-1", "--mem=",
    "--nodes=2-", "--nodes=4-2", "-N=2", "-N x", "-c 0", "-n 0", "-n -1", "-n 1k", "--core-spec=-1",
    "--hold=1", "--exclusive=maybe", "--cont", "--ntask=2", "--mail-type=SOMETIMES", "--wait-all-nodes=2",
    "--open-mode=x", "--signal=FOO", "--signal=USR1@70000", "--begin=later", "--begin=25:00",
    "--begin=13/40", "--deadline=now+1parsec", "--no-kill=maybe", "-t", "-y", "stray", "--a\\ b",
    "--distribution=sideways", "--hint=magic", "--gres-flags=none", "--gpu-per-node 1", "'open", ":",
    "--switches=0",
    "--gpu-bind=far", "--gpu-freq=fast", "--cpu-freq=fast", "--mem-bind=tight",
]  # fmt: skip


@pytest.mark.parametrize("line", BOTH_TAKE)
def test_the_real_sbatch_reads_our_arguments_as_it_read_the_tenants_line(line: str, tmp_path: Path) -> None:
    script = f"#!/bin/bash\n#SBATCH {line}\nhostname\n".encode()
    parsed = parse_script(script)
    assert parsed.errors == ()
    theirs = _understood(script, [], tmp_path)
    assert theirs is not None
    assert _understood(b"#!/bin/bash\nhostname\n", _arguments(parsed.directives), tmp_path) == theirs


@pytest.mark.parametrize("line", BOTH_REFUSE)
def test_what_the_real_sbatch_refuses_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    script = f"#!/bin/bash\n#SBATCH {line}\nhostname\n".encode()
    assert _understood(script, [], tmp_path) is None
    assert [error.where for error in parse_script(script).errors] == ["line 2"]


def _arguments(directives: Directives) -> list[str]:
    """All of it as a command line: what passes, and the mapped fields as they are."""
    arguments = list(directives.sbatch_arguments)
    for option in TABLE.options:
        value = getattr(directives, option.feeds) if option.treatment is Treatment.MAPPED else None
        if value is True:
            arguments.append(f"--{option.name}")
        elif value:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            arguments.append(f"--{option.name}={text}")
    return arguments


def _understood(script: bytes, arguments: list[str], tmp_path: Path) -> dict[str, str] | None:
    """Return the options the real sbatch understood, None if it refused."""
    conf = tmp_path / "slurm.conf"
    conf.write_text(CONF)
    sbatch = subprocess.Popen(
        ["sbatch", "-vvv", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "SLURM_CONF": str(conf)},
        cwd=tmp_path,
    )
    assert sbatch.stdin
    assert sbatch.stderr
    with sbatch.stdin, sbatch.stderr:
        try:
            sbatch.stdin.write(script)
            sbatch.stdin.close()
            said = _read_until(sbatch.stderr.fileno(), b"end of defined options", seconds=10)
        finally:
            sbatch.kill()
            sbatch.wait()
    if b"end of defined options" not in said:
        return None
    return dict(re.findall(r"^sbatch: ([a-z-]+)\s+: (.*)$", said.decode(), re.MULTILINE))


def _read_until(descriptor: int, mark: bytes, *, seconds: float) -> bytes:
    said = b""
    deadline = time.monotonic() + seconds
    while mark not in said and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([descriptor], [], [], left)
        chunk = os.read(descriptor, 65536) if ready else b""
        if not chunk:
            break
        said += chunk
    return said
