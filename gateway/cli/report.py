"""Tell a person what went wrong: what happened, where, and what to do next."""

import traceback

from gateway.cli.credentials import NotSignedIn
from gateway.cli.environment import Environment
from gateway.cli.status import ExitStatus, status_of
from gateway.client import ApiProblem, Unreachable
from gateway.wire import Problem


class CommandError(Exception):
    """A command cannot do what it was asked; the message is for the person who asked."""

    def __init__(self, message: str, status: ExitStatus = ExitStatus.ERROR, *, findings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.findings = findings


class UsageError(CommandError):
    """The command line is wrong."""

    def __init__(self, message: str, *, see: str = "") -> None:
        super().__init__(message, ExitStatus.USAGE, findings=(f"see `{see} --help`",) if see else ())


def explain(error: BaseException, env: Environment, *, debug: bool) -> ExitStatus:
    """Print an error the way people can use it and choose the exit code; `debug` adds the traceback."""
    if debug:
        traceback.print_exception(error, file=env.stderr)
    if isinstance(error, CommandError):
        _print(env, str(error), error.findings)
        return error.status
    if isinstance(error, ApiProblem):
        explain_problem(error.problem, env)
        return status_of(error.problem)
    if isinstance(error, NotSignedIn):
        _print(env, str(error), ())
        return ExitStatus.REFUSED
    if isinstance(error, Unreachable):
        _print(env, str(error), ("check SGW_URL or the URL of `sgw login`, and that the gateway runs: URL/healthz",))
        return ExitStatus.UNREACHABLE
    if isinstance(error, OSError):
        _print(env, _os_words(error), ())
        return ExitStatus.ERROR
    _print(
        env, f"this is a fault in sgw itself: {type(error).__name__}: {error}", ("run `sgw --debug …` and report it",)
    )
    return ExitStatus.ERROR


def explain_problem(problem: Problem, env: Environment, *, about: str = "") -> None:
    """Print a problem document: its sentence, then one line per finding."""
    findings = [
        f"{finding.where}: {finding.message}" + (f"  hint: {finding.hint}" if finding.hint else "")
        for finding in problem.errors
    ]
    if problem.hint:
        findings.append(f"hint: {problem.hint}")
    if problem.status == _NOT_SIGNED_IN:
        findings.append("run `sgw login URL` with a token that is valid")
    _print(env, f"{about}: {problem.detail}" if about else problem.detail, tuple(findings))


def _print(env: Environment, message: str, findings: tuple[str, ...]) -> None:
    lines = [f"sgw: error: {message}", *(f"  {line}" for finding in findings for line in finding.splitlines())]
    print("\n".join(lines), file=env.stderr)


def _os_words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


_NOT_SIGNED_IN = 401
