"""Fit what other sites' scripts ask for to this tenant: its account, its partitions, its directories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import isabs, join, normpath

from gateway.directives.diagnostics import Diagnostic, error, warning
from gateway.directives.directives import Directives

_WHERE = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRules:
    """What a tenant has here."""

    account: str
    """The tenant's Slurm account."""
    partitions: Mapping[str, str]
    """Partition by every name the tenant may use for it, its own name too."""
    default_partition: str
    qos: frozenset[str] | None = None
    """The names that may be used; None leaves it to Slurm."""
    allowed_dirs: tuple[str, ...] = ()
    """Absolute directories in which output files may be written."""
    strict: bool = field(default=False, kw_only=True)
    """Refuse what would otherwise be replaced with a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Directives that fit the site, and what was changed for that; in strict mode the changes are errors."""

    directives: Directives
    warnings: tuple[Diagnostic, ...]
    errors: tuple[Diagnostic, ...]


def fit_to_site(directives: Directives, rules: SiteRules) -> Fitted:
    """Replace a foreign account, partition, QOS or output path.

    A third of all scripts set an account, more than half a partition and an output file, written for elsewhere;
    they shall just run. Afterwards `account` and one partition are set, and an output path is either absolute, inside
    an allowed directory, or relative and meant in the job's own directory.
    """
    changes: list[tuple[str, str, str]] = []
    if directives.account not in {None, rules.account}:
        changes.append(("account", f"--account={directives.account}: not your account", f"{rules.account} is used"))
    partition = _partition(directives.partitions, rules)
    if partition is None:
        partition = rules.default_partition
        if directives.partitions:
            asked = ",".join(directives.partitions)
            known = ", ".join(sorted(rules.partitions))
            changes.append(("partition", f"--partition={asked}: not here; there are {known}", f"{partition} is used"))
    qos = directives.qos
    if qos is not None and rules.qos is not None and qos not in rules.qos:
        changes.append(("qos", f"--qos={qos}: not one of yours", "the default is used"))
        qos = None
    paths: dict[str, str | None] = {}
    for name, path in (("output", directives.output), ("error", directives.error)):
        paths[name] = path and _file(path, directives.chdir, rules.allowed_dirs)
        if path and paths[name] is None:
            paths[name] = normpath("/" + path).rpartition("/")[2] or None
            changes.append(
                (name, f"--{name}={path}: outside of your directories", f"{paths[name]} in the job's directory is used")
            )
    fitted = replace(
        directives,
        account=rules.account,
        partitions=(partition,),
        qos=qos,
        output=paths["output"],
        error=paths["error"],
    )
    return _report(fitted, changes, strict=rules.strict)


def _report(directives: Directives, changes: Sequence[tuple[str, str, str]], *, strict: bool) -> Fitted:
    make = error if strict else warning
    found = tuple(make(_WHERE, message, None if strict else hint, option=name) for name, message, hint in changes)
    return Fitted(directives=directives, warnings=() if strict else found, errors=found if strict else ())


def _partition(asked: Sequence[str], rules: SiteRules) -> str | None:
    """Return the first partition of a list that is known here."""
    return next((rules.partitions[name] for name in asked if name in rules.partitions), None)


def _file(path: str, chdir: str | None, allowed: Sequence[str]) -> str | None:
    """Return where the file goes, None when it may not go there. Patterns (%j, %x) stay; nothing is expanded.

    This keeps honest scripts working and decides no permission: the job writes as its own Unix user.
    """
    if path == "/dev/null":
        return path
    full = normpath(join(chdir or "", path))
    if not isabs(full):
        return None if full.split("/")[0] == ".." else full
    return full if any(full.startswith(normpath(root).rstrip("/") + "/") for root in allowed) else None
