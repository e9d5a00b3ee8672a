"""Turn a described run into the script that its tenant could have written."""

from dataclasses import dataclass
from typing import Literal

from slurm_templates.render import Raw, TemplateError, render

RuntimeName = Literal["script", "srun", "mpi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to run: a program with arguments, or for `script` a line of shell."""

    runtime: RuntimeName
    command: str | tuple[str, ...]
    """A tuple is taken word by word. A line is shell for `script`, and split like one by srun's own shell otherwise."""
    args: tuple[str, ...] = ()
    mpi: str | None = None
    """`srun --mpi=…`; None leaves it to the cluster's `MpiDefault`."""


def script_of(run: Run) -> bytes:
    """Render the batch script of a described run; raises TemplateError when the command is empty."""
    words = (run.command,) if isinstance(run.command, str) else run.command
    if not words or not words[0].strip():
        raise TemplateError("command: is empty")
    line = Raw(run.command) if isinstance(run.command, str) else list(run.command)
    return render(f"runtimes/{run.runtime}.sbatch.j2", {"command": [line, *run.args], "mpi": run.mpi})
