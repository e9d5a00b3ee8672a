"""Options that say how much of the cluster a job gets."""

from gateway.directives import kinds as k
from gateway.directives.options import Argument, Option

NONE, OPTIONAL = Argument.NONE, Argument.OPTIONAL

ROWS = (
    Option(name="time", short="t", kind=k.TIME_LIMIT, help="time limit", feeds="time_limit"),
    Option(name="time-min", kind=k.TIME_LIMIT, help="lowest time limit that will do", feeds="time_min"),
    Option(name="nodes", short="N", kind=k.NODES, help="number of nodes", feeds="nodes"),
    Option(name="ntasks", short="n", kind=k.COUNT, help="number of tasks", feeds="ntasks"),
    Option(name="ntasks-per-node", aliases=("tasks-per-node",), kind=k.COUNT, help="tasks on each node",
           feeds="ntasks_per_node"),
    Option(name="ntasks-per-core", kind=k.COUNT, help="most tasks on a core"),
    Option(name="ntasks-per-socket", kind=k.COUNT, help="most tasks on a socket"),
    Option(name="ntasks-per-gpu", kind=k.COUNT, help="tasks for each GPU", feeds="ntasks_per_gpu"),
    Option(name="ntasks-per-tres", kind=k.COUNT, help="tasks for each GPU (old name)", feeds="ntasks_per_gpu"),
    Option(name="cpus-per-task", short="c", kind=k.COUNT, help="CPUs for each task", feeds="cpus_per_task"),
    Option(name="cpus-per-gpu", kind=k.COUNT, help="CPUs for each GPU", feeds="cpus_per_gpu"),
    Option(name="mincpus", kind=k.COUNT, help="fewest CPUs on a node", feeds="min_cpus_per_node"),
    Option(name="mem", kind=k.MEMORY, help="memory on each node; 0 means all of it", feeds="mem_per_node"),
    Option(name="mem-per-cpu", kind=k.MEMORY, help="memory for each CPU", feeds="mem_per_cpu"),
    Option(name="mem-per-gpu", kind=k.MEMORY, help="memory for each GPU", feeds="mem_per_gpu"),
    Option(name="tmp", kind=k.MEMORY, help="least temporary disk on a node"),
    Option(name="gres", kind=k.GRES, help="countable things on each node", feeds="gres"),
    Option(name="gpus", short="G", kind=k.GPUS, help="GPUs for the whole job", feeds="gpus"),
    Option(name="gpus-per-node", kind=k.GPUS, help="GPUs on each node", feeds="gpus_per_node"),
    Option(name="gpus-per-socket", kind=k.GPUS, help="GPUs on each socket", feeds="gpus_per_socket"),
    Option(name="gpus-per-task", kind=k.GPUS, help="GPUs for each task", feeds="gpus_per_task"),
    Option(name="tres-per-task", kind=k.LIST, help="trackable resources for each task", since="23.02",
           feeds="tres_per_task"),
    Option(name="resources", kind=k.LIST, help="hierarchical resources", since="25.11"),
    Option(name="licenses", short="L", kind=k.LIST, help="licences to hold while running", feeds="licenses"),
    Option(name="exclusive", argument=OPTIONAL, kind=k.EXCLUSIVE, bare="exclusive", feeds="exclusive",
           help="do not share nodes with other jobs, users or MCS labels"),
    Option(name="oversubscribe", short="s", argument=NONE, help="share nodes with other jobs", feeds="oversubscribe"),
    Option(name="overcommit", short="O", argument=NONE, help="more tasks than CPUs", feeds="overcommit"),
    Option(name="core-spec", short="S", kind=k.COUNT_OR_ZERO, help="cores reserved for the system"),
    Option(name="thread-spec", kind=k.COUNT, help="threads reserved for the system"),
    Option(name="bb", kind=k.SOME_TEXT, help="burst buffer"),
)  # fmt: skip
