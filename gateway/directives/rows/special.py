"""Options that are not the tenant's to set, or not the job's."""

from gateway.directives import kinds as k
from gateway.directives.options import Argument, Option, Treatment

NONE, OPTIONAL = Argument.NONE, Argument.OPTIONAL
CLIENT, GATEWAY, REFUSED, SPANK = Treatment.CLIENT, Treatment.GATEWAY, Treatment.REFUSED, Treatment.SPANK

_CLUSTER = "the gateway picks the cluster when it admits the job"
_RETRIES = "the gateway repeats failed attempts itself; set the job's retries instead"
_UNIX = "a job runs as its tenant's own Unix user and groups"
_HOST_FILE = "it names a file on the host where sbatch runs, which is not yours"
_CONTAINER = "the gateway's wrapper runs outside of containers; start the container inside the script"

CLIENT_ROWS = (
    Option(name="wrap", kind=k.COMMAND, treatment=CLIENT, help="run this command line as the script", feeds="wrap"),
    Option(name="wait", short="W", argument=NONE, treatment=CLIENT, feeds="wait",
           help="wait for the end and return the job's exit code"),
    Option(name="parsable", argument=NONE, treatment=CLIENT, help="print only the job id", feeds="parsable"),
    Option(name="test-only", argument=NONE, treatment=CLIENT, help="check, do not submit", feeds="test_only"),
    Option(name="ignore-pbs", argument=NONE, treatment=CLIENT, help="skip #PBS and #BSUB lines", feeds="ignore_pbs"),
    Option(name="quiet", short="Q", argument=NONE, treatment=CLIENT, help="say less", feeds="quiet"),
    Option(name="verbose", short="v", argument=NONE, treatment=CLIENT, help="say more", feeds="verbose"),
    Option(name="help", short="h", argument=NONE, treatment=CLIENT, help="show help", feeds="help"),
    Option(name="usage", argument=NONE, treatment=CLIENT, help="show a short summary", feeds="help"),
    Option(name="version", short="V", argument=NONE, treatment=CLIENT, help="show the version", feeds="version"),
)  # fmt: skip

GATEWAY_ROWS = (
    Option(name="clusters", short="M", aliases=("cluster",), treatment=GATEWAY, help="clusters", reason=_CLUSTER),
    Option(name="cluster-constraint", treatment=GATEWAY, help="features of a cluster", reason=_CLUSTER),
    Option(name="requeue", argument=OPTIONAL, treatment=GATEWAY, help="let Slurm requeue", reason=_RETRIES),
    Option(name="no-requeue", argument=NONE, treatment=GATEWAY, help="do not let Slurm requeue", reason=_RETRIES),
    Option(name="priority", treatment=GATEWAY, help="priority", reason="use the job's priority in the gateway"),
    Option(name="propagate", argument=OPTIONAL, treatment=GATEWAY, help="resource limits to pass on",
           reason="the gateway starts every job with the same resource limits"),
    Option(name="power", treatment=GATEWAY, help="power management",
           reason="power management is the site's, and Slurm 24.05 dropped the option"),
)  # fmt: skip

REFUSED_ROWS = (
    Option(name="uid", treatment=REFUSED, help="Unix user", reason=_UNIX),
    Option(name="gid", treatment=REFUSED, help="Unix group", reason=_UNIX),
    Option(name="context", treatment=REFUSED, help="SELinux context", reason="the site sets the security context"),
    Option(name="get-user-env", argument=OPTIONAL, treatment=REFUSED, help="login environment",
           reason="it starts a login shell outside of the job; begin the script with '#!/bin/bash -l' instead"),
    Option(name="export-file", treatment=REFUSED, help="environment from a file",
           reason=f"{_HOST_FILE}; use --export"),
    Option(name="nodefile", short="F", treatment=REFUSED, help="nodes from a file",
           reason=f"{_HOST_FILE}; use --nodelist"),
    Option(name="bbf", treatment=REFUSED, help="burst buffer from a file", reason=f"{_HOST_FILE}; use --bb"),
    Option(name="reboot", argument=NONE, treatment=REFUSED, help="reboot nodes first",
           reason="only operators may reboot nodes"),
    Option(name="container", treatment=REFUSED, help="OCI container", reason=_CONTAINER),
    Option(name="container-id", treatment=REFUSED, help="OCI container id", reason=_CONTAINER, since="23.02"),
    Option(name="external", argument=NONE, treatment=REFUSED, help="job without a script", since="25.05",
           reason="the gateway only runs jobs with a script"),
    Option(name="autocomplete", treatment=REFUSED, help="complete an option", since="23.02",
           reason="completion is the shell's business"),
)  # fmt: skip

_PYXIS = (
    "container-image", "container-mounts", "container-workdir", "container-name", "container-save",
    "container-env", "container-entrypoint-log",
)  # fmt: skip
_PYXIS_FLAGS = (
    "container-mount-home", "no-container-mount-home", "container-remap-root", "no-container-remap-root",
    "container-entrypoint", "no-container-entrypoint", "container-writable", "container-readonly",
)  # fmt: skip

SPANK_ROWS = (
    *(Option(name=name, kind=k.TEXT, treatment=SPANK, help="pyxis: containers") for name in _PYXIS),
    *(Option(name=name, argument=NONE, treatment=SPANK, help="pyxis: containers") for name in _PYXIS_FLAGS),
    Option(name="environment", kind=k.TEXT, treatment=SPANK, help="CSCS: container environment"),
    Option(name="uenv", kind=k.TEXT, treatment=SPANK, help="CSCS: user environment"),
    Option(name="view", kind=k.TEXT, treatment=SPANK, help="CSCS: view of a user environment"),
    Option(name="image", kind=k.TEXT, treatment=SPANK, help="Shifter: container image"),
    Option(name="volume", kind=k.TEXT, treatment=SPANK, help="Shifter: volumes of the container"),
    Option(name="module", kind=k.TEXT, treatment=SPANK, help="Shifter: modules of the container"),
)
