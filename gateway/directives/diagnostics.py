"""Say what is wrong with a script or a command line: where, what, and what to do."""

from dataclasses import dataclass
from typing import Literal

from gateway.errors import Detail

COMMAND_LINE = "command line"
_LONGEST = 400


class BadValue(ValueError):
    """The text is not a value of the kind that the option takes."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding; an error stops the submission, a warning tells what was changed or ignored."""

    severity: Literal["error", "warning"]
    where: str
    """`line 3`, `command line` or `script`."""
    message: str
    hint: str | None = None
    option: str | None = None
    """The option's long name without dashes, if the finding is about one that is known."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" — {self.hint}" if self.hint else "")

    @property
    def detail(self) -> Detail:
        """The finding as part of a problem document."""
        return Detail(where=self.where, message=self.message, hint=self.hint)


def error(where: str, message: str, hint: str | None = None, *, option: str | None = None) -> Diagnostic:
    """Make a finding that stops the submission."""
    return Diagnostic(
        severity="error", where=where, message=_legible(message), hint=hint and _legible(hint), option=option
    )


def warning(where: str, message: str, hint: str | None = None, *, option: str | None = None) -> Diagnostic:
    """Make a finding that the submission survives."""
    return Diagnostic(
        severity="warning", where=where, message=_legible(message), hint=hint and _legible(hint), option=option
    )


def _legible(text: str) -> str:
    """Escape what a terminal would obey and cut what nobody reads: findings quote what strangers wrote."""
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST])
    return escaped if len(text) <= _LONGEST else f"{escaped}…"
