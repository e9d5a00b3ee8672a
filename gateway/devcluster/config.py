"""Write the configuration files of the cluster's daemons, as pure text.

Every surprising line says why it is there; tried with Slurm 22.05.8 on Debian 12.
"""

from typing import Literal

from gateway.devcluster.settings import DevSettings, Machine

Memory = Literal["cgroup", "gather"]

_SELECTION = """
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Nodes may claim more CPUs and memory than this computer has.
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=pmix
GresTypes=gpu
"""

# `cloud` in PrivateData shows powered-down cloud nodes; it hides nothing. `jobs` needs accounting: without it nobody
# could be made an operator, and only root would see the queue.
_NO_ACCOUNTING = """
AccountingStorageType=accounting_storage/none
PrivateData=cloud
"""


def slurm_conf(settings: DevSettings, *, memory: Memory) -> str:
    """Describe the cluster to every Slurm command and daemon."""
    sections = [
        _identity(settings),
        _SELECTION,
        _scheduling(settings),
        _memory(memory),
        _accounting(settings) if settings.accounting else _NO_ACCOUNTING,
        _nodes(settings),
    ]
    return "\n".join(section.strip() + "\n" for section in sections)


def slurmdbd_conf(settings: DevSettings) -> str:
    """Describe accounting's daemon; it reaches MariaDB by the Unix socket in MYSQL_UNIX_PORT."""
    return f"""AuthType=auth/munge
AuthInfo=socket={settings.munge_socket}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={settings.conf}/jwt.key
DbdHost=localhost
DbdPort={settings.ports["slurmdbd"]}
SlurmUser=root
PidFile={settings.run}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
"""


def cgroup_conf(*, memory: Memory, release: tuple[int, int]) -> str:
    """Let task/cgroup limit memory only: nodes claim more cores than exist, so cores cannot be pinned."""
    if memory == "gather":
        # slurmd loads the plug-in even when nothing uses it, and `autodetect` ends it where cgroups are not to its
        # liking. The one for v1 touches nothing by itself; later releases can do without any.
        return f"CgroupPlugin={'disabled' if release >= (24, 5) else 'cgroup/v1'}\n"
    return """CgroupPlugin=cgroup/v1
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
"""


def gres_conf(settings: DevSettings) -> str:
    """Describe GPUs that are not there: slurmd drops a GPU without a device file, so these name harmless ones."""
    lines = (
        f"NodeName={machine.name} Name=gpu File={settings.gpu_devices}[0-{machine.gpus - 1}]"
        for machine in settings.machines
        if machine.gpus
    )
    return "\n".join(lines) + "\n"


def hosts(settings: DevSettings) -> str:
    """Write /etc/hosts as every machine sees it."""
    lines = ["127.0.0.1 localhost", "::1 localhost", f"{settings.controller} ctl"]
    return "\n".join([*lines, *(f"{machine.address} {machine.name}" for machine in settings.machines)]) + "\n"


def sshd_config(settings: DevSettings, login: Machine) -> str:
    """Run the login host's sshd as a site does: stock MaxSessions (10) and MaxStartups (10:30:100)."""
    return f"""ListenAddress {login.address}
Port 22
HostKey {settings.root}/ssh/host_key
PidFile none
AuthorizedKeysFile {settings.root}/ssh/authorized/%u
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
# Without PAM: it needs nothing of this computer's own set-up.
UsePAM no
AllowUsers {settings.user_prefix}*
SetEnv SLURM_CONF={settings.slurm_conf}
Subsystem sftp internal-sftp
"""


def _identity(settings: DevSettings) -> str:
    root, ports = settings.root, settings.ports
    return f"""
# Written by `sgw dev up`: changes are overwritten.
ClusterName={settings.name}
SlurmctldHost=ctl({settings.controller})
SlurmctldPort={ports["slurmctld"]}
SlurmdPort={ports["slurmd"]}
# ResumeProgram runs as SlurmUser and must make namespaces.
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={settings.munge_socket}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={settings.conf}/jwt.key
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={settings.run}/slurmctld.pid
SlurmdPidFile={settings.run}/slurmd-%n.pid
MailProg=/bin/true
"""


def _scheduling(settings: DevSettings) -> str:
    return f"""
# Start jobs at once: every pass is cheap on six nodes. Each submission is tried immediately (no `defer`).
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_continue
MinJobAge={settings.min_job_age}
MaxJobCount=30000
MaxArraySize=10001
# A job over its time limit gets TERM, then KILL: tests need not wait the default 30 s for the second.
KillWait=5
"""


def _memory(memory: Memory) -> str:
    if memory == "cgroup":
        return """
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
"""
    return """
# No writable memory cgroup here: the accounting sampler kills a job that is over its memory, hence the short interval.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
"""


def _accounting(settings: DevSettings) -> str:
    return f"""
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={settings.controller}
AccountingStoragePort={settings.ports["slurmdbd"]}
# For this plug-in the "password" is the path of the munge socket; AuthInfo alone is not looked at.
AccountingStoragePass={settings.munge_socket}
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
PrivateData=jobs,cloud
PriorityType=priority/multifactor
PriorityWeightQOS=1000
PreemptType=preempt/qos
PreemptMode=REQUEUE
"""


def _nodes(settings: DevSettings) -> str:
    cloud = [machine for machine in settings.machines if machine.kind == "cloud"]
    compute = [machine for machine in settings.machines if machine.kind == "compute"]
    names = {
        "cpu": ",".join(machine.name for machine in compute),
        "gpu": ",".join(machine.name for machine in compute if machine.gpus),
        "burst": ",".join(machine.name for machine in cloud),
    }
    lines = [
        "ResumeProgram=" + str(settings.root / "bin" / "resume"),
        "SuspendProgram=" + str(settings.root / "bin" / "suspend"),
        "SuspendTime=30",
        f"SuspendExcNodes={names['cpu']}",
        "ResumeTimeout=60",
        "SuspendTimeout=5",
        "SuspendRate=0",
        "ResumeRate=0",
        # Look every second instead of every ten whether a node is to be powered up or down.
        "SlurmctldParameters=power_save_interval=1,power_save_min_interval=0,idle_on_node_suspend",
        "NodeName=DEFAULT CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=4000",
    ]
    for machine in (*compute, *cloud):
        gres = f" Gres=gpu:{machine.gpus}" if machine.gpus else ""
        state = " State=CLOUD" if machine.kind == "cloud" else ""
        lines.append(f"NodeName={machine.name} NodeAddr={machine.address} NodeHostname={machine.name}{gres}{state}")
    lines.append("PartitionName=DEFAULT State=UP DefaultTime=01:00:00 MaxTime=1-00:00:00 DefMemPerCPU=500")
    lines += [f"PartitionName={name} Nodes={nodes}" for name, nodes in names.items()]
    return "\n".join(lines).replace("PartitionName=cpu", "PartitionName=cpu Default=YES") + "\n"
