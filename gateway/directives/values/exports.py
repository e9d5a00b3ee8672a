"""Read and write which environment variables a job gets."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_HINT = 'use ALL, NONE, or NAME,OTHER=value,LIST="1,2"; names have letters, digits and _'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What `--export` says."""

    everything: bool = False
    """ALL: the submitting environment too."""
    names: tuple[str, ...] = ()
    """Variables to take from the submitting environment."""
    values: tuple[tuple[str, str], ...] = ()
    """Variables with their values."""

    def __str__(self) -> str:
        items = ["ALL"] if self.everything else []
        items += [*self.names, *(f"{name}={_quoted(value)}" for name, value in self.values)]
        return ",".join(items) or "NONE"


def parse_export(text: str) -> Export:
    """Read `ALL`, `NONE`, `NAME,OTHER`, `ALL,STAGE=x,LIST="1,2"`; NIL (Slurm 24.05) is NONE here."""
    if text.upper() in {"NONE", "NIL"}:
        return Export()
    items = _items(text)
    names, values = [], []
    for item in items:
        name, equals, value = item.partition("=")
        if not _NAME.fullmatch(name):
            raise BadValue(f"{name!r} is not a variable's name", _HINT)
        if equals:
            values.append((name, value[1:-1] if value[:1] in {'"', "'"} and value[-1:] == value[:1] else value))
        elif name.upper() != "ALL":
            names.append(name)
    everything = any(item.upper() == "ALL" for item in items)
    return Export(everything=everything, names=tuple(names), values=tuple(values))


def _items(text: str) -> list[str]:
    """Split at the commas outside of quotes."""
    items = [""]
    quote = ""
    for character in text:
        if character == "," and not quote:
            items.append("")
            continue
        if character in "\"'" and quote in {"", character}:
            quote = "" if quote else character
        items[-1] += character
    if quote:
        raise BadValue(f"unmatched {quote}", _HINT)
    return items


def _quoted(value: str) -> str:
    if "," not in value and '"' not in value and "'" not in value:
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'
