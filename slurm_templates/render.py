"""Render a template to the text of a batch script, with every value quoted for the shell by default."""

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jinja2


class Raw(str):
    """Text that is already shell, such as a command line its tenant wrote. Nothing else may go in unquoted."""

    __slots__ = ()


class TemplateError(ValueError):
    """A template was given a value it cannot take."""


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """Render `template` (a name below this package, such as `runtimes/mpi.sbatch.j2`) with `values`.

    Every `{{ value }}` arrives as exactly one shell word on the same line, whatever it holds; a list arrives as its
    words. Raises TemplateError for a value that is missing, or that no shell word can hold (NUL, half a character).
    """
    try:
        return _environment().get_template(template).render(values).encode("utf-8", "surrogateescape")
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{template}: {error.message}") from error
    except UnicodeEncodeError as error:
        raise TemplateError(f"a script cannot hold the lone surrogate {error.object[error.start]!a}") from error


def quote(value: object) -> str:
    """Turn a value into shell text: one word, or the words of a list."""
    match value:
        case jinja2.Undefined():
            return str(value)  # raises jinja2's UndefinedError, which names it
        case str() if "\0" in value:
            raise TemplateError("a script cannot hold a NUL character")
        case Raw():
            return str(value)
        case str() if _CONTROL.search(value):
            return _ansi_c(value)
        case list() | tuple():
            return " ".join(quote(item) for item in value)
        case bool() | None:
            raise TemplateError(f"a shell word cannot be {value!r}")
        case int() | float():
            return str(value)
        case str():
            return shlex.quote(value)
        case _:
            raise TemplateError(f"a shell word cannot be a {type(value).__name__}")


def comment(value: object) -> str:
    """Make a value safe to stand in a comment line: printable, on one line, at most 200 characters."""
    text = "".join(char if char.isprintable() else "?" for char in str(value))
    return text if len(text) <= 200 else text[:199] + "…"


_CONTROL: Final = re.compile(r"[\x01-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"[\x01-\x1f\x7f'\\]")


def _ansi_c(value: str) -> str:
    """Quote as `$'a\\012b'`, which is bash's and not sh's.

    Plain quotes would let a value span lines, and lines of a script mean something to others than the shell: the
    parser repairs `\\r\\n`, inside of quotes too, and reads what begins with `#SBATCH`.
    """
    return "$'" + _ESCAPED.sub(lambda match: f"\\{ord(match[0]):03o}", value) + "'"


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
