"""Turn a request into a validated JobSpec: pure, so that an estimate and a submission can never disagree."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from gateway.directives import Policy, SiteRules, fit_to_site, parse_script
from gateway.directives.demand import Demand, NodeShape, demand
from gateway.directives.diagnostics import COMMAND_LINE, Diagnostic
from gateway.directives.directives import Directives
from gateway.directives.parse import Parsed
from gateway.errors import Detail, InvalidRequest
from gateway.jobs.described import fields_of_options, invalid, script_and_options
from gateway.jobs.fitting import demand_fit
from gateway.jobs.needs import gateway_needs
from gateway.jobs.sbatch_options import sbatch_options
from gateway.jobs.spec import JobSpec, Output
from gateway.settings import ClusterSettings
from gateway.slurm.transport import PoolCapacity
from gateway.wire import JobRequest, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a job can find on the cluster it goes to, for this user."""

    cluster: ClusterSettings
    pools: Mapping[str, PoolCapacity]
    """Partitions by name; empty until the cluster was looked at for the first time."""
    account: str
    home: str
    max_array_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A request, validated."""

    spec: JobSpec
    script: bytes
    warnings: tuple[str, ...]


def take_in(request: JobRequest, site: Site, *, now: datetime, checking: bool = False) -> Intake:
    """Validate a request for a site; `now` is aware and in the cluster's time zone.

    `checking` allows `--test-only`, which a submission must not say. Raises InvalidRequest with every finding about
    script and options at once, or TooLarge.
    """
    if request.inputs:
        raise invalid("inputs", "staging of inputs is not available yet", "put the files on the cluster first")
    parsed, directives, changes = _understand(request, site, checking=checking)
    pool = site.pools.get(directives.partitions[0])
    limit = _time_limit(directives, pool, site.cluster)
    wanted = _demand(directives, pool, site)
    if pool is not None:
        demand_fit(directives, pool, limit)
    name, workdir = _name(request, directives), str(PurePosixPath(site.home) / (directives.chdir or ""))
    options = sbatch_options(
        directives,
        name=name,
        account=site.account,
        partition=directives.partitions[0],
        workdir=workdir,
        time_limit_s=limit,
        mem_per_cpu_mb=site.cluster.default_mem_per_cpu_mb,
        now=now,
    )
    settled = _Settled(
        name=name, workdir=workdir, options=options, time_limit_s=limit, resources=_resources(directives, wanted)
    )
    spec = _spec(request, parsed, directives, settled)
    return Intake(spec=spec, script=parsed.script, warnings=_warnings(parsed, changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """What was worked out, where the request said less or other."""

    name: str
    workdir: str
    options: tuple[str, ...]
    time_limit_s: int | None
    resources: Resources


def _understand(
    request: JobRequest, site: Site, *, checking: bool
) -> tuple[Parsed, Directives, tuple[Diagnostic, ...]]:
    """Read script and options, and fit them to the site; returns what was changed for that, too."""
    script, options = script_and_options(request)
    policy = Policy(spank_allowed=frozenset(site.cluster.spank_options), max_array_size=site.max_array_tasks + 1)
    parsed = parse_script(script, options, policy=policy)
    _demand_none(parsed.errors, fields_of_options(request))
    if parsed.client.test_only and not checking:
        raise invalid("--test-only", "a check is asked for, not a submission", "remove it, or ask with test_only=true")
    fitted = fit_to_site(parsed.directives, _rules(request, parsed.directives, site))
    _demand_none(fitted.errors, {})
    return parsed, fitted.directives, fitted.warnings


def _spec(request: JobRequest, parsed: Parsed, directives: Directives, settled: _Settled) -> JobSpec:
    described = request.command is not None
    return JobSpec(
        name=settled.name,
        runtime=request.runtime or ("srun" if described else "script"),
        options=settled.options,
        args=() if described else (*parsed.script_arguments, *request.args),
        env=(*(directives.export.values if directives.export else ()), *request.env.items()),
        workdir=settled.workdir,
        outputs=_outputs(request, directives),
        merged=not described and directives.error is None,
        dependencies=gateway_needs(directives),
        any_dependency=directives.dependencies is not None and directives.dependencies.any,
        partition=directives.partitions[0],
        resources=settled.resources,
        time_limit_s=settled.time_limit_s,
        array=None if directives.array is None else str(directives.array),
        expected_runtime_s=request.expected_runtime,
        estimated_cores=request.estimated_cores,
        storage_bytes=request.storage_bytes,
        output_bytes=request.output_bytes,
        caller_cost_estimate=request.cost_estimate,
    )


def _demand_none(errors: tuple[Diagnostic, ...], fields: Mapping[str, str]) -> None:
    """Raise all errors at once; one about an option that was written for a field of the request names the field."""
    if not errors:
        return

    def detail(error: Diagnostic) -> Detail:
        field = fields.get(error.option or "") if error.where == COMMAND_LINE else None
        return replace(error.detail, where=field) if field else error.detail

    details = tuple(detail(error) for error in errors)
    hint = f" — {details[0].hint}" if details[0].hint else ""
    raise InvalidRequest(f"{details[0].where}: {details[0].message}{hint}", details=details)


def _warnings(parsed: Parsed, more: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    texts = [str(warning) for warning in (*parsed.warnings, *more)]
    export = parsed.directives.export
    if export is not None and export.names:
        names = ", ".join(export.names)
        texts.append(f"--export: {names}: the submitting shell's variables do not reach the cluster — give NAME=value")
    return tuple(texts)


def _rules(request: JobRequest, directives: Directives, site: Site) -> SiteRules:
    """A partition in a script may be another site's; a `pool` in a request is ours, and must exist."""
    known = {*site.pools, *site.cluster.partitions}
    if request.pool is not None and site.pools and request.pool not in known:
        raise invalid("pool", f"there is no pool {request.pool!r}", f"choose one of {', '.join(sorted(known))}")
    names = {name: name for name in site.pools} or {name: name for name in directives.partitions}
    default = next((name for name, pool in site.pools.items() if pool.default), next(iter(names), ""))
    return SiteRules(
        account=site.account,
        partitions={**names, **site.cluster.partitions},
        default_partition=default,
        allowed_dirs=(site.home, *([directives.chdir] if directives.chdir else [])),
        strict=site.cluster.strict_directives,
    )


