"""Name the exit codes of `sgw`, so that a script can tell what went wrong without reading words."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended. `sbatch --wait` and `logs --exit-code` answer with the job's own code instead."""

    OK = 0
    ERROR = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    INVALID = 5
    LIMIT = 6
    UNREACHABLE = 7
    INTERRUPTED = 130
    BROKEN_PIPE = 141

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANING[self]


_MEANING = {
    ExitStatus.OK: "It worked.",
    ExitStatus.ERROR: "It did not work, for a reason that has no number of its own; the message says why.",
    ExitStatus.USAGE: "The command line is wrong: an unknown option, a missing value.",
    ExitStatus.REFUSED: "Not signed in, or this token may not do that.",
    ExitStatus.NOT_FOUND: "There is no such job, task, tenant or token, or it is not yours to see.",
    ExitStatus.INVALID: "The script, an option or a field is not valid; nothing was submitted.",
    ExitStatus.LIMIT: "A limit, quota or budget stands in the way.",
    ExitStatus.UNREACHABLE: "The gateway or its cluster does not answer. This says nothing about any job.",
    ExitStatus.INTERRUPTED: "Interrupted with Ctrl-C. Jobs go on.",
    ExitStatus.BROKEN_PIPE: "The reader of the output went away, as in `sgw squeue | head -1`.",
}
