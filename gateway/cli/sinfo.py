"""Show the pools of nodes the way Slurm's sinfo shows partitions."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.cli.columns import Column, parse_format, queue_cell
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.listing import names_of
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import coloured
from gateway.cli.times import queue_duration
from gateway.wire import NodePool, NodePoolList

HELP = """Show the pools of nodes that jobs can ask for with --partition, as sinfo does.

The gateway counts nodes, it does not name them: the column NODELIST stays n/a."""

DEFAULT: Final = "%9P %.5a %.10l %.6D %.6t %N"
SUMMARY: Final = "%9P %.5a %.10l %.16F %N"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Nodes of one pool in one state."""

    pool: NodePool
    state: str
    nodes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-p", "--partition", action="append", metavar="NAMES", help="only these pools")
    add("-s", "--summarize", action="store_true", help="one line for each pool")
    add("-h", "--noheader", action="store_true", help="print no header line")
    add(
        "-o",
        "--format",
        metavar="FORMAT",
        help="fields as in sinfo(1), such as '%%P %%a %%l %%D %%t %%C'",
    )
    for ignored in (("-a", "--all"), ("-v", "--verbose"), ("-e", "--exact")):
        add(*ignored, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, env: Environment) -> int:
    prefix, columns = _columns(args)
    chosen = names_of(args.partition)
    pools = tuple(p for p in connect(env).nodepools().items if not chosen or p.name in chosen or p.partition in chosen)
    if args.json:
        env.say(NodePoolList(items=pools).model_dump_json(indent=2))
        return ExitStatus.OK
    if not args.noheader:
        env.say(prefix + "".join(queue_cell(_FIELDS[c.letter].header, c) + c.suffix for c in columns))
    by_state = any(column.letter in "tT" for column in columns)
    for pool in pools:
        for group in _groups(pool) if by_state else [_Group(pool=pool, state="", nodes=pool.nodes)]:
            env.say(prefix + "".join(_cell(group, column, env) for column in columns))
    unknown = chosen - {pool.name for pool in pools} - {pool.partition for pool in pools}
    for name in sorted(unknown):
        env.warn(f"error: there is no pool {name!r}")
    return ExitStatus.NOT_FOUND if unknown else ExitStatus.OK


def _columns(args: argparse.Namespace) -> tuple[str, tuple[Column, ...]]:
    try:
        prefix, columns = parse_format(args.format or (SUMMARY if args.summarize else DEFAULT))
    except ValueError as error:
        raise UsageError(f"--format: {error}", see="sgw sinfo") from error
    for column in columns:
        if column.letter not in _FIELDS:
            raise UsageError(f"--format: the gateway does not know sinfo's field %{column.letter}", see="sgw sinfo")
    return prefix, columns


def _groups(pool: NodePool) -> Iterator[_Group]:
    """Yield the pool's nodes by state, in sinfo's order; a pool without nodes still has a line."""
    counted = {
        "down": pool.nodes_down,
        "alloc": pool.nodes_allocated,
        "idle": pool.nodes_idle,
        "idle~": pool.nodes_powered_down,
    }
    groups = [_Group(pool=pool, state=state, nodes=count) for state, count in counted.items() if count]
    yield from groups or [_Group(pool=pool, state="n/a", nodes=pool.nodes)]


def _cell(group: _Group, column: Column, env: Environment) -> str:
    cell = queue_cell(_FIELDS[column.letter].value(group), column)
    if column.letter in "tT":
        cell = coloured(cell, group.state, on=env.coloured)
    return cell + column.suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    header: str
    value: Callable[[_Group], str]


def _counts(pool: NodePool) -> str:
    return f"{pool.nodes_allocated}/{pool.nodes_idle + pool.nodes_powered_down}/{pool.nodes_down}/{pool.nodes}"


def _cpus(pool: NodePool) -> str:
    other = max(0, pool.cpus - pool.cpus_allocated - pool.cpus_idle)
    return f"{pool.cpus_allocated}/{pool.cpus_idle}/{other}/{pool.cpus}"


_LONG: Final = {"alloc": "allocated"}
_FIELDS: Final[dict[str, _Field]] = {
    "a": _Field(header="AVAIL", value=lambda g: "up" if g.pool.available else "down"),
    "A": _Field(header="NODES(A/I)", value=lambda g: "/".join(_counts(g.pool).split("/")[:2])),
    "c": _Field(header="CPUS", value=lambda g: str(g.pool.cpus_per_node)),
    "C": _Field(header="CPUS(A/I/O/T)", value=lambda g: _cpus(g.pool)),
    "D": _Field(header="NODES", value=lambda g: str(g.nodes)),
    "F": _Field(header="NODES(A/I/O/T)", value=lambda g: _counts(g.pool)),
    "l": _Field(
        header="TIMELIMIT",
        value=lambda g: "infinite" if g.pool.max_time_s is None else queue_duration(g.pool.max_time_s),
    ),
    "m": _Field(header="MEMORY", value=lambda g: str(g.pool.memory_mb_per_node)),
    "N": _Field(header="NODELIST", value=lambda _: "n/a"),
    "P": _Field(header="PARTITION", value=lambda g: g.pool.name + ("*" if g.pool.default else "")),
    "R": _Field(header="PARTITION", value=lambda g: g.pool.name),
    "t": _Field(header="STATE", value=lambda g: g.state),
    "T": _Field(header="STATE", value=lambda g: _LONG.get(g.state, g.state)),
}
