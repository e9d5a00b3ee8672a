"""Options that say where on the cluster a job runs, and how its tasks are laid out."""

from gateway.directives import kinds as k
from gateway.directives.options import Argument, Option, Treatment

NONE, OPTIONAL = Argument.NONE, Argument.OPTIONAL
MAPPED = Treatment.MAPPED

ROWS = (
    Option(name="account", short="A", kind=k.NAME, treatment=MAPPED, help="account to charge", feeds="account"),
    Option(name="partition", short="p", kind=k.NAMES, treatment=MAPPED, help="partitions", feeds="partitions"),
    Option(name="qos", short="q", kind=k.NAME, treatment=MAPPED, help="quality of service", feeds="qos"),
    Option(name="reservation", kind=k.LIST, help="run inside a reservation", feeds="reservation"),
    Option(name="wckey", kind=k.NAME, help="workload characterisation key"),
    Option(name="mcs-label", kind=k.NAME, help="MCS label"),
    Option(name="constraint", short="C", kind=k.LIST, help="features the nodes must have", feeds="constraint"),
    Option(name="prefer", kind=k.LIST, help="features the nodes should have"),
    Option(name="batch", kind=k.LIST, help="features of the node that runs the script"),
    Option(name="nodelist", short="w", kind=k.HOSTS, help="nodes to use", feeds="nodelist"),
    Option(name="exclude", short="x", kind=k.HOSTS, help="nodes not to use", feeds="exclude"),
    Option(name="contiguous", argument=NONE, help="neighbouring nodes"),
    Option(name="spread-job", argument=NONE, help="spread over as many nodes as possible"),
    Option(name="use-min-nodes", argument=NONE, help="the fewer nodes of a range"),
    Option(name="switches", kind=k.SWITCHES, help="most network switches, and how long to wait for them"),
    Option(name="segment", kind=k.COUNT_OR_ZERO, help="nodes in each segment of a block", since="24.05"),
    Option(name="consolidate-segments", argument=NONE, help="keep segments together", since="25.11"),
    Option(name="spread-segments", argument=NONE, help="segments on separate blocks", since="25.11"),
    Option(name="distribution", short="m", kind=k.DISTRIBUTION, help="how tasks go to nodes and sockets"),
    Option(name="extra-node-info", short="B", kind=k.SOCKETS, help="sockets, cores and threads a node must have"),
    Option(name="sockets-per-node", kind=k.COUNT, help="sockets a node must have", feeds="sockets_per_node"),
    Option(name="cores-per-socket", kind=k.COUNT, help="cores a socket must have"),
    Option(name="threads-per-core", kind=k.COUNT, help="threads of a core to use", feeds="threads_per_core"),
    Option(name="hint", kind=k.HINT, help="what the program is bound by", feeds="hint"),
    Option(name="mem-bind", kind=k.MEM_BIND, help="bind tasks to memory"),
    Option(name="gpu-bind", kind=k.GPU_BIND, help="bind tasks to GPUs"),
    Option(name="tres-bind", kind=k.SOME_TEXT, help="bind tasks to resources", since="23.11"),
    Option(name="gpu-freq", kind=k.GPU_FREQ, help="frequency of GPUs"),
    Option(name="cpu-freq", kind=k.CPU_FREQ, help="frequency of CPUs"),
    Option(name="gres-flags", kind=k.GRES_FLAGS, help="how tasks are bound to countable things"),
    Option(name="network", kind=k.SOME_TEXT, help="network options"),
    Option(name="resv-ports", argument=OPTIONAL, kind=k.COUNT_OR_ZERO, bare="0", help="reserve ports", since="24.05"),
)  # fmt: skip
