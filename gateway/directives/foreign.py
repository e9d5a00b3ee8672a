"""Translate the `#PBS` and `#BSUB` lines that sbatch understands into its own options."""

import re
from collections.abc import Callable, Iterator

from gateway.directives.diagnostics import BadValue, Diagnostic, error, warning
from gateway.directives.getopt import MOST_WORDS, Found, Reading, Word, read_options
from gateway.directives.options import Argument, Option, OptionTable
from gateway.directives.script import split_words
from gateway.directives.table import TABLE

_LINES = {"BSUB": re.compile(rb"^#BSUB(.*)$", re.MULTILINE), "PBS": re.compile(rb"^#PBS(.*)$", re.MULTILINE)}
_NOT_COMMENTS = 100
"""sbatch looks no further than this many lines that are not comments (xlate_batch_script in xlate.c)."""

_UNKNOWN = "Slurm has nothing like it"

Pairs = list[tuple[str | None, str | None]]
"""Options of sbatch with their values; a name of None marks what has no counterpart."""
Rule = Callable[[str], Pairs]


def translate(script: bytes) -> Reading:
    """Read the `#BSUB` lines of a script, or its `#PBS` lines if it has none of the former.

    Every option counts in sbatch's table and at the line it came from. What sbatch silently leaves out, because
    Slurm has nothing like it, is a warning here.
    """
    for system, pattern in _LINES.items():
        if pattern.search(script):
            return _translate(system, script, pattern)
    return Reading(found=(), rest=(), problems=())


def _translate(system: str, script: bytes, pattern: re.Pattern[bytes]) -> Reading:
    found: list[Found] = []
    problems: list[Diagnostic] = []
    words: list[Word] = []
    for where, text in _lines(script, pattern):
        if len(words) > MOST_WORDS:
            break
        try:
            words += [Word(text="-c" if word == "-cwd" else word, where=where) for word in split_words(text)]
        except BadValue as bad:
            problems.append(error(where, str(bad), bad.hint))
    reading = read_options(words, _TABLES[system])
    problems += reading.problems
    problems += [error(word.where, f"invalid #{system} argument: {word.text}") for word in reading.rest[:1]]
    for item in reading.found:
        for name, value in _RULES[system][item.option.short](item.text or ""):
            if name is None:
                problems.append(
                    warning(
                        item.where, f"#{system} -{item.option.short} {value or ''}".rstrip() + " is ignored", _UNKNOWN
                    )
                )
            else:
                found.append(Found(option=TABLE.named(name)[name], text=value, where=item.where))
    return Reading(found=tuple(found), rest=(), problems=tuple(problems))


def _lines(script: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[str, str]]:
    others = 0
    for number, line in enumerate(script.split(b"\n"), start=1):
        if match := pattern.match(line):
            yield f"line {number}", match[1].decode("utf-8", "surrogateescape")
        elif not line.startswith(b"#"):
            others += 1
            if others > _NOT_COMMENTS:
                return


def _as(name: str) -> Rule:
    return lambda text: [(name, text)]


def _flag(name: str) -> Rule:
    return lambda _: [(name, None)]


def _nothing(text: str) -> Pairs:
    return [(None, text)]


def _pbs_mail(text: str) -> Pairs:
    events = [event for letter, event in (("b", "BEGIN"), ("e", "END"), ("a", "FAIL")) if letter in text.lower()]
    return [("mail-type", "NONE" if "n" in text.lower() else ",".join(events))]


def _pbs_attributes(text: str) -> Pairs:
    name, _, value = text.partition("=")
    return [("dependency", value)] if name.lower() == "depend" else _nothing(text)


def _pbs_resources(text: str) -> Pairs:
    """Read `-l nodes=2:ppn=4,walltime=1:00:00` and PBS Pro's `-l select=2:ncpus=4:mpiprocs=2`."""
    pairs: Pairs = []
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name in {"nodes", "select"}:
            pairs += _pbs_nodes(value)
        else:
            pairs.append((_PBS_RESOURCES.get(name), value) if name in _PBS_RESOURCES else (None, part))
    return pairs


