"""Read the project's own source as syntax trees, once for all architecture tests."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = ("slurm_templates", "quota", "staging", "logs")
PACKAGES = ("gateway", *LIBRARIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file."""

    path: str
    """From the project's root, with `/`."""
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """Say where a node is, as an editor understands it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1."""
        return self.text.splitlines()[number - 1]


def module(text: str, path: str = "gateway/example.py") -> Module:
    """Make a module of a text: the tests' own bad examples."""
    return Module(path=path, text=text, tree=ast.parse(text))


@cache
def modules() -> tuple[Module, ...]:
    """Return every module that ships."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(module(path.read_text(), path.relative_to(ROOT).as_posix()) for path in paths)


def below(*folders: str) -> list[Module]:
    """Return the modules whose path begins with one of these, e.g. `gateway/cli/` or `gateway/client.py`."""
    return [each for each in modules() if each.path.startswith(folders)]


def imported(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """List the full names of the modules that a tree imports, inside of functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ".", node


def dotted(node: ast.AST) -> str:
    """Write a chain of names and attributes as text, calls left out: `self._transport.submit`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case ast.Call(func=func):
            return dotted(func)
        case _:
            return "?"


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return every file that is in the repository or would be with `git add`."""
    # The owner is not checked: with sudo, root tests a checkout that belongs to somebody else.
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip(f"not a git checkout: {listed.stderr.decode()[:200]}")
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file())
