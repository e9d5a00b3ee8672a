"""Read a batch script and a command line as sbatch would, and say everything that is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gateway.directives import foreign
from gateway.directives.command_line import read_command_line
from gateway.directives.diagnostics import COMMAND_LINE, Diagnostic, error
from gateway.directives.directives import ClientFlags, Directives
from gateway.directives.getopt import Found, Reading, Word, read_options
from gateway.directives.script import Scan, scan_script
from gateway.directives.settle import Policy, settle
from gateway.directives.table import TABLE

_DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A script with what it asks for. With `errors`, the rest is only good for showing."""

    script: bytes
    """As it should be submitted: DOS line breaks are repaired, nothing else is touched."""
    directives: Directives
    client: ClientFlags
    script_name: str | None
    script_arguments: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]
    errors: tuple[Diagnostic, ...]


def parse_script(script: bytes, argv: Sequence[str] = (), *, policy: Policy = _DEFAULT_POLICY) -> Parsed:
    """Read the directives of `script`, then `argv` (without the program's name), which wins.

    Never raises: every problem is in `errors` or `warnings`, by line, the command line last. The same input gives
    the same answer anywhere and at any time: SBATCH_* variables, files and clocks are not looked at.
    """
    scan = scan_script(script, max_bytes=policy.max_script_bytes)
    in_script = _read_directives(scan.words)
    on_line = read_command_line(argv)
    translated = _read_foreign(scan, (*in_script.found, *on_line.found))
    names = [word.text for word in on_line.rest]
    found = (*in_script.found, *translated.found, *on_line.found)
    settled = settle((*_default_name(names, found), *found), policy)
    problems = [*scan.problems, *in_script.problems, *translated.problems, *on_line.problems, *settled.problems]
    client = ClientFlags(**settled.client)
    if names and client.wrap is not None:
        problems.append(error(COMMAND_LINE, "script arguments are not permitted with --wrap", option="wrap"))
    problems.sort(key=_position)
    return Parsed(
        script=scan.script,
        directives=Directives(**settled.fields, passthrough=tuple(settled.passthrough.values())),
        client=client,
        script_name=names[0] if names else None,
        script_arguments=tuple(names[1:]),
        warnings=tuple(p for p in problems if p.severity == "warning"),
        errors=tuple(p for p in problems if p.severity == "error"),
    )


def _read_directives(words: Sequence[Word]) -> Reading:
    """Read all options of a script. Its lines are one list of words to sbatch; a word that is no option is wrong."""
    found: list[Found] = []
    problems: list[Diagnostic] = []
    reading = read_options(words, TABLE)
    while reading.rest:
        found += reading.found
        problems += reading.problems
        stray = reading.rest[0]
        # `--gpu-per-node 1` is one thing to repair, not two; and one remark on a line is enough.
        if not problems or problems[-1].where != stray.where:
            hint = "options begin with '-', and a value with blanks needs quotes"
            problems.append(error(stray.where, f"invalid directive found in batch script: {stray.text}", hint))
        reading = read_options(reading.rest[1:], TABLE)
    return Reading(found=(*found, *reading.found), rest=(), problems=(*problems, *reading.problems))


def _read_foreign(scan: Scan, told: Sequence[Found]) -> Reading:
    """Read #PBS and #BSUB lines, unless told not to: to sbatch they win over those of #SBATCH."""
    if scan.refused or any(found.option.name == "ignore-pbs" for found in told):
        return Reading(found=(), rest=(), problems=())
    return foreign.translate(scan.script)


def _default_name(names: Sequence[str], found: Sequence[Found]) -> tuple[Found, ...]:
    """Name a job without a name as sbatch does, after its script; one on standard input stays without."""
    given = {item.option.name for item in found if item.where == COMMAND_LINE or item.option.name != "wrap"}
    name = "wrap" if "wrap" in given else PurePosixPath(names[0]).name if names else ""
    if not name or "job-name" in given:
        return ()
    return (Found(option=TABLE.named("job-name")["job-name"], text=name, where=COMMAND_LINE),)


def _position(problem: Diagnostic) -> tuple[int, int]:
    """Where a problem stands: the whole script, a line of it, the command line."""
    if problem.where.startswith("line "):
        return 1, int(problem.where.removeprefix("line "))
    return (2 if problem.where == COMMAND_LINE else 0), 0
