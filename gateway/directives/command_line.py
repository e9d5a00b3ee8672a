"""Split the command line of `sgw sbatch` into options, script and the script's own arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.directives.diagnostics import COMMAND_LINE, Diagnostic
from gateway.directives.getopt import Reading, Word, read_options
from gateway.directives.script import heterogeneous
from gateway.directives.table import TABLE

_NEXT_COMPONENT: Final = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command line in its three parts."""

    options: tuple[str, ...]
    """Up to the script's name; what `parse_script` and the gateway want to see again."""
    script: str | None = None
    """The script's path; None when it comes from standard input or from --wrap."""
    arguments: tuple[str, ...] = ()
    """What the script itself gets."""
    refusal: Diagnostic | None = None
    """Why there are no such three parts; `parse_script` says it too. Nobody need look for a script."""


def split_command_line(argv: Sequence[str]) -> CommandLine:
    """Split `argv`, without the program's name. Bad options are left to `parse_script`, which names them all."""
    rest = _read(argv).rest
    words = [word.text for word in rest]
    if words and words[0] == _NEXT_COMPONENT:
        return CommandLine(options=tuple(argv), refusal=heterogeneous(COMMAND_LINE, _NEXT_COMPONENT))
    return CommandLine(
        options=tuple(argv[: len(argv) - len(rest)]),
        script=words[0] if words else None,
        arguments=tuple(words[1:]),
    )


def read_command_line(argv: Sequence[str]) -> Reading:
    """Read the options at the head of `argv`. A lone `:` begins a second component, which is refused."""
    reading = _read(argv)
    if reading.rest and reading.rest[0].text == _NEXT_COMPONENT:
        refusal = heterogeneous(COMMAND_LINE, _NEXT_COMPONENT)
        return replace(reading, rest=(), problems=(*reading.problems, refusal))
    return reading


def _read(argv: Sequence[str]) -> Reading:
    return read_options([Word(text=word, where=COMMAND_LINE) for word in argv], TABLE)


def wrap(command: str) -> bytes:
    """Make the script that `--wrap=command` stands for, the same bytes as sbatch's."""
    head = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n"
    return f"{head}{command}\n\n".encode("utf-8", "surrogateescape")
