"""Hold what a script and its command line ask for, typed."""

from dataclasses import dataclass

from gateway.directives.values.arrays import ArraySpec
from gateway.directives.values.dependencies import Dependencies
from gateway.directives.values.durations import Duration
from gateway.directives.values.exports import Export
from gateway.directives.values.gres import Gpus, GresList
from gateway.directives.values.hosts import Hosts
from gateway.directives.values.moments import Moment
from gateway.directives.values.quantities import Memory, NodeRange
from gateway.directives.values.signals import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One option as sbatch shall get it: the long name, and the value as canonical text (None for a flag)."""

    name: str
    text: str | None = None

    @property
    def argument(self) -> str:
        """One word of sbatch's command line."""
        return f"--{self.name}" if self.text is None else f"--{self.name}={self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """What the tenant asks for; None means not said.

    The options that become `passthrough` go to sbatch as they are, whether or not a field shows them too. The
    mapped ones (account, partitions, qos, files, chdir, export, array, dependencies, begin, deadline, hold …) are
    only fields: whoever submits decides what sbatch gets.
    """

    job_name: str | None = None
    comment: str | None = None
    account: str | None = None
    partitions: tuple[str, ...] = ()
    qos: str | None = None
    reservation: str | None = None

    time_limit: Duration | None = None
    time_min: Duration | None = None
    nodes: NodeRange | None = None
    ntasks: int | None = None
    ntasks_per_node: int | None = None
    ntasks_per_gpu: int | None = None
    cpus_per_task: int | None = None
    cpus_per_gpu: int | None = None
    min_cpus_per_node: int | None = None
    sockets_per_node: int | None = None
    threads_per_core: int | None = None
    hint: str | None = None
    mem_per_node: Memory | None = None
    mem_per_cpu: Memory | None = None
    mem_per_gpu: Memory | None = None
    gres: GresList | None = None
    gpus: Gpus | None = None
    gpus_per_node: Gpus | None = None
    gpus_per_socket: Gpus | None = None
    gpus_per_task: Gpus | None = None
    tres_per_task: str | None = None
    licenses: str | None = None
    exclusive: str | None = None
    oversubscribe: bool = False
    overcommit: bool = False
    constraint: str | None = None
    nodelist: Hosts | None = None
    exclude: Hosts | None = None

    output: str | None = None
    error: str | None = None
    input: str | None = None
    chdir: str | None = None
    open_mode: str | None = None
    export: Export | None = None

    array: ArraySpec | None = None
    dependencies: Dependencies | None = None
    kill_on_invalid_dependency: str | None = None
    begin: Moment | None = None
    deadline: Moment | None = None
    hold: bool = False
    signal: Signal | None = None
    nice: int | None = None
    no_kill: str | None = None

    passthrough: tuple[Setting, ...] = ()
    """In the order that decides between options which override each other: last said, last here."""

    @property
    def sbatch_arguments(self) -> tuple[str, ...]:
        """The passthrough as words of sbatch's command line."""
        return tuple(setting.argument for setting in self.passthrough)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFlags:
    """What was asked of the command that submits, not of the job."""

    wrap: str | None = None
    wait: bool = False
    parsable: bool = False
    test_only: bool = False
    ignore_pbs: bool = False
    quiet: bool = False
    verbose: bool = False
    help: bool = False
    version: bool = False
