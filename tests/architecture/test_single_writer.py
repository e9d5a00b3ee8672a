"""Only `gateway/jobs/lifecycle.py` changes the state of jobs, steps and attempts."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, below, dotted, imported, module

WRITER = "gateway/jobs/lifecycle.py"
GUARDED_TABLES = {"jobs", "steps", "attempts"}
GUARDED_COLUMNS = {"state", "phase", "reason", "tries", "attempt_id", "version"}
SCHEMA = "gateway/db/migrations/"
"""Migrations define tables and write no row."""


def violations(mod: Module) -> list[str]:
    """Find everything in a module that writes, or could write, what only the writer may."""
    return [f"{mod.at(node)}: {problem}" for node, problem in _violations(mod)]


def _violations(mod: Module) -> Iterator[tuple[ast.AST, str]]:
    aliases = _aliases(mod.tree)
    parents = {child: node for node in ast.walk(mod.tree) for child in ast.iter_child_nodes(node)}
    for name, node in imported(mod.tree):
        if name.startswith("sqlalchemy.orm") or (
            name.startswith("sqlmodel") and not mod.path.startswith("gateway/db/")
        ):
            yield node, f"imports {name}: an ORM object's attribute is a second door to the state"
    for node in ast.walk(mod.tree):
        if not isinstance(node, ast.Call):
            continue
        function = dotted(node.func).rsplit(".", 1)[-1]
        if function in {"text", "exec_driver_sql"} and _writes_in_words(node):
            yield node, "writes a guarded table in SQL text"
        if function not in {"update", "insert", "delete"} or (table := _table(node, aliases)) is None:
            continue
        if function != "update":
            yield node, f"{function}s rows of {table}"
            continue
        if (values := _values_call(node, parents)) is None:
            yield node, f"updates {table} without .values(…), so nobody can see what"
            continue
        written = {keyword.arg for keyword in values.keywords if keyword.arg}
        if any(keyword.arg is None for keyword in values.keywords):
            # The mapping comes from somewhere: no dictionary of this module may name a guarded column.
            written |= _dictionary_keys(mod.tree)
        if values.args:
            yield values, f"updates {table} from a mapping; write the columns out"
        if guarded := written & GUARDED_COLUMNS:
            yield values, f"updates {', '.join(sorted(guarded))} of {table}"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Find the names that a module gives to guarded tables: `t = tables.jobs`, or an import of one."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "gateway.db.tables":
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in GUARDED_TABLES}
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=False))
                for name, value in pairs:
                    table = dotted(value).removeprefix("tables.")
                    if isinstance(name, ast.Name) and table in GUARDED_TABLES:
                        aliases[name.id] = table
    return aliases


def _table(call: ast.Call, aliases: dict[str, str]) -> str | None:
    """Return the guarded table that `X.update()` or `sa.update(X)` is about."""
    subjects = [*call.args[:1], *([call.func.value] if isinstance(call.func, ast.Attribute) else [])]
    for subject in map(dotted, subjects):
        name = subject.rsplit(".", 1)[-1]
        if subject in aliases:
            return aliases[subject]
        if name in GUARDED_TABLES and "tables" in subject.split("."):
            return name
    return None


def _values_call(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> ast.Call | None:
    """Follow `.where(…).values(…)` outward from the call that begins the statement."""
    node: ast.AST = call
    while isinstance(parent := parents.get(node), ast.Attribute | ast.Call):
        if isinstance(parent, ast.Call) and parent.func is not node:
            return None
        if isinstance(parent, ast.Call) and isinstance(node, ast.Attribute) and node.attr == "values":
            return parent
        node = parent
    return None


def _dictionary_keys(tree: ast.Module) -> set[str]:
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def _writes_in_words(call: ast.Call) -> bool:
    match call.args[:1]:
        case [ast.Constant(value=str(text))]:
            words = text.lower().replace('"', "").split()
            return words[:1] in (["update"], ["insert"], ["delete"]) and not GUARDED_TABLES.isdisjoint(words[:4])
        case _:
            return False


def test_nobody_else_writes_state():
    found = [
        line for mod in below("gateway/") if mod.path != WRITER and SCHEMA not in mod.path for line in violations(mod)
    ]
    assert found == []


def test_the_facts_of_an_outcome_hold_no_state():
    """`facts.outcome` writes a mapping that `controller/ending.py` makes."""
    [ending] = below("gateway/controller/ending.py")
    assert not _dictionary_keys(ending.tree) & GUARDED_COLUMNS


def test_the_writer_itself_would_be_found():
    [writer] = below(WRITER)
    assert any("updates attempt_id, phase, reason, tries, version of steps" in line for line in violations(writer))


@pytest.mark.parametrize(
    "text",
    [
        "tables.steps.update().where(x).values(phase='RUNNING')",
        "t = tables.jobs\nt.update().values(due_at=1, state='FAILED')",
        "s, a = tables.steps, tables.attempts\na.update().where(x).values(reason=r).returning(y)",
        "from gateway.db.tables import jobs as j\nj.insert().values(name=1)",
        "tables.attempts.insert()",
        "execute(tables.steps.delete().where(x))",
        "sa.update(tables.steps).values(version=1)",
        "db.tables.steps.update().values(tries=0)",
        "statement = tables.steps.update().where(x)",
        "execute(tables.jobs.update(), rows)",
        "tables.jobs.update().values({'state': 1})",
        "def f(v):\n    tables.jobs.update().values(**v)\nf({'phase': 1})",
        "sa.text('UPDATE jobs SET state = 1')",
        "connection.exec_driver_sql('insert into \"steps\" values (1)')",
        "from sqlalchemy.orm import Session",
        "from sqlmodel import Session",
    ],
)
def test_another_writer_is_found(text):
    assert violations(module(text))


@pytest.mark.parametrize(
    "text",
    [
        "tables.steps.update().where(s.phase == 'PENDING').values(due_at=now, lease_holder=None)",
        "tables.tasks.insert().values(phase='RUNNING')",
        "names.update()\nphases = {}\nphases.update({'phase': 1})",
        "sa.text('SELECT phase FROM jobs')",
    ],
)
def test_facts_and_reads_are_not_taken_for_a_writer(text):
    assert violations(module(text)) == []
