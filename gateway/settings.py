"""Hold the operator's settings, read once at start and frozen."""

import os
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

CONFIG_VARIABLE: Final = "SGW_CONFIG"


class ClusterSettings(BaseModel):
    """One Slurm cluster and how it is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slurm_conf: Path = Path("/etc/slurm/slurm.conf")
    runas_socket: Path
    """Where the privileged helper of this cluster listens."""
    attempts_root: Path
    """On the cluster's shared file system; the helper makes one folder per Unix user below it."""
    wake_dir: Path
    """On the shared file system, world-writable and sticky: ended jobs leave a hint here."""
    accounting: bool = True
    """False for sites without slurmdbd: ended jobs are then known for `MinJobAge` seconds only."""
    partitions: dict[str, str] = {}
    """Further names for partitions: other sites' names found in scripts -> a partition of this cluster."""
    default_time_limit_s: Annotated[int, Field(ge=60)] = 3600
    """For jobs that name no limit, where the partition has no `DefaultTime`."""
    default_mem_per_cpu_mb: Annotated[int, Field(ge=1)] = 1000
    """For jobs that name no memory: Slurm itself would give them the whole node's."""
    submit_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    """How many sbatch processes may run at the same time. Eight made slurmctld slower, not faster."""
    submit_wait_s: Annotated[float, Field(gt=0)] = 20.0
    """How long a controller waits for one sbatch before it turns to others; the sbatch goes on."""
    munge_life_s: Annotated[int, Field(ge=1)] = 300
    """How long a delayed sbatch request can still be accepted (munge's credential life)."""
    tick_s: Annotated[float, Field(gt=0)] = 1.0
    tick_max_s: Annotated[float, Field(gt=0)] = 10.0
    command_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    strict_directives: bool = False
    """True refuses a foreign `--account` or partition instead of mapping it with a warning."""
    spank_options: tuple[str, ...] = ()
    """Options of this cluster's SPANK plug-ins that tenants may use, such as `container-image`."""


class Settings(BaseSettings):
    """Everything an operator can set: a TOML file (`SGW_CONFIG`), beaten by `SGW_…` variables."""

    model_config = SettingsConfigDict(env_prefix="SGW_", env_nested_delimiter="__", frozen=True, extra="ignore")

    state_dir: Path
    """Local disk, owned by the gateway's user: the embedded database and sockets live here."""
    database_url: str = ""
    """SQLAlchemy URL; empty is SQLite in `state_dir`."""
    redis_url: str = ""
    """Empty is a private `redis-server` child on a Unix socket in `state_dir`."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 27080
    controller_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where a controller serves its own Prometheus metrics (`/metrics`, on `host`); 0 is nowhere."""
    public_url: str = ""
    """How clients reach the API, for links; empty is http://host:port."""
    clusters: dict[str, ClusterSettings]
    default_cluster: str = ""
    """Empty is the only cluster there is."""
    lease_s: Annotated[float, Field(gt=1)] = 30.0
    lease_renew_s: Annotated[float, Field(gt=0)] = 10.0
    max_array_tasks: Annotated[int, Field(ge=1)] = 10_000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    max_followers: Annotated[int, Field(ge=1)] = 2000
    stream_life_s: Annotated[float, Field(gt=1)] = 3600.0
    """A stream is closed after this long and its client told to come back: no connection lives for ever."""
    outcome_patience_s: Annotated[float, Field(ge=0)] = 60.0
    """How long an ended job may stay without a trustworthy outcome before it is OUTCOME_UNKNOWN."""

    @model_validator(mode="after")
    def _clusters_fit(self) -> Self:
        if not self.clusters:
            raise ValueError("clusters: at least one cluster is needed")
        if self.default_cluster and self.default_cluster not in self.clusters:
            raise ValueError(f"default_cluster: there is no cluster {self.default_cluster!r} in clusters")
        if not self.default_cluster and len(self.clusters) > 1:
            raise ValueError("default_cluster: needed where there are several clusters")
        return self

    @property
    def cluster(self) -> str:
        """The cluster that jobs go to when they do not say."""
        return self.default_cluster or next(iter(self.clusters))

    @property
    def effective_database_url(self) -> str:
        """The database, with the embedded default filled in."""
        return self.database_url or f"sqlite:///{self.state_dir / 'gateway.db'}"

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens."""
        return self.state_dir / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        """Redis, with the embedded default filled in."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def url(self) -> str:
        """The API's public address."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            TomlConfigSettingsSource(settings_cls),
            file_secret_settings,
        )


def load() -> Settings:
    """Read the settings from the file that SGW_CONFIG names, if any, and from SGW_… variables.

    Raises pydantic's ValidationError, naming every setting that is wrong.
    """

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=os.environ.get(CONFIG_VARIABLE))

    return FromFile()  # type: ignore[call-arg]
