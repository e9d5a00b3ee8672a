"""Read names, paths and free text."""

import re

from gateway.directives.diagnostics import BadValue

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


def check_plain(text: str, longest: int) -> None:
    """Raise BadValue unless `text` may stand in one argument of a command, in a log line and in a database."""
    if _NOT_UTF8.search(text):
        raise BadValue("not valid UTF-8", "save the script as UTF-8")
    if match := _UNSAFE.search(text):
        raise BadValue(f"contains the control character {match[0]!a}", "remove it")
    if len(text) > longest:
        raise BadValue(f"{len(text)} characters long; the limit is {longest}")


def parse_text(text: str) -> str:
    """Take any text, also none."""
    return text


def parse_some_text(text: str) -> str:
    """Take any text but none."""
    if not text.strip():
        raise BadValue("empty", "give a value or remove the option")
    return text


def parse_name(text: str) -> str:
    """Take one name, as of an account: no blanks, no commas."""
    if not re.fullmatch(r"[^\s,]+", text):
        raise BadValue("not a name", "names have no blanks and no commas")
    return text


def parse_names(text: str) -> tuple[str, ...]:
    """Take names separated by commas; empty ones are dropped."""
    return tuple(parse_name(name) for name in parse_some_text(text).split(",") if name)


def parse_path(text: str) -> str:
    """Take a path or a pattern of one; `none` is /dev/null, as for sbatch. Nothing is expanded."""
    return "/dev/null" if parse_some_text(text).lower() == "none" else text
