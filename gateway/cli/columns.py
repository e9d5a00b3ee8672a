"""Lay text out in columns exactly as Slurm's own commands do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.cli.states import COLOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a squeue or sinfo format: `%.9P ` is field P, nine wide, to the right, followed by a blank."""

    letter: str
    width: int
    right: bool
    suffix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a sacct format. A negative width stands to the left, as in Slurm's own table."""

    name: str
    width: int


def parse_format(text: str) -> tuple[str, tuple[Column, ...]]:
    """Split a squeue format into the text before its first field, and its columns."""
    prefix, *parts = text.split("%")
    columns = []
    for part in parts:
        found = _COLUMN.match(part)
        if found is None:
            raise ValueError(f"%{part}: after % comes [[.]WIDTH]LETTER")
        dot, width, letter = found.groups()
        columns.append(Column(letter=letter, width=int(width or 0), right=bool(dot), suffix=part[found.end() :]))
    return prefix, tuple(columns)


def queue_cell(text: str, column: Column, *, cut: bool = True) -> str:
    """Write one cell as squeue does: to the right it is cut only where `cut`, to the left always (_print_str)."""
    if column.width == 0:
        return text
    if column.right:
        padded = text.rjust(column.width)
        return padded[: column.width] if cut else padded
    return text[: column.width].ljust(column.width)


def record_cell(text: str, width: int) -> str:
    """Write one cell as sacct does: what is too long ends in `+` (print_fields_str)."""
    size = abs(width)
    if len(text) > size:
        text = text[: size - 1] + "+"
    return (text.rjust(size) if width > 0 else text.ljust(size)) + " "


def record_header(fields: Sequence[Field]) -> list[str]:
    """Write sacct's two header lines; names that are too long are cut without a sign."""
    names = ((field.name[: abs(field.width)], field.width) for field in fields)
    return [
        "".join(record_cell(name, width) for name, width in names),
        "".join("-" * abs(field.width) + " " for field in fields),
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a small table, each column as wide as its longest cell; for lists that Slurm has no layout for."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return ["  ".join(line).rstrip() for line in lines]


def printable(text: str) -> str:
    """Replace what could move a terminal's cursor: names and messages come from other people."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def coloured(cell: str, word: str, *, on: bool) -> str:
    """Colour a finished cell by its state word; the padding stays what it was."""
    colour = COLOURS.get(word)
    return f"\x1b[{colour}m{cell}\x1b[0m" if on and colour else cell


_COLUMN = re.compile(r"(\.)?(\d+)?([A-Za-z])")
