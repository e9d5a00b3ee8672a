"""Submit a batch script the way Slurm's sbatch does."""

import argparse
import base64
from pathlib import PurePath
from typing import Final, NoReturn

from gateway.cli.credentials import connect, current
from gateway.cli.environment import Environment
from gateway.cli.errors import CommandError
from gateway.cli.input_variables import options_from
from gateway.cli.placement_words import placement_words
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import printable
from gateway.cli.waiting import exit_code_of, wait_for_end
from gateway.directives import Diagnostic, Directives, Parsed, Policy, parse_script
from gateway.directives.command_line import CommandLine, split_command_line, wrap
from gateway.directives.options import Treatment
from gateway.directives.table import TABLE
from gateway.wire import MAX_SCRIPT_BYTES, JobRequest, JobView

HELP = "Submit a batch script."
OWN_PARSER = (
    True  # getopt's rules, which argparse cannot follow: `-N2`, prefixes, everything behind the script is its own
)

_NOTES: Final = """SBATCH_* variables stand between the script's lines and the command line, as with sbatch.
The job does not get this shell's variables: name what it needs with --export=NAME=VALUE. It starts in your
home on the cluster, or in this directory if `sgw login --shared-fs` or SGW_SHARED_FS=1 says that both see
the same files."""

_PATIENCE_S: Final = 60.0
"""How long a submission is repeated, under one key, while the gateway does not answer."""

_SITE: Final = Policy(
    spank_allowed=frozenset(option.name for option in TABLE.options if option.treatment is Treatment.SPANK),
    max_array_size=4_000_001,
    max_script_bytes=MAX_SCRIPT_BYTES,
)
"""What a site allows is the server's to judge; here only what no site could accept is refused (Slurm's own maximum)."""


def run(args: argparse.Namespace, env: Environment) -> int:
    line = split_command_line(args.words)
    asked = parse_script(b"#!/bin/sh\n", line.options, policy=_SITE).client
    if asked.help:
        env.say(_help())
        return ExitStatus.OK
    if asked.version:
        from gateway.cli.main import program  # main imports every command lazily; this is the way back

        return program(["sgw", "--version"], env)
    if line.refusal is not None:
        _refuse((line.refusal,))
    script = _script(line, asked.wrap, env)
    from_variables = _checked_variables(env)
    options = (*from_variables, *line.options)
    parsed = parse_script(script, options, policy=_SITE)
    if parsed.errors:
        _refuse(parsed.errors)
    name = "wrap" if asked.wrap is not None else PurePath(line.script or "sbatch").name
    request = _request(script, name, (*options, *_place(parsed.directives, env)), line.arguments)
    if parsed.client.test_only:
        return _check(request, env, as_json=args.json)
    return _submit(request, parsed, env, as_json=args.json)


def _submit(request: JobRequest, parsed: Parsed, env: Environment, *, as_json: bool) -> int:
    client = connect(env)
    job = client.submit(request, key=env.new_key(), patience_s=_PATIENCE_S)
    for warning in job.warnings:
        env.warn(f"warning: {printable(warning)}")
    if as_json and not parsed.client.wait:
        env.say(job.model_dump_json(indent=2))
    elif parsed.client.parsable:
        env.say(job.id)
    elif not parsed.client.quiet and not as_json:
        env.say(f"Submitted batch job {job.id}")
    if not parsed.client.wait:
        return ExitStatus.OK
    env.stdout.flush()
    return _finish(wait_for_end(client, job.id, env), env, as_json=as_json)


def _finish(job: JobView, env: Environment, *, as_json: bool) -> int:
    if as_json:
        env.say(job.model_dump_json(indent=2))
    code = exit_code_of(job.state, job.exit_code)
    if code and not as_json:
        env.warn(f"job {job.id} {job.state.value}: {printable(job.message or job.reason.sentence)}")
    return code


def _script(line: CommandLine, command: str | None, env: Environment) -> bytes:
    if command is not None:
        if line.script is not None:
            raise CommandError("script arguments are not permitted with --wrap", ExitStatus.USAGE)
        return wrap(command)
    if line.script is None:
        script = env.stdin.read(MAX_SCRIPT_BYTES + 1)
    else:
        with (env.cwd / line.script).open("rb") as file:
            script = file.read(MAX_SCRIPT_BYTES + 1)
    if len(script) > MAX_SCRIPT_BYTES:
        limit = MAX_SCRIPT_BYTES // 2**20
        raise CommandError(f"the script is larger than {limit} MB, the most that Slurm takes", ExitStatus.LIMIT)
    return script


def _checked_variables(env: Environment) -> tuple[str, ...]:
    """Turn SBATCH_* variables into options, and blame a bad value on its variable, not on the command line."""
    options = options_from(env.variables)
    findings = [
        f"{variable}: {problem.message}" + (f"  hint: {problem.hint}" if problem.hint else "")
        for variable, option in options.items()
        for problem in parse_script(b"#!/bin/sh\n", [option], policy=_SITE).errors
    ]
    if findings:
        message = "an environment variable is not valid, nothing was submitted"
        raise CommandError(message, ExitStatus.INVALID, findings=tuple(findings))
    return tuple(options.values())


def _place(directives: Directives, env: Environment) -> tuple[str, ...]:
    """Start the job in this directory, as sbatch does, if the cluster sees the same files and nobody said otherwise."""
    return (f"--chdir={env.cwd}",) if directives.chdir is None and current(env).shared_fs else ()


def _request(script: bytes, name: str, options: tuple[str, ...], arguments: tuple[str, ...]) -> JobRequest:
    try:
        return JobRequest(script=script.decode(), script_name=name, options=options, args=arguments)
    except UnicodeDecodeError:
        encoded = base64.b64encode(script).decode()
        return JobRequest(script_base64=encoded, script_name=name, options=options, args=arguments)


def _check(request: JobRequest, env: Environment, *, as_json: bool) -> int:
    check = connect(env).check(request, patience_s=_PATIENCE_S)
    for warning in check.warnings:
        env.warn(f"warning: {printable(warning)}")
    if as_json:
        env.say(check.model_dump_json(indent=2))
        return ExitStatus.OK
    env.say("Nothing was submitted (--test-only). The gateway would accept this job:")
    lines = {"Name": check.name, **dict(placement_words(check.placement)), "Directory": check.workdir}
    for name, text in lines.items():
        env.say(f"{name:>11}: {printable(text)}")
    env.say("When it would start is not known: the gateway does not estimate start times yet.")
    return ExitStatus.OK


def _refuse(problems: tuple[Diagnostic, ...]) -> NoReturn:
    words = tuple(f"{p.where}: {p.message}" + (f"  hint: {p.hint}" if p.hint else "") for p in problems)
    raise CommandError("the job is not valid, nothing was submitted", ExitStatus.INVALID, findings=words)


def _help() -> str:
    from gateway.directives.reference import help_text  # only --help needs it

    return f"{help_text().rstrip()}\n\n{_NOTES}"
