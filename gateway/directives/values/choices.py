"""Read values that must be one of a few words, or of one form."""

import re
from collections.abc import Callable, Mapping

from gateway.directives.diagnostics import BadValue

MAIL_TYPES = (
    "NONE", "BEGIN", "END", "FAIL", "REQUEUE", "ALL", "INVALID_DEPEND", "STAGE_OUT", "TIME_LIMIT", "TIME_LIMIT_90",
    "TIME_LIMIT_80", "TIME_LIMIT_50", "ARRAY_TASKS",
)  # fmt: skip


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


def parse_mail_types(text: str) -> str:
    """Take event names separated by commas, in any case. sbatch drops unknown ones when one is right; so not here."""
    for word in text.upper().split(","):
        if word not in MAIL_TYPES:
            raise BadValue(f"{word!r} is not an event", "use " + ", ".join(MAIL_TYPES))
    return text.upper()
