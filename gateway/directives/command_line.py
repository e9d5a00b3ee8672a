"""Split the command line of `sgw sbatch` into options, script and the script's own arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.directives.diagnostics import COMMAND_LINE
from gateway.directives.getopt import Reading, Word, read_options
from gateway.directives.table import TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command line in its three parts."""

    options: tuple[str, ...]
    """Up to the script's name; what `parse_script` and the gateway want to see again."""
    script: str | None = None
    """The script's path; None when it comes from standard input or from --wrap."""
    arguments: tuple[str, ...] = ()
    """What the script itself gets."""


def split_command_line(argv: Sequence[str]) -> CommandLine:
    """Split `argv`, without the program's name. Bad options are left to `parse_script`, which names them all."""
    rest = read_command_line(argv).rest
    words = [word.text for word in rest]
    return CommandLine(
        options=tuple(argv[: len(argv) - len(rest)]),
        script=words[0] if words else None,
        arguments=tuple(words[1:]),
    )


def read_command_line(argv: Sequence[str]) -> Reading:
    """Read the options at the head of `argv`."""
    return read_options([Word(text=word, where=COMMAND_LINE) for word in argv], TABLE)


def wrap(command: str) -> bytes:
    """Make the script that `--wrap=command` stands for, the same bytes as sbatch's."""
    head = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n"
    return f"{head}{command}\n\n".encode("utf-8", "surrogateescape")
