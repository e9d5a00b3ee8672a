"""Options about a job's name, files, environment and course of life."""

from gateway.directives import kinds as k
from gateway.directives.options import Argument, Option, Treatment

NONE, OPTIONAL = Argument.NONE, Argument.OPTIONAL
MAPPED = Treatment.MAPPED

ROWS = (
    Option(name="job-name", short="J", kind=k.TITLE, treatment=MAPPED, help="name", feeds="job_name"),
    Option(name="comment", kind=k.TEXT, help="comment", feeds="comment"),
    Option(name="extra", kind=k.TEXT, help="text that node filters can use", since="23.02"),
    Option(name="output", short="o", kind=k.FILE, treatment=MAPPED, help="file for standard output", feeds="output"),
    Option(name="error", short="e", kind=k.FILE, treatment=MAPPED, help="file for standard error", feeds="error"),
    Option(name="input", short="i", kind=k.FILE, treatment=MAPPED, help="file for standard input", feeds="input"),
    Option(name="chdir", short="D", kind=k.DIRECTORY, treatment=MAPPED, help="working directory", feeds="chdir"),
    Option(name="open-mode", kind=k.OPEN_MODE, treatment=MAPPED, help="append to or truncate output",
           feeds="open_mode"),
    Option(name="export", kind=k.EXPORT, treatment=MAPPED, help="environment variables to pass on", feeds="export"),
    Option(name="array", short="a", kind=k.ARRAY, treatment=MAPPED, help="run once per index", feeds="array"),
    Option(name="dependency", short="d", kind=k.DEPENDENCY, treatment=MAPPED, feeds="dependencies",
           help="wait for other jobs, by the gateway's ids"),
    Option(name="kill-on-invalid-dep", kind=k.YES_NO, treatment=MAPPED, feeds="kill_on_invalid_dependency",
           help="cancel when a dependency can never come true"),
    Option(name="begin", short="b", kind=k.MOMENT, treatment=MAPPED, help="do not start before", feeds="begin"),
    Option(name="deadline", kind=k.MOMENT, treatment=MAPPED, feeds="deadline",
           help="remove the job if it cannot end before"),
    Option(name="hold", short="H", argument=NONE, treatment=MAPPED, help="wait until released", feeds="hold"),
    Option(name="signal", kind=k.SIGNAL, help="signal to send before the time limit", feeds="signal"),
    Option(name="nice", argument=OPTIONAL, kind=k.INTEGER, bare="100", help="lower the priority", feeds="nice"),
    Option(name="mail-type", kind=k.MAIL_TYPES, help="events to send mail about", repeats=True),
    Option(name="mail-user", kind=k.NAME, help="who gets the mail"),
    Option(name="no-kill", short="k", argument=OPTIONAL, kind=k.NO_KILL, bare="set", feeds="no_kill",
           help="go on when a node is lost"),
    Option(name="oom-kill-step", argument=OPTIONAL, kind=k.ZERO_OR_ONE, bare="1", since="24.11",
           help="end the whole step when a task runs out of memory"),
    Option(name="wait-all-nodes", kind=k.ZERO_OR_ONE, help="start when all nodes are booted"),
    Option(name="delay-boot", kind=k.DURATION, help="wait before rebooting nodes for features"),
    Option(name="acctg-freq", kind=k.SAMPLING, help="how often usage is sampled"),
    Option(name="profile", kind=k.PROFILE, help="detailed usage to record"),
    Option(name="stepmgr", argument=NONE, help="manage steps on the job's own node", since="24.05"),
)  # fmt: skip