def _time_limit(directives: Directives, pool: PoolCapacity | None, cluster: ClusterSettings) -> int | None:
    if directives.time_limit is not None:
        return directives.time_limit.seconds
    default = (pool.default_time_s if pool else None) or cluster.default_time_limit_s
    return min(default, pool.max_time_s) if pool and pool.max_time_s else default


def _demand(directives: Directives, pool: PoolCapacity | None, site: Site) -> Demand:
    shape = NodeShape(
        cpus=pool.cpus_per_node if pool else None,
        mem_mb=pool.memory_mb_per_node if pool else None,
        mem_per_cpu_mb=site.cluster.default_mem_per_cpu_mb,
    )
    return demand(directives, shape, max_array_tasks=site.max_array_tasks)


def _name(request: JobRequest, directives: Directives) -> str:
    """sbatch's own rule: the option, else the script's file name, else `sbatch`."""
    if directives.job_name is not None:
        return directives.job_name
    script = PurePosixPath(request.script_name or "").name
    if script:
        return "".join(char if char.isprintable() else "?" for char in script)[:200]
    return "sbatch" if request.command is None else "job"


def _outputs(request: JobRequest, directives: Directives) -> tuple[Output, ...]:
    """The files the tenant expects to find: sbatch's default name for a script, none for a described run."""
    append = directives.open_mode == "append"
    default = "slurm-%A_%a.out" if directives.array else "slurm-%j.out"
    outputs = []
    stdout = directives.output or (default if request.command is None else None)
    if stdout is not None:
        outputs.append(Output(stream="stdout", path=stdout, append=append))
    if directives.error is not None:
        outputs.append(Output(stream="stderr", path=directives.error, append=append))
    return tuple(outputs)


def _resources(directives: Directives, wanted: Demand) -> Resources:
    array = directives.array is not None
    return Resources(
        nodes=wanted.nodes,
        tasks=wanted.tasks,
        cpus=wanted.cpus,
        memory_mb=wanted.mem_mb or 0,
        gpus=wanted.gpus,
        array_tasks=wanted.array_tasks if array else None,
        array_throttle=wanted.throttle if array else None,
    )
