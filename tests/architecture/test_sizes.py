"""Keep modules short, named after what they own, and introduced by one sentence."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, below, module, modules

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40
ESCAPE = re.compile(r"# long: \S+ \S+")
"""On the line of a `def`, with a reason: `# long: one table, read top-down`."""
NO_NAMES = {"utils", "util", "helpers", "common", "manager", "base", "misc", "handler", "handlers"}
SCHEMA = "gateway/db/migrations/versions/"
"""A migration lists tables, as long as it takes."""


def too_long(mod: Module) -> Iterator[str]:
    if mod.text.count("\n") > MOST_LINES:
        yield f"{mod.path}: {mod.text.count(chr(10))} lines; {MOST_LINES} are the most, split it by what it owns"
    for node in ast.walk(mod.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION and not ESCAPE.search(mod.line(node.lineno)):
                yield f"{mod.at(node)}: {node.name} has {lines} lines; {MOST_LINES_OF_A_FUNCTION} are the most"


def nameless(mod: Module) -> Iterator[str]:
    words = mod.path.removesuffix(".py").split("/")
    yield from (f"{mod.path}: {word!r} says nothing; name what it owns" for word in words if word in NO_NAMES)


def unintroduced(mod: Module) -> Iterator[str]:
    first = (ast.get_docstring(mod.tree) or "").partition("\n")[0]
    if not first and not (mod.path.endswith("__init__.py") and not mod.text.strip()):
        yield f"{mod.path}: has no docstring that says what it owns"
    if first and not re.search(r"[.:]( |$)", first):
        yield f"{mod.path}: the docstring's first line is no whole sentence: {first!r}"


def test_no_module_or_function_is_too_long():
    assert [line for mod in modules() if not mod.path.startswith(SCHEMA) for line in too_long(mod)] == []


def test_every_module_is_named_after_what_it_owns():
    assert [line for mod in modules() for line in nameless(mod)] == []


def test_every_module_says_in_one_sentence_what_it_owns():
    assert [line for mod in modules() for line in unintroduced(mod)] == []


def test_no_relative_import_hides_where_a_name_comes_from():
    levels = ((mod, node) for mod in below("") for node in ast.walk(mod.tree) if isinstance(node, ast.ImportFrom))
    assert [mod.at(node) for mod, node in levels if node.level] == []


@pytest.mark.parametrize(
    ("rule", "mod"),
    [
        (too_long, module("x = 1\n" * 401)),
        (too_long, module("def f():\n" + "    x = 1\n" * 40)),
        (too_long, module("def f():  # long:\n" + "    x = 1\n" * 40)),
        (nameless, module("", "gateway/jobs/utils.py")),
        (nameless, module("", "gateway/common/jobs.py")),
        (unintroduced, module("x = 1")),
        (unintroduced, module('"""Say something that goes on\n\nand on."""')),
    ],
)
def test_each_rule_finds_what_breaks_it(rule, mod):
    assert list(rule(mod))


def test_a_long_function_may_say_why():
    assert not list(too_long(module("def f():  # long: one table, read top-down\n" + "    x = 1\n" * 50)))
