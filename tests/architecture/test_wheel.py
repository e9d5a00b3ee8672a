"""Build the wheel, and look whether everything that is not Python came along."""

import subprocess
import sys
import zipfile

import pytest

from tests.architecture.source import PACKAGES, ROOT, tracked_files

ALONG = [
    "gateway/agent/wrapper.py",
    "gateway/db/migrations/env.py",
    "gateway/db/migrations/script.py.mako",
    "gateway/db/migrations/versions/0001_first_light.py",
    "gateway/db/migrations/versions/0002_rests_and_ends.py",
    "gateway/db/migrations/versions/0003_watches_by_name.py",
    "gateway/devcluster/packages.sh",
    "gateway/devcluster/packages.txt",
    "slurm_templates/base.sbatch.j2",
    "slurm_templates/runtimes/mpi.sbatch.j2",
    "slurm_templates/examples/mpi/heat.c",
]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = folder.glob("slurm_gateway-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("name", ALONG)
def test_the_wheel_brings(contents, name):
    assert name in contents


def test_every_tracked_file_of_a_package_ships(contents):
    ours = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    assert {name for name in ours if name.partition("/")[0] in PACKAGES} - contents == set()


def test_every_package_says_that_it_is_typed(contents):
    assert {f"{package}/py.typed" for package in PACKAGES} <= contents


def test_nothing_else_takes_a_name_at_the_top(contents):
    tops = {name.partition("/")[0] for name in contents}
    assert {name for name in tops if not name.endswith(".dist-info")} == set(PACKAGES)
