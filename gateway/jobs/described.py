"""Write a described run (`runtime`, `nodes`, `time_limit` …) as the script and options its tenant could have written.

Described runs and raw scripts then take the same way through one parser: one set of checks, one meaning.
"""

import base64
import binascii
import re
from typing import Final

from gateway.errors import Detail, InvalidRequest, TooLarge
from gateway.wire import MAX_SCRIPT_BYTES, JobRequest
from slurm_templates.render import TemplateError
from slurm_templates.runtime import Run, script_of

_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_AMOUNT: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")
_HALF: Final = re.compile(r"[\ud800-\udfff]")
_MAX_ENV_VALUE: Final = 32768
_SCRIPT_FIELDS: Final = ("script", "script_base64", "command")


def script_and_options(request: JobRequest) -> tuple[bytes, tuple[str, ...]]:
    """Return the batch script and the sbatch options of a request; raises InvalidRequest or TooLarge by the field."""
    _check_env(request.env)
    for number, word in enumerate(request.args):
        _check_text(f"args[{number}]", word)
    if request.cost_estimate is not None and not _AMOUNT.fullmatch(request.cost_estimate):
        raise invalid("cost_estimate", "is not an amount", "write it like 12.50")
    script = _script(request)
    if len(script) > MAX_SCRIPT_BYTES:
        field = next(name for name in _SCRIPT_FIELDS if getattr(request, name) is not None)
        message = f"{len(script)} bytes of script; the limit is {MAX_SCRIPT_BYTES}"
        detail = Detail(where=field, message=message, hint="read large data from a file")
        raise TooLarge(f"{field}: {message} — {detail.hint}", details=(detail,))
    return script, (*request.options, *_options(request))


def invalid(where: str, message: str, hint: str | None = None) -> InvalidRequest:
    """Make the error for one field."""
    return InvalidRequest(f"{where}: {message}", details=(Detail(where=where, message=message, hint=hint),))


def _script(request: JobRequest) -> bytes:
    given = [getattr(request, name) is not None for name in _SCRIPT_FIELDS]
    if sum(given) != 1:
        found = "none is" if not any(given) else "more than one is"
        raise invalid("script", f"exactly one of script, script_base64 and command is needed; {found} given")
    if request.command is not None:
        return _rendered(request)
    if request.runtime not in {None, "script"}:
        raise invalid(
            "runtime", f"{request.runtime!r} runs a command, not a script", "leave runtime out, or give command"
        )
    if request.script is not None:
        try:
            script = request.script.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise invalid("script", "is not valid Unicode", "send it as script_base64") from None
    else:
        try:
            script = base64.b64decode(request.script_base64 or "", validate=True)
        except binascii.Error:
            raise invalid("script_base64", "is not base64") from None
    return script


def _rendered(request: JobRequest) -> bytes:
    if request.command is None:
        raise AssertionError("only called with a command")
    run = Run(runtime=request.runtime or "srun", command=request.command, args=request.args)
    try:
        return script_of(run)
    except TemplateError as error:
        raise invalid("command", str(error).removeprefix("command: ")) from None


def fields_of_options(request: JobRequest) -> dict[str, str]:
    """Return which field of the request each option was written for."""
    return {option: field for field, option, value in _described(request) if value is not None}


def _options(request: JobRequest) -> list[str]:
    """Write the described fields as options. They come last, so they beat what the script says."""
    return [f"--{option}={value}" for _, option, value in _described(request) if value is not None]


def _described(request: JobRequest) -> list[tuple[str, str, object]]:
    return [
        ("name", "job-name", request.name),
        ("nodes", "nodes", request.nodes),
        ("tasks", "ntasks", request.tasks),
        ("tasks_per_node", "ntasks-per-node", request.tasks_per_node),
        ("cpus_per_task", "cpus-per-task", request.cpus_per_task),
        ("memory", "mem", request.memory),
        ("gpus", "gres", f"gpu:{request.gpus}" if request.gpus else None),
        ("time_limit", "time", request.time_limit),
        ("array", "array", request.array),
        ("workdir", "chdir", request.workdir),
        ("pool", "partition", request.pool),
    ]


def _check_env(env: dict[str, str]) -> None:
    for name, value in env.items():
        if not _ENV_NAME.fullmatch(name):
            raise invalid("env", f"{name!r} is not a variable's name")
        if name.startswith(("SLURM_", "SBATCH_", "SGW_")):
            raise invalid("env", f"{name} is set by Slurm or the gateway", "choose another name")
        _check_text(f"env.{name}", value)
        if len(value) > _MAX_ENV_VALUE:
            raise invalid(f"env.{name}", f"has {len(value)} characters; the limit is {_MAX_ENV_VALUE}")


def _check_text(where: str, text: str) -> None:
    """Refuse what neither a command line nor PostgreSQL can hold: NUL, and halves of characters."""
    if "\0" in text or _HALF.search(text):
        raise invalid(where, "has a NUL character or is not valid Unicode", "remove it")
