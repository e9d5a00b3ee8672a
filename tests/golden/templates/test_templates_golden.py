"""Hold every rendered script to its kept text, and that text to bash and shellcheck."""

import shutil
import subprocess
from importlib import resources

import pytest

from tests.golden.templates.cases import FOLDER, scripts

SCRIPTS = scripts()
NOT_TEXT = {"srun-hostile.sh", "mpi-hostile.sh"}
"""They hold a byte that is no UTF-8, at which shellcheck gives up."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_renders_as_it_is_kept(name):
    kept = FOLDER / name
    assert kept.exists(), f"a new case: run python -m tests.golden.templates.cases, and read {kept}"
    assert SCRIPTS[name] == kept.read_bytes()


def test_nothing_is_kept_that_is_no_longer_rendered():
    assert {path.name for path in FOLDER.glob("*.sh")} == set(SCRIPTS)


def test_every_runtime_has_a_kept_script():
    runtimes = resources.files("slurm_templates") / "runtimes"
    names = {entry.name.removesuffix(".sbatch.j2") for entry in runtimes.iterdir()}
    assert names == {name.split("-")[0] for name in SCRIPTS if "-" in name}


def test_bash_can_read_every_script():
    for name in SCRIPTS:
        checked = subprocess.run(["bash", "-n", FOLDER / name], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), name


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs the Debian package shellcheck")
def test_shellcheck_has_nothing_to_say():
    paths = [FOLDER / name for name in SCRIPTS if name not in NOT_TEXT]
    # SC2016: a line for the tasks' shells must not expand in the batch script's own.
    checked = subprocess.run(["shellcheck", "--exclude=SC2016", *paths], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
