"""Show the table of options to people: as help on a terminal, and as Markdown in the documentation."""

from collections.abc import Iterator

from gateway.directives.options import Argument, Option, Treatment
from gateway.directives.table import GROUPS

_COLUMN = 34
_HIDDEN = {Treatment.GATEWAY, Treatment.REFUSED, Treatment.SPANK}
"""Still in the documentation, with the reasons; help shows what one can use."""


def help_text(program: str = "sgw sbatch") -> str:
    """Write what `--help` prints."""
    return "\n".join(_help_lines(program))


def markdown_rows() -> list[str]:
    """Write a Markdown table of all options, a line each, head included."""
    head = ["| option | value | treatment | meaning |", "|---|---|---|---|"]
    return head + [_markdown(option) for rows in GROUPS.values() for option in rows]


def _help_lines(program: str) -> Iterator[str]:
    yield f"Usage: {program} [options] [script [arguments of the script]]"
    yield "Without a script it is read from standard input. #SBATCH lines of the script set options too; the command"
    yield "line wins. Options that take a value accept --name=value, --name value, -x value and -xvalue."
    for title, rows in GROUPS.items():
        shown = [option for option in rows if option.treatment not in _HIDDEN]
        if shown:
            yield ""
            yield f"{title}:"
        for option in shown:
            short = f"-{option.short}," if option.short else "   "
            name = f"  {short} --{option.name}{_value(option)}"
            yield f"{name:<{_COLUMN}} {option.help}" if len(name) < _COLUMN else f"{name}\n{'':{_COLUMN}} {option.help}"


def _markdown(option: Option) -> str:
    names = [f"`--{name}`" for name in (option.name, *option.aliases)] + (
        [f"`-{option.short}`"] if option.short else []
    )
    meaning = option.help + (f" — {option.reason}" if option.reason else "")
    meaning += f" (Slurm {option.since})" if option.since else ""
    value = f"`{_value(option)}`" if _value(option) else ""
    return (
        "| "
        + " | ".join(cell.replace("|", "\\|") for cell in (", ".join(names), value, option.treatment, meaning))
        + " |"
    )


def _value(option: Option) -> str:
    if option.argument is Argument.NONE:
        return ""
    metavar = option.kind.metavar if option.kind else "value"
    return f"[={metavar}]" if option.argument is Argument.OPTIONAL else f"={metavar}"
