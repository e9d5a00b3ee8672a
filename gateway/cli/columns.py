"""Lay text out in columns exactly as Slurm's own commands do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a squeue or sinfo format: `%.9P ` is field P, nine wide, to the right, followed by a blank."""

    letter: str
    width: int
    right: bool
    suffix: str


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


def record_header(fields: Sequence[tuple[str, int]]) -> list[str]:
    """Write sacct's two header lines; names that are too long are cut without a sign."""
    return [
        "".join(record_cell(name[: abs(width)], width) for name, width in fields),
        "".join("-" * abs(width) + " " for _, width in fields),
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a small table, each column as wide as its longest cell; for lists that Slurm has no layout for."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return ["  ".join(line).rstrip() for line in lines]


_COLUMN = re.compile(r"(\.)?(\d+)?([A-Za-z])")
