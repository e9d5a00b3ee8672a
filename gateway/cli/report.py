"""Tell a person what went wrong: what happened, where, and what to do next."""

import traceback

from gateway.cli.credentials import NotSignedIn
from gateway.cli.environment import Environment
from gateway.cli.errors import CommandError
from gateway.cli.status import ExitStatus
from gateway.cli.terminal import printable
from gateway.client import ApiProblem, Unreachable
from gateway.errors import GatewayError
from gateway.wire import Problem, ProblemDetail


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
    if isinstance(error, GatewayError):  # of `sgw serve`, which runs the gateway itself
        _print(env, str(error), (f"hint: {error.hint}",) if error.hint else ())
        return ExitStatus.ERROR
    _print(
        env, f"this is a fault in sgw itself: {type(error).__name__}: {error}", ("run `sgw --debug …` and report it",)
    )
    return ExitStatus.ERROR


def explain_problem(problem: Problem, env: Environment, *, about: str = "") -> None:
    """Print a problem document: its sentence, then one line per finding."""
    findings = [line for finding in problem.errors if (line := _line(finding, problem.detail))]
    if problem.hint:
        findings.append(f"hint: {problem.hint}")
    elif problem.status == _NOT_SIGNED_IN:
        findings.append("run `sgw login URL` with a token that is valid")
    _print(env, f"{about}: {problem.detail}" if about else problem.detail, tuple(findings))


def status_of(problem: Problem) -> ExitStatus:
    """Choose the exit code for what the gateway answered."""
    if problem.name.startswith(("quota-", "budget-", "limit-")):
        return ExitStatus.LIMIT
    return _BY_HTTP.get(problem.status, ExitStatus.ERROR)


def _line(finding: ProblemDetail, said: str) -> str:
    """Write a finding without what the problem's own sentence has said already."""
    parts = [f"{finding.where}: {finding.message}", f"hint: {finding.hint}" if finding.hint else ""]
    return "  ".join(part for part in parts if part and part.removeprefix("hint: ") not in said)


def _print(env: Environment, message: str, findings: tuple[str, ...]) -> None:
    lines = [f"sgw: error: {message}", *(f"  {line}" for finding in findings for line in finding.splitlines())]
    print("\n".join(printable(line) for line in lines), file=env.stderr)


def _os_words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


_NOT_SIGNED_IN = 401
_BY_HTTP = {
    400: ExitStatus.INVALID,
    401: ExitStatus.REFUSED,
    402: ExitStatus.LIMIT,
    403: ExitStatus.REFUSED,
    404: ExitStatus.NOT_FOUND,
    413: ExitStatus.LIMIT,
    415: ExitStatus.INVALID,
    422: ExitStatus.INVALID,
    429: ExitStatus.LIMIT,
    502: ExitStatus.UNREACHABLE,
    503: ExitStatus.UNREACHABLE,
    504: ExitStatus.UNREACHABLE,
}
