"""Write the documentation's tables from the code: `python -m gateway.reference [FILE…]`.

A Markdown file asks for a table with two comments, `<!-- moves -->` and `<!-- /moves -->`; what stands between them is
written anew. Without files all tables are printed. A test compares, so a table never says what was true once.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from gateway.cli.status import ExitStatus
from gateway.directives.reference import markdown_rows
from gateway.states import MOVES, STATE_OF, Reason

_BLOCK: Final = re.compile(r"<!-- (?P<name>[a-z][a-z ]*) -->\n.*?<!-- /(?P=name) -->", re.DOTALL)


def fill(text: str) -> str:
    """Return a Markdown text with its blocks written anew; raises ValueError for a block that there is none of."""
    return _BLOCK.sub(_filled, text)


def moves() -> str:
    """List every phase, the state it shows as, and the phases that may follow."""
    rows = ((phase, STATE_OF[phase], ", ".join(to for to in MOVES if to in MOVES[phase]) or "—") for phase in MOVES)
    return _table(("phase", "shown as", "may become"), rows)


def reasons() -> str:
    """List every reason, the phase it leads to, and whether a retry can help."""
    rows = ((r, r.final, "yes" if r.worth_retrying else "no", r.sentence) for r in Reason)
    return _table(("reason", "phase", "worth retrying", "in words"), rows)


def exit_codes() -> str:
    """List the exit codes of `sgw`."""
    return _table(("code", "meaning"), ((str(status.value), status.meaning) for status in ExitStatus))


def sbatch_options() -> str:
    """List every option of sbatch and what becomes of it."""
    return "\n".join(markdown_rows()) + "\n"


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "moves": moves,
    "reasons": reasons,
    "exit codes": exit_codes,
    "sbatch options": sbatch_options,
}


def main(paths: Iterable[str]) -> None:
    """Fill the files, or print all tables when there are none."""
    files = [Path(path) for path in paths]
    for path in files:
        path.write_text(fill(path.read_text()))
    if not files:
        sys.stdout.write("\n\n".join(map(_block, BLOCKS)) + "\n")


def _filled(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in BLOCKS:
        raise ValueError(f"there is no table {name!r}; there are {', '.join(BLOCKS)}")
    return _block(name)


def _block(name: str) -> str:
    return f"<!-- {name} -->\n{BLOCKS[name]()}<!-- /{name} -->"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = ((cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


if __name__ == "__main__":
    main(sys.argv[1:])
