"""List the kinds of value that sbatch's options take."""

from gateway.directives.options import Kind
from gateway.directives.values import (
    arrays,
    choices,
    dependencies,
    durations,
    exports,
    gres,
    hosts,
    moments,
    quantities,
    signals,
    words,
)

_NAME_LENGTH = 200

TEXT = Kind(metavar="text", parse=words.parse_text)
SOME_TEXT = Kind(metavar="text", parse=words.parse_some_text)
COMMAND = Kind(metavar="command", parse=words.parse_some_text, plain=False)
TITLE = Kind(metavar="name", parse=words.parse_some_text, longest=_NAME_LENGTH)
NAME = Kind(metavar="name", parse=words.parse_name, longest=_NAME_LENGTH)
NAMES = Kind(metavar="names", parse=words.parse_names)
LIST = Kind(metavar="list", parse=words.parse_some_text)
FILE = Kind(metavar="file", parse=words.parse_path)
DIRECTORY = Kind(metavar="directory", parse=words.parse_some_text)
HOSTS = Kind(metavar="hosts", parse=hosts.parse_hosts, longest=65536)
COUNT = Kind(metavar="n", parse=quantities.parse_count)
COUNT_OR_ZERO = Kind(metavar="n", parse=quantities.parse_count_or_zero)
INTEGER = Kind(metavar="n", parse=quantities.parse_integer)
NODES = Kind(metavar="min[-max]", parse=quantities.parse_nodes)
MEMORY = Kind(metavar="size[KMGT]", parse=quantities.parse_memory)
TIME_LIMIT = Kind(metavar="time", parse=durations.parse_time_limit)
DURATION = Kind(metavar="time", parse=durations.parse_duration)
MOMENT = Kind(metavar="when", parse=moments.parse_moment)
ARRAY = Kind(metavar="indexes", parse=arrays.parse_array, longest=65536)
GRES = Kind(metavar="list", parse=gres.parse_gres)
GPUS = Kind(metavar="[type:]n", parse=gres.parse_gpus)
DEPENDENCY = Kind(metavar="type:job", parse=dependencies.parse_dependencies)
SIGNAL = Kind(metavar="[B:]signal[@sec]", parse=signals.parse_signal)
EXPORT = Kind(metavar="ALL|NONE|names", parse=exports.parse_export, longest=65536)
MAIL_TYPES = Kind(metavar="events", parse=choices.parse_mail_types)
ZERO_OR_ONE = Kind(metavar="0|1", parse=choices.choice("0", "1"))
OPEN_MODE = Kind(
    metavar="append|truncate",
    parse=choices.choice("append", "truncate", synonyms={"a": "append", "t": "truncate"}),
)
EXCLUSIVE = Kind(metavar="user|mcs|topo", parse=choices.choice("exclusive", "user", "mcs", "topo", "oversubscribe"))
NO_KILL = Kind(metavar="off", parse=choices.choice("set", "off", synonyms={"no": "off"}))
YES_NO = Kind(metavar="yes|no", parse=choices.choice("yes", "no"))
_HINTS = "compute_bound|memory_bound|(no)?multithread"
HINT = Kind(metavar="hints", parse=choices.matching(f"({_HINTS})(,({_HINTS}))*", "nomultithread"))
DISTRIBUTION = Kind(
    metavar="type",
    parse=choices.matching(
        r"plane=[0-9]+|(\*|block|cyclic|arbitrary|hostfile)(:(\*|block|cyclic|fcyclic)){0,2}(,(no)?pack)?",
        "block:cyclic or plane=4",
    ),
)
_GRES_FLAGS = "disable-binding|enforce-binding|multiple-tasks-per-sharing|one-task-per-sharing"
GRES_FLAGS = Kind(
    metavar="flags",
    parse=choices.matching(f"({_GRES_FLAGS})(,({_GRES_FLAGS}))*", "enforce-binding"),
)
PROFILE = Kind(
    metavar="all|none|list",
    parse=choices.matching(r"all|none|(energy|lustre|network|task)(,(energy|lustre|network|task))*", "task,energy"),
)
SWITCHES = Kind(metavar="n[@time]", parse=choices.matching(r"[1-9][0-9]{0,8}(@[0-9:-]+)?", "1@00:10:00"))
SOCKETS = Kind(metavar="S[:C[:T]]", parse=choices.matching(r"([0-9*]+)(:[0-9*]+){0,2}", "2:8:1"))
SAMPLING = Kind(
    metavar="interval",
    parse=choices.matching(
        r"[0-9]+|(task|energy|network|filesystem)=[0-9]+(,(task|energy|network|filesystem)=[0-9]+)*", "task=30"
    ),
)

_FREQUENCY = "low|medium|highm1|high|[0-9]+"
_GOVERNOR = "conservative|ondemand|performance|powersave|schedutil|userspace"
CPU_FREQ = Kind(
    metavar="min[-max[:governor]]",
    parse=choices.matching(
        f"(({_FREQUENCY})(-({_FREQUENCY}))?(:({_GOVERNOR}))?|{_GOVERNOR})", "2400000, low-high or performance"
    ),
)
_GPU_FREQUENCY = f"((memory=)?({_FREQUENCY})|verbose)"
GPU_FREQ = Kind(
    metavar="[memory=]freq",
    parse=choices.matching(f"{_GPU_FREQUENCY}(,{_GPU_FREQUENCY})*", "medium,memory=high"),
)
GPU_BIND = Kind(
    metavar="how",
    parse=choices.matching(
        "(verbose,|v,)*(closest|none|(single|per_task):[0-9]+|(map|mask)(_gpu)?:[0-9a-fx,*]+)", "closest or single:2"
    ),
)
_MEMORY_BINDING = "none|local|rank|prefer|sort|nosort|no|p|q|quiet|v|verbose|(map|mask)_mem:[0-9a-fx,]+"
MEM_BIND = Kind(metavar="how", parse=choices.matching(f"({_MEMORY_BINDING})(,({_MEMORY_BINDING}))*", "local"))
