"""Turn a described run into the script that its tenant could have written."""

from dataclasses import dataclass
from typing import Literal

from slurm_templates.render import Raw, TemplateError, render

RuntimeName = Literal["script", "srun", "mpi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to run: a program with arguments, or a line of shell."""

    runtime: RuntimeName
    command: str | tuple[str, ...]
    """Words are a program and its arguments, taken as they are. A line is for a shell: the batch script's own for
    `script`, one per task for the others, so that `$SLURM_PROCID`, `&&` and `>` in it mean each task's."""
    args: tuple[str, ...] = ()
    """More words. A line takes none: a shell would have to guess where in it they belong."""
    mpi: str | None = None
    """`srun --mpi=…`; None leaves it to the cluster's `MpiDefault`."""


def script_of(run: Run) -> bytes:
    """Render the batch script of a described run; raises TemplateError when its command cannot be run."""
    line: Raw | None = None
    program: tuple[str, ...]
    if isinstance(run.command, str):
        if run.args:
            raise TemplateError("command: a line of shell takes no args; give a list of words, or write them into it")
        first, line, program = run.command, Raw(run.command), ("bash", "-c", run.command)
    else:
        first, program = next(iter(run.command), ""), (*run.command, *run.args)
    if not first.strip():
        raise TemplateError("command: is empty")
    return render(f"runtimes/{run.runtime}.sbatch.j2", {"line": line, "program": program, "mpi": run.mpi})
