"""Show the pools of nodes the way Slurm's sinfo shows partitions."""

import argparse
from collections.abc import Iterable, Iterator, Sequence

from gateway.cli.columns import Column, parse_format, queue_cell
from gateway.cli.credentials import connect
from gateway.cli.environment import Environment
from gateway.cli.errors import UsageError
from gateway.cli.listing import names_of
from gateway.cli.node_fields import FIELDS, NodeGroup, Nodes, compact
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import coloured
from gateway.directives.values.hosts import host_order, unfold_hosts
from gateway.wire import NodePool, NodePoolList

HELP = """Show the pools of nodes that jobs can ask for with --partition, as sinfo does.

What is shown is up to 15 seconds old: the gateway looks for all its users together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-p", "--partition", action="append", metavar="NAMES", help="only these pools")
    add("-n", "--nodes", action="append", metavar="NODES", help="only these nodes: c1,c[3-7]")
    add("-t", "--states", action="append", metavar="STATES", help="only nodes in these states: idle,mix,alloc,down")
    add("-s", "--summarize", action="store_true", help="one line for each pool")
    add("-N", "--Node", action="store_true", help="one line for each node and pool")
    add("-l", "--long", action="store_true", help="print more columns")
    add("-h", "--noheader", action="store_true", help="print no header line")
    add("-o", "--format", metavar="FORMAT", help="fields as in sinfo(1), such as '%%P %%a %%l %%D %%t %%C'")
    for ignored in (("-a", "--all"), ("-v", "--verbose"), ("-e", "--exact")):
        add(*ignored, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, env: Environment) -> int:
    chosen = names_of(args.partition)
    given = parse_format(args.format) if _is_format(args.format) else None
    pools = tuple(p for p in connect(env).nodepools().items if not chosen or p.name in chosen or p.partition in chosen)
    if args.json:
        env.say(NodePoolList(items=pools).model_dump_json(indent=2))
        return ExitStatus.OK
    prefix, columns = given or parse_format(_layout(args, pools))
    if args.long and not given and not args.noheader:
        env.say(env.now().astimezone(env.zone).strftime("%a %b %d %H:%M:%S %Y"))
    if not args.noheader:
        env.say(prefix + "".join(queue_cell(FIELDS[c.letter].header, c) + c.suffix for c in columns))
    for group in _groups(_chosen_nodes(pools, args), columns, by_node=args.Node):
        env.say(prefix + "".join(_cell(group, column, env) for column in columns))
    unknown = chosen - {pool.name for pool in pools} - {pool.partition for pool in pools}
    for name in sorted(unknown):
        env.warn(f"error: there is no pool {name!r}")
    return ExitStatus.NOT_FOUND if unknown else ExitStatus.OK


def _is_format(text: str | None) -> bool:
    """Say whether a format was given; raises UsageError for one that sinfo would not know either."""
    if text is None:
        return False
    try:
        _, columns = parse_format(text)
    except ValueError as error:
        raise UsageError(f"--format: {error}", see="sgw sinfo") from error
    for column in columns:
        if column.letter not in FIELDS:
            raise UsageError(f"--format: %{column.letter} is not a field of sinfo", see="sgw sinfo")
    return True


def _layout(args: argparse.Namespace, pools: Sequence[NodePool]) -> str:
    """Return sinfo's own format; the columns that it widens to their longest value are nine wide at least."""
    pool = max(9, 0, *(len(each.name) + each.default for each in pools))
    if args.Node:
        names = (name for each in pools for state in each.states for name in unfold_hosts(state.node_list))
        node = max(9, 0, *map(len, names))
        return f"%{node}N %.6D %.{pool}P %{'.11T' if args.long else '6t'}"
    if args.summarize:
        return f"%{pool}P %.5a %.10l %.16F %N"
    if args.long:
        return f"%{pool}P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N"
    return f"%{pool}P %.5a %.10l %.6D %.6t %N"


def _chosen_nodes(pools: Iterable[NodePool], args: argparse.Namespace) -> Iterator[Nodes]:
    """Yield the nodes of each pool by state; a pool of which none is left still has a line, as with sinfo."""
    wanted = {name for text in args.nodes or () for name in unfold_hosts(text)}
    states = {compact(state.lower()) for state in names_of(args.states)} - {"all"}
    for pool in pools:
        found = [Nodes.in_state(pool, state) for state in pool.states]
        if wanted:
            found = [nodes.only(name for name in nodes.names if name in wanted) for nodes in found]
        left = [nodes for nodes in found if nodes.count and (not states or nodes.word in states)]
        yield from left or [Nodes.none_of(pool)]


def _groups(found: Iterable[Nodes], columns: Sequence[Column], *, by_node: bool) -> list[NodeGroup]:
    """Put together what looks the same in all columns but the counts and the list of names, as sinfo does."""
    if by_node or any(column.letter == "n" for column in columns):
        apart = [nodes.only([name]) for nodes in found for name in nodes.names]
        found = sorted(apart, key=lambda nodes: host_order(nodes.names[0])) if by_node else apart
    groups: dict[tuple[str, ...], list[Nodes]] = {}
    for nodes in found:
        one = NodeGroup.of([nodes])
        alike = [FIELDS[column.letter].value(one) for column in columns if not FIELDS[column.letter].adds_up]
        groups.setdefault((*alike, *((nodes.pool.name, nodes.names[0]) if by_node else ())), []).append(nodes)
    return [NodeGroup.of(members) for members in groups.values()]


def _cell(group: NodeGroup, column: Column, env: Environment) -> str:
    cell = queue_cell(FIELDS[column.letter].value(group), column)
    if column.letter in "tT":
        cell = coloured(cell, "asleep" if "~" in group.state else group.word, on=env.coloured)
    return cell + column.suffix
