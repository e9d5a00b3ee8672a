"""Wait for nothing outside of the database while a transaction is open: its locks make everybody wait."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, below, dotted, module

ELSEWHERE = re.compile(
    r"(^|\.)_?(transports?|runner|helper|redis|notices|queue|relay|httpx|subprocess|socket|requests|sessions)(\.|$)"
    r"|(^|\.)(sleep|open|urlopen|read_text|write_text|read_bytes|write_bytes|result|join_thread)$"
)
"""What takes its time: the cluster, the helper, Redis, other processes, files, threads."""


def waits(mod: Module) -> list[str]:
    """Find calls to the world outside inside of `with ….begin()`, and in functions that are given a transaction."""
    return [
        f"{mod.at(call)}: {dotted(call.func)}() while a transaction is open"
        for block in _open_transactions(mod.tree)
        for call in ast.walk(block)
        if isinstance(call, ast.Call) and ELSEWHERE.search(dotted(call.func))
    ]


def _open_transactions(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(_begins(item.context_expr) for item in node.items):
            yield from node.body
        if isinstance(node, ast.FunctionDef) and any(_is_transaction(arg) for arg in node.args.args):
            yield from node.body


def _begins(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call) and dotted(expression.func).endswith((".begin", ".read", ".savepoint"))


def _is_transaction(argument: ast.arg) -> bool:
    return argument.annotation is not None and ast.unparse(argument.annotation).strip("'\"").endswith("Transaction")


def test_no_transaction_waits_for_the_world():
    assert [line for mod in below("gateway/") for line in waits(mod)] == []


@pytest.mark.parametrize(
    "text",
    [
        "with self._database.begin() as transaction:\n    self._transport.submit(order)",
        "with services.database.begin() as t:\n    if x:\n        time.sleep(1)",
        "with database.read() as connection:\n    services.runner.run(argv)",
        "def f(transaction: Transaction):\n    return services.transport(cluster).observe()",
        "def f(transaction: 'Transaction'):\n    path.write_text('x')",
    ],
)
def test_waiting_is_found(text):
    assert waits(module(text))


def test_waiting_before_and_after_is_fine():
    text = "found = transport.observe()\nwith database.begin() as t:\n    t.execute(x)\nredis.publish(found)"
    assert waits(module(text)) == []
