"""Describe one option of sbatch, and find options by the names people type."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Argument(StrEnum):
    """Whether an option takes a value; an optional one only as `--name=value`."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class Treatment(StrEnum):
    """What becomes of an option that a tenant sets."""

    ALLOWED = "allowed"
    """Passed to sbatch as given."""
    MAPPED = "mapped"
    """Read into a typed field; the gateway decides what sbatch gets."""
    GATEWAY = "gateway"
    """Set by the gateway; the tenant's value is ignored with a warning."""
    CLIENT = "client"
    """Means something to the command that submits, nothing to the job."""
    REFUSED = "refused"
    """An error, with the reason."""
    SPANK = "spank"
    """An option of a Slurm plug-in: an error unless the site allows it by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What sort of value an option takes: how it is called in help, and how text becomes a value.

    `parse` raises BadValue; `str()` of what it returns is the canonical text for sbatch.
    """

    metavar: str
    parse: Callable[[str], object]
    longest: int = 1024
    plain: bool = True
    """One line of text without control characters; only the body of a script is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table."""

    name: str
    short: str = ""
    aliases: tuple[str, ...] = ()
    argument: Argument = Argument.REQUIRED
    kind: Kind | None = None
    """None for an option without a value, and where the value is never looked at."""
    bare: str = ""
    """What leaving out an optional value means, spelled as a value."""
    treatment: Treatment = Treatment.ALLOWED
    help: str
    reason: str = ""
    """For people: why it is refused, or who sets it instead."""
    feeds: str = ""
    """The field of `Directives` (or of `ClientFlags`) that receives the value."""
    repeats: bool = False
    """Every occurrence counts, not only the last one."""
    since: str = ""
    """The Slurm release that brought it; empty for 22.05 and before."""


class OptionTable:
    """Options by long name, unambiguous prefix and letter, with the rules of getopt_long."""

    def __init__(self, options: Iterable[Option]) -> None:
        self.options = tuple(options)
        self._exact = {name: o for o in self.options for name in (o.name, *o.aliases)}
        self._letters = {o.short: o for o in self.options if o.short}
        prefixable = [(n, o) for n, o in self._exact.items() if o.treatment is not Treatment.SPANK]
        self._sorted = tuple(sorted(prefixable, key=lambda pair: pair[0]))

    def named(self, text: str) -> dict[str, Option]:
        """Return the options `--text` may stand for: one when it is clear, several when it is not.

        An exact name wins. A prefix that was clear in Slurm 22.05 stays clear although later releases brought
        more options with it, because scripts outlive releases. Plug-ins' options must be written out.
        """
        if text in self._exact:
            return {text: self._exact[text]}
        matches = {name: option for name, option in self._sorted if name.startswith(text)}
        established = {name: option for name, option in matches.items() if not option.since}
        matches = established or matches
        if len({id(option) for option in matches.values()}) == 1:
            return dict([next(iter(matches.items()))])
        return matches

    def lettered(self, letter: str) -> Option | None:
        """Return the option with this short form."""
        return self._letters.get(letter)

    @property
    def names(self) -> tuple[str, ...]:
        """Every long name, aliases too, sorted."""
        return tuple(sorted(self._exact))
