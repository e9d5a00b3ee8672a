"""Read the helper's configuration, which says who may ask and which users it may become."""

import json
import os
import resource
import stat
from dataclasses import dataclass, fields
from typing import Any

UNLIMITED = resource.RLIM_INFINITY

# sbatch sends its own soft limits to the job (PropagateResourceLimits), so they are stated here like a login's,
# never inherited from whatever started the helper: a service's NOFILE and MEMLOCK did arrive in tenants' jobs.
_LIMITS = {
    "as": (UNLIMITED, UNLIMITED),
    "core": (0, UNLIMITED),
    "cpu": (UNLIMITED, UNLIMITED),
    "data": (UNLIMITED, UNLIMITED),
    "fsize": (UNLIMITED, UNLIMITED),
    "memlock": (8 * 1024 * 1024, 8 * 1024 * 1024),
    "nofile": (1024, 524288),
    "nproc": (UNLIMITED, UNLIMITED),
    "rss": (UNLIMITED, UNLIMITED),
    "stack": (8 * 1024 * 1024, UNLIMITED),
}


class ConfigError(Exception):
    """The configuration cannot be trusted or understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the operator allows. A user may be acted for when any of `users`, `prefixes`, `groups` names them."""

    attempts_root: str
    """Absolute; on the cluster's shared file system, owned by root or a client, writable by nobody else."""
    clients: tuple[str, ...] = ()
    """Unix users that may connect (the gateway's)."""
    users: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    min_uid: int = 1000
    slurm_conf: str = "/etc/slurm/slurm.conf"
    sbatch: str = "/usr/bin/sbatch"
    scancel: str = "/usr/bin/scancel"
    path: str = "/usr/local/bin:/usr/bin:/bin"
    """PATH of sbatch, hence of the tenants' jobs."""
    umask: int = 0o022
    """Written as an octal string: `"022"`."""
    limits: dict[str, tuple[int, int]]
    """Soft and hard resource limits of sbatch by their lower-case names (`nofile`); null is unlimited."""
    max_sessions: int = 512
    max_sessions_per_user: int = 32


class ConfigFile:
    """A configuration file that is read again whenever it changes."""

    def __init__(self, path: str, *, owner: int = 0) -> None:
        self._path = path
        self._owner = owner
        self._seen: tuple[int, ...] = ()
        self._config: Config | None = None

    def current(self) -> Config:
        """Return what the file says now; raises ConfigError, and a broken file is never covered by its old text."""
        try:
            with open(self._path, "rb") as file:
                found = os.fstat(file.fileno())
                seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                if self._config is None or seen != self._seen:
                    self._config = None
                    self._config = self._read(found, file.read())
                    self._seen = seen
        except OSError as error:
            self._config = None
            raise ConfigError(f"{self._path}: {error.strerror}") from None
        return self._config

    def _read(self, found: os.stat_result, text: bytes) -> Config:
        if found.st_uid != self._owner or stat.S_IMODE(found.st_mode) & 0o022:
            raise ConfigError(
                f"{self._path}: must be owned by uid {self._owner} and writable by nobody else;"
                f" it is owned by uid {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}"
            )
        try:
            return parse(json.loads(text))
        except (ValueError, ConfigError) as error:
            raise ConfigError(f"{self._path}: {error}") from None


def parse(raw: object) -> Config:
    """Check the JSON object of a configuration; raises ConfigError naming the field."""
    if not isinstance(raw, dict):
        raise ConfigError("must be a JSON object")
    unknown = raw.keys() - {field.name for field in fields(Config)}
    if unknown:
        raise ConfigError(f"unknown field {min(unknown)!r}")
    values: dict[str, Any] = {name: _value(name, value) for name, value in raw.items()}
    values["limits"] = _LIMITS | values.get("limits", {})
    if "attempts_root" not in values:
        raise ConfigError("attempts_root: missing")
    return Config(**values)


def _value(name: str, value: object) -> object:
    match name:
        case "clients" | "users" | "prefixes" | "groups":
            if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
                raise ConfigError(f"{name}: must be a list of non-empty strings")
            return tuple(value)
        case "attempts_root" | "slurm_conf" | "sbatch" | "scancel":
            if not isinstance(value, str) or not value.startswith("/"):
                raise ConfigError(f"{name}: must be an absolute path")
            return value
        case "path":
            if not isinstance(value, str):
                raise ConfigError("path: must be a string")
            return value
        case "umask":
            if not isinstance(value, str) or not 0 < len(value) <= 4 or value.strip("01234567"):
                raise ConfigError('umask: must be an octal string such as "022"')
            return int(value, 8)
        case "limits":
            return _limits(value)
        case _:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name}: must be a number from 1")
            return value


def _limits(value: object) -> dict[str, tuple[int, int]]:
    if not isinstance(value, dict) or value.keys() - _LIMITS.keys():
        raise ConfigError(f"limits: must be an object with any of {', '.join(_LIMITS)}")
    limits = {}
    for name, pair in value.items():
        numbers = [UNLIMITED if each is None else each for each in pair] if isinstance(pair, list) else []
        if len(numbers) != 2 or not all(type(each) is int and each >= UNLIMITED for each in numbers):
            raise ConfigError(f"limits.{name}: must be [soft, hard], where null is unlimited")
        limits[name] = (numbers[0], numbers[1])
    return limits
