"""Find a Python and a copy of this program that an unprivileged user can read.

A checkout or a virtual environment below /root is closed to the gateway's user, rightly. Then a copy is made in the
state directory; nothing is opened up.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import gateway
from gateway.devcluster.errors import DevClusterError

_PACKAGES = ("gateway", "slurm_templates", "quota", "staging", "logs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start one of our modules as another user."""

    python: str
    path: tuple[str, ...]
    """PYTHONPATH; empty where the virtual environment itself is used."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables it needs."""
        return {"PYTHONPATH": ":".join(self.path)} if self.path else {}


def find_program(user: str, *, copies: Path) -> Program:
    """Return our own environment if `user` can read it, else a fresh copy below `copies`."""
    checkout = Path(gateway.__file__).parent.parent
    if _can(user, [sys.executable, "-c", "import gateway.app"]):
        return Program(python=sys.executable, path=())
    python = os.path.realpath(sys.executable)
    if not _can(user, [python, "-c", ""]):
        raise DevClusterError(
            f"{python} cannot be run by the unprivileged user {user}: make the virtual environment with a system"
            " Python (`rm -r .venv; make PYTHON=/usr/bin/python3 …`)"
        )
    return Program(python=python, path=(str(_copy(checkout, copies)),))


def _can(user: str, argv: list[str]) -> bool:
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *argv]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def _copy(checkout: Path, copies: Path) -> Path:
    """Copy our packages, always, and the installed ones when they are not there or of another lock."""
    site = Path(str(metadata.distribution("pydantic").locate_file("")))
    target = copies / f"{sys.implementation.cache_tag}-{int(site.stat().st_mtime)}"
    if not (target / ".complete").exists():
        shutil.rmtree(copies, ignore_errors=True)
        skip = shutil.ignore_patterns("__pycache__", "pip", "mypy", "mypyc", "ruff", "*.pth")
        shutil.copytree(site, target, symlinks=True, ignore=skip)
        (target / ".complete").touch()
    for name in _PACKAGES:
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(checkout / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target
