"""Say what the dev cluster looks like and where each of its files lies."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from gateway.devcluster.errors import DevClusterError

DEFAULT_ROOT = Path("/var/lib/sgw-dev")
LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One host of the cluster: a network, mount and UTS namespace with an address of its own."""

    name: str
    kind: Literal["compute", "cloud", "login"]
    address: str
    gpus: int = 0

    @property
    def daemon(self) -> str:
        """The service it runs, as `status`, `stop` and `start` call it."""
        return "sshd" if self.kind == "login" else f"slurmd-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevSettings:
    """Everything that can be chosen. Kept in the state directory from the first `up` on."""

    root: Path = DEFAULT_ROOT
    """The state directory. Not below /tmp: every machine has a /tmp of its own."""
    name: str = "sgwdev"
    """Name of the Slurm cluster and prefix of its network devices."""
    subnet: str = "10.77.0"
    """First three numbers of the private /24; the machine itself is `.1`."""
    base_port: int = 27100
    """First of three TCP ports, all below 32768 or the kernel's ephemeral range collides with them."""
    user_prefix: str = "sgwdemo-"
    accounting: bool = True
    """False: no slurmdbd and no MariaDB, so also no limits and no `PrivateData`."""
    min_job_age: int = 300
    """Seconds slurmctld remembers an ended job."""
    tenants: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"acme": ("ada", "alan"), "globex": ("grace",)}
    )
    """Slurm accounts, and their Unix users without the prefix."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is made."""
        if not self.root.is_absolute() or Path("/tmp") in (self.root, *self.root.parents):
            raise DevClusterError(f"root {self.root}: must be an absolute path and not below /tmp")
        if len(self.name) > 9 or not self.name.isalnum():
            raise DevClusterError(f"name {self.name!r}: at most 9 letters and digits (device names have 15)")
        if not 1024 <= self.base_port <= 32765:
            raise DevClusterError(f"base port {self.base_port}: must be between 1024 and 32765")
        parts = self.subnet.split(".")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise DevClusterError(f"subnet {self.subnet!r}: three numbers are needed, such as 10.77.0")

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines; the cloud ones exist only while Slurm has powered them up."""
        compute = (
            Machine(name=f"c{n}", kind="compute", address=f"{self.subnet}.{10 + n}", gpus=2 if n > 2 else 0)
            for n in range(1, 5)
        )
        cloud = (Machine(name=f"b{n}", kind="cloud", address=f"{self.subnet}.{20 + n}") for n in (1, 2))
        return (*compute, *cloud, Machine(name=LOGIN, kind="login", address=f"{self.subnet}.31"))

    def machine(self, name: str) -> Machine:
        """Look a machine up; raises DevClusterError naming those there are."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        known = ", ".join(machine.name for machine in self.machines)
        raise DevClusterError(f"there is no machine {name!r}; there are {known}")

    @property
    def users(self) -> dict[str, tuple[str, ...]]:
        """Tenants' Unix users by Slurm account."""
        return {account: tuple(self.user_prefix + user for user in users) for account, users in self.tenants.items()}

    @property
    def gateway_user(self) -> str:
        """The unprivileged user the gateway runs as."""
        return f"{self.user_prefix}gateway"

    @property
    def rest_user(self) -> str:
        """The unprivileged user of slurmrestd; newer releases refuse to run as root or as SlurmUser."""
        return f"{self.user_prefix}rest"

    @property
    def controller(self) -> str:
        """The address of the machine itself on the bridge: slurmctld, slurmdbd, slurmrestd, gateway."""
        return f"{self.subnet}.1"

    @property
    def bridge(self) -> str:
        """The bridge's device name."""
        return f"{self.name}-br0"

    @property
    def ports(self) -> dict[str, int]:
        """TCP ports by daemon; slurmd has one on each machine's own address."""
        return {
            "slurmctld": self.base_port,
            "slurmdbd": self.base_port + 1,
            "slurmrestd": self.base_port + 2,
            "slurmd": self.base_port + 3,
        }

    @property
    def conf(self) -> Path:
        """The folder that machines see as /etc/slurm."""
        return self.root / "etc"

    @property
    def slurm_conf(self) -> Path:
        """What `SLURM_CONF` must say."""
        return self.conf / "slurm.conf"

    @property
    def run(self) -> Path:
        """Sockets, pid files and pinned namespaces."""
        return self.root / "run"

    @property
    def munge_socket(self) -> Path:
        """Where this cluster's own munged listens."""
        return self.run / "munge" / "munge.socket"

    @property
    def gpu_devices(self) -> Path:
        """Path of the device files that stand for GPUs, without their number."""
        return self.root / "dev" / "gpu"

    def log(self, daemon: str) -> Path:
        """The log file of a daemon."""
        return self.root / "log" / f"{daemon}.log"

    def to_json(self) -> str:
        """Serialise for the state directory."""
        return json.dumps({**asdict(self), "root": str(self.root)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "DevSettings":
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        tenants = {account: tuple(users) for account, users in raw.pop("tenants").items()}
        return cls(**{**raw, "root": Path(raw["root"]), "tenants": tenants})
