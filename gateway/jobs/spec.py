"""Describe a validated job: what every way of submitting one comes down to."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from gateway.wire import Resources, Runtime

OutputStream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file name the tenant asked for with `--output` or `--error`; the wrapper makes it appear."""

    stream: OutputStream
    path: str
    """Absolute or relative to the working directory, with sbatch's patterns (`%j`, `%x` …) still in it."""
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A condition on another job, in sbatch's words (`afterok`)."""

    kind: str
    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job as it will be run, whatever it was written as. Stored as JSON; the script is stored beside it."""

    name: str
    runtime: Runtime
    options: tuple[str, ...]
    """sbatch options, validated and explicit, as `--name=value`."""
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    workdir: str | None
    """None is the user's home on the cluster."""
    outputs: tuple[Output, ...]
    merged: bool
    """stderr goes into the same file as stdout, as sbatch does when `--error` is not given."""
    dependencies: tuple[Dependency, ...]
    any_dependency: bool
    """One satisfied dependency is enough (sbatch's `?`)."""
    partition: str
    resources: Resources
    time_limit_s: int | None
    array: str | None
    expected_runtime_s: int | None
    estimated_cores: int | None
    storage_bytes: int | None
    output_bytes: int | None
    caller_cost_estimate: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document that is stored."""
        return asdict(self) | {"resources": self.resources.model_dump()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "JobSpec":
        """Read a stored document back. Unknown keys are a newer gateway's and are an error, not a guess."""
        known = {field.name for field in fields(cls)}
        if unknown := set(document) - known:
            raise ValueError(f"this job was stored by a newer gateway: {', '.join(sorted(unknown))}")
        values = dict(document)
        values["options"] = tuple(values["options"])
        values["args"] = tuple(values["args"])
        values["env"] = tuple((name, value) for name, value in values["env"])
        values["outputs"] = tuple(Output(**output) for output in values["outputs"])
        values["dependencies"] = tuple(Dependency(**dependency) for dependency in values["dependencies"])
        values["resources"] = Resources(**values["resources"])
        return cls(**values)
