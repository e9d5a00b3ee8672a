"""Say where the demo's gateway lives: below the dev cluster's state directory, so that `down` takes it along."""

import json
from dataclasses import dataclass
from pathlib import Path

from gateway.devcluster.settings import DevSettings

CLUSTER = "dev"
METRICS_ABOVE = 100
"""The controller's metrics are this far above the API's port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The demo gateway's files and addresses."""

    cluster: DevSettings
    name: str = "gateway"
    """Folder below the cluster's state directory; `sgw dev env` looks for the one called `gateway`."""
    port_offset: int = 80
    """The API listens this far above the dev cluster's first port."""
    sbatch: str = "/usr/bin/sbatch"
    """What the helper runs; tests put something slower in its place."""
    settings: str = ""
    """Further lines of TOML for the gateway, before its clusters."""

    @property
    def home(self) -> Path:
        """Root's own folder with configuration, tokens and what `sgw dev env` prints."""
        return self.cluster.root / self.name

    @property
    def state(self) -> Path:
        """The gateway's own state: database, private Redis."""
        return self.home / "state"

    @property
    def config(self) -> Path:
        """The gateway's settings."""
        return self.home / "gateway.toml"

    @property
    def runas_config(self) -> Path:
        """The privileged helper's settings."""
        return self.home / "runas.json"

    @property
    def runas_socket(self) -> Path:
        """Where the privileged helper listens."""
        return self.home / "run" / "runas.sock"

    @property
    def attempts(self) -> Path:
        """Attempt directories, on what the nodes share."""
        return self.cluster.root / f"{self.name}-attempts"

    @property
    def wake(self) -> Path:
        """Where ended jobs leave a hint."""
        return self.cluster.root / f"{self.name}-wake"

    @property
    def port(self) -> int:
        """The API's port."""
        return self.cluster.base_port + self.port_offset

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}"

    def gateway_toml(self) -> str:
        """Write the gateway's settings."""
        return f"""\
# Made by the demo. The same keys, with other values, run a production gateway.
state_dir = {json.dumps(str(self.state))}
host = "127.0.0.1"
port = {self.port}
controller_metrics_port = {self.port + METRICS_ABOVE}
{self.settings}

[clusters.{CLUSTER}]
slurm_conf = {json.dumps(str(self.cluster.slurm_conf))}
runas_socket = {json.dumps(str(self.runas_socket))}
attempts_root = {json.dumps(str(self.attempts))}
wake_dir = {json.dumps(str(self.wake))}
accounting = {str(self.cluster.accounting).lower()}
"""

    def runas_json(self) -> str:
        """Write the privileged helper's settings: whom it may become, and who may ask."""
        document = {
            "clients": [self.cluster.gateway_user],
            "prefixes": [self.cluster.user_prefix],
            "attempts_root": str(self.attempts),
            "slurm_conf": str(self.cluster.slurm_conf),
            "sbatch": self.sbatch,
        }
        return json.dumps(document, indent=2) + "\n"
