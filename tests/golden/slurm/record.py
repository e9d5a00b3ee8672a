"""Record what Slurm's commands print, for the parser's golden tests: run as root on a machine with the dev cluster.

    python tests/golden/slurm/record.py        writes into a folder named after Slurm's version

It submits a catalogue of jobs as one of the dev cluster's users, waits until they are where they should be, asks by
the gateway's own commands, and cancels what is left.
"""

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from gateway.slurm import commands, parse

HERE = Path(__file__).parent
MARK = "\x1egolden\x1e"
SLURM_CONF = os.environ.get("SLURM_CONF", "/var/lib/sgw-dev/etc/slurm.conf")
USER = "sgwdemo-ada"
CATALOGUE = [
    ("--job-name=a|b c", "--wrap=sleep 600"),
    ("--job-name=fails", "--wrap=exit 3"),
    ("--job-name=completes", "--wrap=true"),
    ("--job-name=high code", "--wrap=exit 130"),
    ("--job-name=kills itself", "--wrap=kill -9 $$"),
    ("--job-name=tidy end", "--wrap=kill -TERM $$"),
    ("--job-name=evil\n999999\x1f999999\x1fN/A\x1fCOMPLETED\x1f", "--wrap=sleep 600"),
    ("--job-name=bad\udcff\udcfeutf", "--wrap=sleep 600"),
    ("--job-name=held", "--hold", "--wrap=true"),
    ("--job-name=memory", "--mem=100", "--wrap=python3 -c 'x=bytearray(300<<20);import time;time.sleep(20)'"),
    ("--job-name=two nodes", "--nodes=2", "--ntasks=2", "--wrap=srun --mpi=none sh -c 'exit 5'"),
    ("--job-name=some tasks fail", "--array=0-2", "--wrap=exit $SLURM_ARRAY_TASK_ID"),
    ("--job-name=long array", "--array=1-1200:3%2", "--wrap=sleep 600"),
    ("--job-name=gpu", "--partition=gpu", "--gres=gpu:1", "--wrap=sleep 600"),
    ("--job-name=no limit", "--time=UNLIMITED", "--wrap=true"),
    ("--job-name=later", "--begin=now+1hour", "--wrap=true"),
    ("--job-name=cancelled", "--hold", "--wrap=true"),
    ("--job-name=times out", "--time=0:05", "--wrap=sleep 600"),
]


def main() -> None:
    """Submit, wait, record, clean up."""
    since = int(time.time()) - 1
    home = pwd.getpwnam(USER).pw_dir
    fixed = ["sbatch", "--parsable", f"--chdir={home}", "--output=/dev/null", "--ntasks=1", "--mem=50", "--no-requeue"]
    ids = [ask([*fixed, *options], user=USER).strip() for options in CATALOGUE]
    ask(["scancel", ids[16]], user=USER)
    ask(["scontrol", "update", f"job={ids[8]}", "WorkDir=\n/odd\x1f"], user=USER)
    wait_for_ends([ids[n] for n in (1, 2, 3, 4, 5, 9, 10, 11, 16, 17)])
    version = parse.controller(ask(commands.show_config()))
    assert version is not None
    folder = HERE / version.version
    folder.mkdir(exist_ok=True)
    queries = {
        "squeue": commands.squeue(MARK),
        "sacct": commands.sacct(MARK, ids, since=since),
        "sinfo": commands.sinfo(),
        "config": commands.show_config(),
        "sdiag": commands.sdiag(),
    }
    for name, argv in queries.items():
        text = ask(argv)
        if name == "squeue":
            text = only(text, set(ids))
        (folder / f"{name}.txt").write_bytes(text.encode(errors="surrogateescape"))
    ask(["scancel", *ids], user=USER)


def ask(argv: list[str], *, user: str = "root") -> str:
    """Run a command as a user, as the gateway's queries are run."""
    who = pwd.getpwnam(user)
    return subprocess.run(
        argv,
        env=commands.ENVIRONMENT | {"SLURM_CONF": SLURM_CONF, "HOME": who.pw_dir, "USER": user},
        user=who.pw_uid,
        group=who.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=True,
    ).stdout


def only(text: str, ids: set[str]) -> str:
    """Keep the records of our own jobs: a dev cluster is shared."""
    pieces = text.split(MARK)
    records = zip(pieces[::2], pieces[1::2], strict=False)
    kept = [(head, workdir) for head, workdir in records if head.lstrip("\n").split("\x1f")[1] in ids]
    return "".join(head.removeprefix("\n") + MARK + workdir + MARK + "\n" for head, workdir in kept)


def wait_for_ends(ids: list[str]) -> None:
    """Wait until accounting knows how every one of these ended; times out after two minutes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        jobs, _ = parse.accounting(ask(commands.sacct(MARK, ids, since=int(time.time()) - 600)), MARK)
        if jobs and not any(job.state in {"PENDING", "RUNNING", "COMPLETING"} for job in jobs):
            return
        time.sleep(1)
    raise SystemExit("the jobs did not end in time")


if __name__ == "__main__":
    main()
