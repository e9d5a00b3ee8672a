"""List the scripts whose text is kept, and write them anew: `python -m tests.golden.templates.cases`."""

from pathlib import Path

from slurm_templates.render import render
from slurm_templates.runtime import Run, script_of

FOLDER = Path(__file__).parent

HOSTILE = (
    "it's",
    'a "quoted" word',
    "$(touch /tmp/x) `id` ${HOME} \\",
    "first\nsecond\r\n#SBATCH --uid=0",
    "",
    "-n",
    "*",
    "Grüße 🐍",
    "\udcff",
)
"""What arguments look like when nobody meant well; the last is a byte that is no UTF-8."""

ATTEMPT = {
    "job": 42,
    "name": "evil\nname #SBATCH --uid=0",
    "attempt": "00c0ffee",
    "version": "0.1.0",
    "directory": "/shared/it's here/ada/00c0ffee",
}


def scripts() -> dict[str, bytes]:
    """Render every kept script, by file name."""
    words = ("./heat", "--size", "4096")
    return {
        "base.sh": render("base.sbatch.j2", ATTEMPT),
        "script-line.sh": script_of(
            Run(runtime="script", command='./fit "$SLURM_ARRAY_TASK_ID" > out && echo finished')
        ),
        "script-words.sh": script_of(Run(runtime="script", command=words)),
        "srun-line.sh": script_of(Run(runtime="srun", command="./rank $SLURM_PROCID > out.$SLURM_PROCID # mine")),
        "srun-words.sh": script_of(Run(runtime="srun", command=words)),
        "srun-hostile.sh": script_of(Run(runtime="srun", command=("./heat",), args=HOSTILE)),
        "mpi-words.sh": script_of(Run(runtime="mpi", command=words)),
        "mpi-pmix.sh": script_of(Run(runtime="mpi", command=words, mpi="pmix")),
        "mpi-hostile.sh": script_of(Run(runtime="mpi", command=HOSTILE[:1], args=HOSTILE, mpi="pmix; id")),
    }


if __name__ == "__main__":
    for name, text in scripts().items():
        (FOLDER / name).write_bytes(text)
