"""Turn pydantic's errors into findings about fields that people know."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.errors import Detail
from gateway.wire import InputRequest, JobRequest, TenantRequest, TokenRequest, UserRequest

_SHOWN: Final = 60
"""Characters of a wrong value that are shown: enough to recognise it."""

_KNOWN_FIELDS: Final = sorted(
    {
        info.alias or name
        for model in (JobRequest, InputRequest, TenantRequest, UserRequest, TokenRequest)
        for name, info in model.model_fields.items()
    }
)


def findings(errors: Iterable[Mapping[str, Any]], body: object) -> tuple[Detail, ...]:
    """Describe what is wrong with a request, one finding per place.

    A field of several types (`memory` is a number or a text) fails once per type; those become one finding.
    """
    messages: dict[str, list[str]] = {}
    hints: dict[str, str] = {}
    for error in errors:
        where = _where(error["loc"], body)
        message = _message(error)
        if message not in messages.setdefault(where, []):
            messages[where].append(message)
        if error["type"] == "extra_forbidden":
            hints[where] = _suggestion(str(error["loc"][-1]))
    return tuple(
        Detail(where=printable(where), message=printable(", or ".join(found)), hint=hints.get(where))
        for where, found in messages.items()
    )


def printable(text: str) -> str:
    """Replace what UTF-8 cannot carry: JSON may smuggle in half a character (`"\\ud800"`)."""
    return text.encode("utf-8", "replace").decode()


def _where(loc: Sequence[int | str], body: object) -> str:
    """Write a place as `inputs[0].from`, or as `query.limit` when it is not in the body.

    pydantic puts the names of a union's types between the fields; they are told apart by not being in the body.
    """
    if not loc or loc[0] != "body":
        return ".".join(str(part) for part in loc)
    path, value = "", body
    for number, part in enumerate(loc[1:], start=1):
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            path, value = f"{path}[{part}]", value[part]
        elif isinstance(value, dict) and (part in value or number == len(loc) - 1):
            path, value = f"{path}.{part}", value.get(part)
    return path.removeprefix(".") or "body"


def _message(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return "is needed"
        case "extra_forbidden":
            return "there is no such field"
        case "string_unicode":
            return "must be text that UTF-8 can carry"
    said = str(error["msg"]).removeprefix("Value error, ")
    said = said.removeprefix("Input should ").removeprefix("be ") if said.startswith("Input should be ") else said
    said = f"must be {said}" if str(error["msg"]).startswith("Input should be ") else said
    return f"{said} (got {_shown(error['input'])})"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value[: _SHOWN + 1]) if isinstance(value, str | bytes) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name[:_SHOWN], _KNOWN_FIELDS, n=1)
    return f"Did you mean `{close[0]}`?" if close else "The fields are listed at /docs."
