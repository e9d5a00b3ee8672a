"""Hold the tables in documents to the code they describe."""

import re

import pytest

from gateway import reference
from gateway.states import MOVES, Phase
from tests.architecture.source import ROOT, tracked_files

DOCUMENTS = [path for path in tracked_files() if path.suffix == ".md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.relative_to(ROOT).as_posix() for path in DOCUMENTS])
def test_the_tables_of_a_document_are_the_codes(path):
    text = path.read_text()
    assert reference.fill(text) == text, f"run: python -m gateway.reference {path.relative_to(ROOT)}"


@pytest.mark.parametrize("name", ["moves", "exit codes"])
def test_the_readme_has_the_table(name):
    assert f"<!-- {name} -->" in (ROOT / "README.md").read_text()


def test_a_block_is_filled_and_the_rest_is_left_alone():
    filled = reference.fill("before\n<!-- moves -->\nold\n<!-- /moves -->\nafter <!-- a remark -->\n")
    assert filled == f"before\n<!-- moves -->\n{reference.moves()}<!-- /moves -->\nafter <!-- a remark -->\n"
    assert reference.fill(filled) == filled


def test_an_unknown_block_is_named():
    with pytest.raises(ValueError, match="no table 'movies'"):
        reference.fill("<!-- movies -->\n<!-- /movies -->")


def test_the_table_of_moves_has_every_move():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in reference.moves().splitlines()[2:]]
    written = {Phase(row[0]): {Phase(word) for word in re.findall(r"[A-Z]+", row[2])} for row in rows}
    assert written == {phase: set(to) for phase, to in MOVES.items()}


def test_no_cell_of_a_table_breaks_it():
    for name, render in reference.BLOCKS.items():
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in render().splitlines()}
        assert len(widths) == 1, name
