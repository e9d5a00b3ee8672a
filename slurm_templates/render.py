"""Render a template to the text of a batch script, with every value quoted for the shell by default."""

import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2


class Raw(str):
    """Text that is already shell, such as a command line its tenant wrote. Nothing else may go in unquoted."""

    __slots__ = ()


class TemplateError(ValueError):
    """A template was given a value it cannot take."""


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """Render `template` (a name below this package, such as `runtimes/mpi.sbatch.j2`) with `values`.

    Every `{{ value }}` arrives as exactly one shell word, whatever it holds; a list arrives as its words. Raises
    TemplateError for a value that is missing, or that no shell word can hold (NUL).
    """
    try:
        return _environment().get_template(template).render(values).encode("utf-8", "surrogateescape")
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{template}: {error.message}") from error


def quote(value: object) -> str:
    """Turn a value into shell text: one word, or the words of a list."""
    match value:
        case Raw():
            return str(value)
        case list() | tuple():
            return " ".join(quote(item) for item in value)
        case bool() | None:
            raise TemplateError(f"a shell word cannot be {value!r}")
        case int() | float():
            return str(value)
        case str():
            if "\0" in value:
                raise TemplateError("a shell word cannot hold a NUL character")
            return shlex.quote(value)
        case _:
            raise TemplateError(f"a shell word cannot be a {type(value).__name__}")


def comment(value: object) -> str:
    """Make a value safe to stand in a comment line: printable, on one line, at most 200 characters."""
    text = "".join(char if char.isprintable() else "?" for char in str(value))
    return text if len(text) <= 200 else text[:199] + "…"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("slurm_templates", "."),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - HTML escaping would corrupt a script; `finalize` quotes for the shell instead
        finalize=quote,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["comment"] = lambda value: Raw(comment(value))
    return environment
