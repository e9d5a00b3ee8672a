"""Read names, paths, choices and other values that stay text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_HOSTS = re.compile(r"[A-Za-z0-9._,\[\]-]+")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
MAIL_TYPES = (
    "NONE", "BEGIN", "END", "FAIL", "REQUEUE", "ALL", "INVALID_DEPEND", "STAGE_OUT", "TIME_LIMIT", "TIME_LIMIT_90",
    "TIME_LIMIT_80", "TIME_LIMIT_50", "ARRAY_TASKS",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """A list of node names, with ranges as Slurm writes them."""

    text: str

    @property
    def count(self) -> int:
        """How many names it stands for, duplicates counted twice."""
        flat = _BRACKETS.sub(lambda match: "*" + str(_numbers(match[1])), self.text)
        total = 0
        for part in flat.split(","):
            size = 1
            for factor in part.split("*")[1:]:
                size *= int(re.match(r"\d+", factor)[0])  # type: ignore[index]  # the line above put digits there
            total += size
        return total

    def __str__(self) -> str:
        return self.text


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


def parse_hosts(text: str) -> Hosts:
    """Take a node list. A path, which sbatch would read on the submitting host, is refused."""
    if "/" in text:
        raise BadValue("names a file on the submitting host", "list the nodes themselves (n[1-4],n7)")
    try:
        hosts = Hosts(text=text)
        if _HOSTS.fullmatch(text) and text.count("[") == text.count("]") and hosts.count <= 100_000:
            return hosts
    except ValueError:
        pass
    raise BadValue("not a list of nodes", "use names and ranges (n[1-4],n7)")


def parse_mail_types(text: str) -> str:
    """Take event names separated by commas, in any case. sbatch drops unknown ones when one is right; so not here."""
    for word in text.upper().split(","):
        if word not in MAIL_TYPES:
            raise BadValue(f"{word!r} is not an event", "use " + ", ".join(MAIL_TYPES))
    return text.upper()


def choice(*words: str, synonyms: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """Make a parser that takes one of `words` in any case, or a synonym of one."""
    known = {word.lower(): word for word in words} | dict(synonyms or {})

    def parse(text: str) -> str:
        if text.lower() not in known:
            raise BadValue(f"{text!r} is not one of the choices", "use " + " or ".join(words))
        return known[text.lower()]

    return parse


def matching(pattern: str, example: str) -> Callable[[str], str]:
    """Make a parser that takes text of one form."""
    form = re.compile(pattern, re.IGNORECASE | re.ASCII)

    def parse(text: str) -> str:
        if not form.fullmatch(text):
            raise BadValue("not of the expected form", f"for example {example}")
        return text

    return parse


def _numbers(ranges: str) -> int:
    total = 0
    for part in ranges.split(","):
        first, dash, last = part.partition("-")
        total += int(last) - int(first) + 1 if dash else len(str(int(first))) > 0
    return total