def _pbs_nodes(text: str) -> Pairs:
    """Read `2:ppn=4:gpus=1`: nodes, and what each of them gets."""
    number, *parts = text.split(":")
    pairs: Pairs = [("nodes", number)] if number.isdecimal() else [(None, number)]
    for part in parts:
        name, _, value = part.partition("=")
        pairs.append((_PBS_PER_NODE.get(name), value) if name in _PBS_PER_NODE else (None, part))
    return pairs


def _bsub_tasks(text: str) -> Pairs:
    return [("ntasks", text.rpartition(",")[2])]  # a minimum and a maximum: sbatch takes the maximum


def _bsub_memory(text: str) -> Pairs:
    return [("mem-per-cpu", text + "K" if text[-1:].isdigit() else text)]  # LSF counts in kilobytes


def _bsub_hosts(text: str) -> Pairs:
    return [("nodelist", ",".join(text.split()))]


_PBS_RESOURCES = {
    "walltime": "time", "cput": "time", "pcput": "time", "mem": "mem", "file": "tmp", "nice": "nice", "procs": "ntasks",
}  # fmt: skip
_PBS_PER_NODE = {
    "ppn": "ntasks-per-node", "mpiprocs": "ntasks-per-node", "ncpus": "mincpus", "gpus": "gpus-per-node",
    "ngpus": "gpus-per-node", "mem": "mem",
}  # fmt: skip

_RULES: dict[str, dict[str, Rule]] = {
    "PBS": {
        "a": _as("begin"), "A": _as("account"), "e": _as("error"), "o": _as("output"), "h": _flag("hold"),
        "J": _as("array"), "t": _as("array"), "l": _pbs_resources, "m": _pbs_mail, "M": _as("mail-user"),
        "N": _as("job-name"), "p": _as("nice"), "q": _as("partition"), "v": _as("export"), "W": _pbs_attributes,
        "c": _nothing, "C": _nothing, "I": _nothing, "j": _nothing, "k": _nothing, "r": _nothing, "S": _nothing,
        "u": _nothing, "V": lambda _: [], "z": _nothing,
    },
    "BSUB": {
        "c": _as("chdir"), "e": _as("error"), "J": _as("job-name"), "m": _bsub_hosts, "M": _bsub_memory,
        "n": _bsub_tasks, "o": _as("output"), "q": _as("partition"), "W": _as("time"), "x": _flag("exclusive"),
    },
}  # fmt: skip


def _table(letters: str, long_names: dict[str, str]) -> OptionTable:
    """Make a table from getopt's own notation: a letter, and a colon if it takes a value."""
    return OptionTable(
        Option(
            name=long_names.get(letter, letter),
            short=letter,
            argument=Argument.REQUIRED if colon else Argument.NONE,
            help="",
        )
        for letter, colon in re.findall("(.)(:?)", letters)
    )


_TABLES = {
    "PBS": _table("a:A:c:C:e:hIj:J:k:l:m:M:N:o:p:q:r:S:t:u:v:VW:z", {
        "a": "start_time", "A": "account", "c": "checkpoint", "C": "working_dir", "e": "error", "h": "hold",
        "I": "interactive", "j": "join", "J": "job_array", "k": "keep", "l": "resource_list", "m": "mail_options",
        "M": "mail_user_list", "N": "job_name", "o": "out", "p": "priority", "q": "destination", "r": "rerunable",
        "S": "script_path", "t": "array", "u": "running_user", "v": "variable_list", "V": "all_env",
        "W": "attributes", "z": "no_std",
    }),
    "BSUB": _table("c:e:J:m:M:n:o:q:W:x", {
        "c": "cwd", "e": "error_file", "J": "job_name", "m": "hostname", "M": "memory_limit", "o": "output_file",
        "q": "queue_name", "W": "time", "x": "exclusive",
    }),
}  # fmt: skip
