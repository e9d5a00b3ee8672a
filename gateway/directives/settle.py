"""Turn the options that were found into typed fields and settings, the last one winning."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.directives.diagnostics import COMMAND_LINE, BadValue, Diagnostic, error, warning
from gateway.directives.directives import Setting
from gateway.directives.getopt import Found
from gateway.directives.options import Argument, Treatment
from gateway.directives.values.arrays import ArraySpec
from gateway.directives.values.words import check_plain

_ONLY_ON_COMMAND_LINE = frozenset({"help", "usage", "version", "quiet", "verbose", "wrap"})
"""sbatch reads these in its first pass, which does not look into the script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a site allows beyond the table."""

    spank_allowed: frozenset[str] = frozenset()
    """Long names of plug-ins' options that may pass."""
    max_array_size: int = 1001
    """Slurm's MaxArraySize: indexes stay below it, and so does the number of tasks."""
    max_script_bytes: int = 4 * 1024 * 1024
    """Slurm's max_script_size."""


@dataclass(slots=True, kw_only=True)
class Settled:
    """What the options add up to; the keys of `fields` are Directives', those of `client` are ClientFlags'."""

    fields: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    passthrough: dict[tuple[str, str | None], Setting] = field(default_factory=dict)
    """By name, and by name and text where every occurrence counts; the order is that of the last mention."""
    problems: list[Diagnostic] = field(default_factory=list)


def settle(found: Iterable[Found], policy: Policy) -> Settled:
    """Judge and type every option in turn. One that is overridden later must be right too, as in sbatch."""
    settled = Settled()
    for item in found:
        if problem := _judge(item, policy):
            settled.problems.append(problem)
            continue
        try:
            _accept(item, settled, policy)
        except BadValue as bad:
            settled.problems.append(error(item.where, f"{_shown(item)}: {bad}", bad.hint, option=item.option.name))
    return settled


def _judge(item: Found, policy: Policy) -> Diagnostic | None:
    """Say why an option is refused or ignored whatever its value; None when it counts."""
    option, where = item.option, item.where
    match option.treatment:
        case Treatment.REFUSED:
            return error(where, f"option '--{option.name}' is not allowed", option.reason, option=option.name)
        case Treatment.SPANK if option.name not in policy.spank_allowed:
            hint = f"it belongs to a plug-in ({option.help}) that this site does not offer"
            return error(where, f"option '--{option.name}' is not available", hint, option=option.name)
        case Treatment.GATEWAY:
            return warning(where, f"option '--{option.name}' is ignored", option.reason, option=option.name)
        case Treatment.CLIENT if where != COMMAND_LINE and option.name in _ONLY_ON_COMMAND_LINE:
            return warning(where, f"option '--{option.name}' means nothing in a script", option=option.name)
        case _:
            return None


def _accept(item: Found, settled: Settled, policy: Policy) -> None:
    option = item.option
    value, text = _value(item, policy)
    if option.treatment is Treatment.CLIENT:
        settled.client[option.feeds] = value
        return
    if option.feeds:
        settled.fields[option.feeds] = value
    if option.treatment is Treatment.MAPPED:
        return
    key = (option.name, text if option.repeats else None)
    settled.passthrough.pop(key, None)
    settled.passthrough[key] = Setting(name=option.name, text=text)


def _value(item: Found, policy: Policy) -> tuple[object, str | None]:
    """Return the typed value and its canonical text; raises BadValue."""
    option = item.option
    if option.argument is Argument.NONE or option.kind is None:
        return True, None
    text = option.bare if item.text is None else item.text
    if option.kind.plain:
        check_plain(text, option.kind.longest)
    value = option.kind.parse(text)
    if isinstance(value, ArraySpec) and value.largest >= policy.max_array_size:
        raise BadValue(
            f"index {value.largest} is too large, the largest is {policy.max_array_size - 1}",
            "split the array",
        )
    return value, str(value)


def _shown(item: Found) -> str:
    text = item.text or ""
    return f"--{item.option.name}={text if len(text) <= 60 else text[:60] + '…'}"
