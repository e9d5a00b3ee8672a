"""Keep each third-party library, each process and each coroutine where it lives."""

import ast
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import gateway.cli
from tests.architecture.source import PACKAGES, ROOT, Module, below, dotted, imported, module, modules

HOMES = {
    "alembic": ("gateway/db/",),
    "fastapi": ("gateway/api/",),
    "httpx": ("gateway/client.py", "gateway/cli/environment.py", "gateway/demo/"),
    "httpx_sse": ("gateway/client.py",),
    "jinja2": ("slurm_templates/", "gateway/portal/"),
    "paramiko": ("gateway/slurm/transports/ssh.py",),
    "prometheus_client": ("gateway/api/metrics.py", "gateway/slurm/spending.py", "gateway/worker.py"),
    "pydantic": ("gateway/wire.py", "gateway/settings.py", "gateway/client.py", "gateway/api/", "gateway/cli/admin.py"),
    "pydantic_settings": ("gateway/settings.py",),
    "pyslurm": ("gateway/slurm/transports/pyslurm.py",),
    "redis": ("gateway/redis.py",),
    "rq": ("gateway/queue.py", "gateway/worker.py"),
    "sqlalchemy": (
        "gateway/db/",
        "gateway/jobs/",
        "gateway/auth/",
        "gateway/controller/",
        "gateway/api/",
        "gateway/serving/",
    ),
    "sqlmodel": ("gateway/db/",),
    "starlette": ("gateway/api/",),
    "structlog": ("gateway/",),
    "uvicorn": ("gateway/api/server.py", "gateway/app.py"),
    # Not third-party, but a trade of few all the same.
    "asyncio": ("gateway/api/", "logs/follower.py", "logs/wakeups.py"),
    "subprocess": (
        "gateway/demo/",
        "gateway/devcluster/commands.py",
        "gateway/redis.py",
        "gateway/runas/verbs.py",
        "gateway/serving/supervise.py",
        "gateway/slurm/helper.py",
        "gateway/slurm/query.py",
    ),
}
ASYNC_HOMES = ("gateway/api/", "gateway/rpc/", "logs/follower.py")
"""The core is synchronous. Only the service, which holds thousands of streams, is not, nor what a stream waits on."""
STANDALONE = ("gateway/agent/", "gateway/runas/")
"""Runs as root or on compute nodes, where nothing is installed."""
STARTS_PROCESS = {"run", "Popen", "call", "check_call", "check_output"}
SERVER_PACKAGES = {"alembic", "fastapi", "redis", "rq", "sqlalchemy", "sqlmodel", "starlette", "uvicorn", "structlog"}


def homeless(mod: Module) -> Iterator[str]:
    for name, node in imported(mod.tree):
        top = name.partition(".")[0]
        if top in PACKAGES or (top in sys.stdlib_module_names and top not in HOMES):
            continue
        if top not in HOMES:
            yield f"{mod.at(node)}: {top} has no home yet; give it one"
        elif not mod.path.startswith(HOMES[top]):
            yield f"{mod.at(node)}: {top} lives in {', '.join(HOMES[top])}"


def shells(mod: Module) -> Iterator[str]:
    for node in ast.walk(mod.tree):
        if isinstance(node, ast.Call):
            starts = dotted(node.func).rpartition(".")[2] in STARTS_PROCESS
            by_keyword = starts and any(k.arg == "shell" and not _is_false(k.value) for k in node.keywords)
            by_name = dotted(node.func) in {
                "os.system",
                "os.popen",
                "subprocess.getoutput",
                "subprocess.getstatusoutput",
            }
            if by_keyword or by_name:
                yield f"{mod.at(node)}: hands text to a shell; give an argv list"


def coroutines(mod: Module) -> Iterator[str]:
    for node in ast.walk(mod.tree):
        if isinstance(node, ast.AsyncFunctionDef) and not mod.path.startswith(ASYNC_HOMES):
            yield f"{mod.at(node)}: async def {node.name} outside of the service"


def dependent(mod: Module) -> Iterator[str]:
    folder = mod.path.rpartition("/")[0].replace("/", ".")
    for name, node in imported(mod.tree):
        if name.partition(".")[0] not in sys.stdlib_module_names and not f"{name}.".startswith(f"{folder}."):
            yield f"{mod.at(node)}: imports {name}, which is not there where this runs"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_each_library_is_used_only_where_it_lives():
    assert [line for mod in modules() for line in homeless(mod)] == []


def test_no_text_is_handed_to_a_shell():
    assert [line for mod in modules() for line in shells(mod)] == []


def test_only_the_service_is_asynchronous():
    assert [line for mod in modules() for line in coroutines(mod)] == []


def test_what_runs_elsewhere_needs_only_the_standard_library():
    assert [line for mod in below(*STANDALONE) for line in dependent(mod)] == []


@pytest.mark.parametrize(
    ("rule", "mod"),
    [
        (homeless, module("def f():\n    import redis")),
        (homeless, module("from numpy import array")),
        (homeless, module("import subprocess")),
        (shells, module("subprocess.run('ls', shell=True)")),
        (shells, module("run('ls', shell=flag)")),
        (shells, module("os.system('ls')")),
        (coroutines, module("async def f(): ...", "gateway/jobs/submit.py")),
        (dependent, module("from gateway.errors import GatewayError", "gateway/runas/verbs.py")),
        (dependent, module("import httpx", "gateway/agent/wrapper.py")),
    ],
)
def test_each_rule_finds_what_breaks_it(rule, mod):
    assert list(rule(mod))


def loaded_by(*names: str) -> set[str]:
    """Import modules in a fresh interpreter; returns the top-level names of all that were loaded."""
    program = "import importlib, json, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    program += "; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_command_line_and_the_client_load_no_part_of_the_server():
    names = {found.name for found in pkgutil.iter_modules(gateway.cli.__path__)} - {"__main__"}
    commands = [f"gateway.cli.{name}" for name in sorted(names)]
    loaded = loaded_by("gateway.client", *commands)
    assert {name.partition(".")[0] for name in loaded} & SERVER_PACKAGES == set()
    assert not {
        name for name in loaded if name.startswith(("gateway.api", "gateway.db", "gateway.settings", "gateway.runas"))
    }


def test_the_help_starts_without_the_http_library():
    assert "httpx" not in loaded_by("gateway.cli.main")


def test_the_helper_loads_nothing_but_itself():
    loaded = {name for name in loaded_by("gateway.runas.server") if name.startswith("gateway.")}
    assert {name for name in loaded if not name.startswith("gateway.runas")} == set()
