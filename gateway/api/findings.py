"""Turn pydantic's errors into findings about fields that people know."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.errors import Detail
from gateway.wire import InputRequest, JobRequest, TenantRequest, TokenRequest, UserRequest

_SHOWN: Final = 60
"""Characters of a wrong value that are shown: enough to recognise it."""

_MODELS: Final = (JobRequest, InputRequest, TenantRequest, UserRequest, TokenRequest)
_KNOWN_FIELDS: Final = sorted({info.alias or name for model in _MODELS for name, info in model.model_fields.items()})


def findings(errors: Iterable[Mapping[str, Any]], body: object) -> tuple[Detail, ...]:
    """Describe what is wrong with a request, one finding per place.

    A field of several types (`memory` is a number or a text) fails once per type; those become one finding.
    """
    places: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        places.setdefault(_where(error, body), []).append(error)
    return tuple(_finding(where, found) for where, found in places.items())


def printable(text: str) -> str:
    """Replace what UTF-8 cannot carry: JSON may smuggle in half a character (`"\\ud800"`)."""
    return text.encode("utf-8", "replace").decode()


def _finding(where: str, errors: Sequence[Mapping[str, Any]]) -> Detail:
    first = errors[0]
    match first["type"]:
        case "missing":
            message, hint = "is needed", None
        case "extra_forbidden":
            message, hint = "there is no such field", _suggestion(str(first["loc"][-1]))
        case _:
            said = dict.fromkeys(_words(error) for error in errors)
            message, hint = f"{', or '.join(said)} (got {_shown(first['input'])})", None
    return Detail(where=printable(where), message=printable(message), hint=hint)


def _where(error: Mapping[str, Any], body: object) -> str:
    """Write a place as `inputs[0].from`, or as `query.limit` when it is not in the body.

    pydantic puts the names of a union's types between the fields; they are told apart by not being in the body.
    """
    loc, missing = error["loc"], error["type"] == "missing"
    if not loc or loc[0] != "body":
        return ".".join(part for part in loc if isinstance(part, str))
    path, value = "", body
    for part in loc[1:]:
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            path, value = f"{path}[{part}]", value[part]
        elif isinstance(value, dict) and (part in value or missing):
            path, value = f"{path}.{part}", value.get(part)
    return path.removeprefix(".") or "body"


def _words(error: Mapping[str, Any]) -> str:
    said = str(error["msg"]).removeprefix("Value error, ")
    expected = said.removeprefix("Input should ")
    return said if expected == said else f"must {expected}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value[: _SHOWN + 1]) if isinstance(value, str | bytes) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _suggestion(name: str) -> str:
    # `account` is a tenant's field: whoever wrote it in a job did not misspell it.
    others = [known for known in _KNOWN_FIELDS if known != name]
    close = difflib.get_close_matches(name[:_SHOWN], others, n=1)
    return f"Did you mean `{close[0]}`?" if close else "The fields are listed at /docs."
