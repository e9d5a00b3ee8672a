"""Command lines: what every one must say whatever a tenant asked for."""

import pytest

from gateway.ids import AttemptId, UnixUser
from gateway.slurm import commands
from gateway.slurm.transport import SubmitOrder

DIRECTORY = "/shared/attempts/ada/7-main-1-0badcafe"


def order(*options: str, array: bool = False, merged: bool = False) -> SubmitOrder:
    return SubmitOrder(
        attempt=AttemptId("7-main-1-0badcafe"),
        user=UnixUser("ada"),
        uid=1004,
        options=options,
        array=array,
        merged=merged,
        batch=b"",
        files={},
        deadline=0,
    )


def test_sbatch_fixes_what_is_the_gateways_behind_what_is_the_tenants() -> None:
    assert commands.sbatch(order("--job-name=a b", "--requeue"), DIRECTORY) == [
        "sbatch",
        "--job-name=a b",
        "--requeue",
        "--parsable",
        "--export=ALL",
        "--no-requeue",
        f"--chdir={DIRECTORY}",
        f"--output={DIRECTORY}/stdout",
        f"--error={DIRECTORY}/stderr",
    ]


def test_tasks_of_an_array_write_files_of_their_own() -> None:
    argv = commands.sbatch(order("--array=0-3", array=True), DIRECTORY)
    assert argv[-2:] == [f"--output={DIRECTORY}/stdout.%a", f"--error={DIRECTORY}/stderr.%a"]


def test_merged_output_has_no_error_file() -> None:
    argv = commands.sbatch(order(merged=True), DIRECTORY)
    assert argv[-1] == f"--output={DIRECTORY}/stdout"


def test_a_percent_sign_in_a_path_is_meant_literally() -> None:
    argv = commands.sbatch(order(), "/shared/100%u/a")
    assert "--chdir=/shared/100%u/a" in argv
    assert "--output=/shared/100%%u/a/stdout" in argv


@pytest.mark.parametrize("option", ["script.sh", "--", "-p", ""])
def test_what_is_not_a_long_option_never_reaches_sbatch(option: str) -> None:
    with pytest.raises(ValueError, match="not sbatch options"):
        commands.sbatch(order(option), DIRECTORY)


def test_squeue_asks_for_everything_unpadded_and_fences_free_texts() -> None:
    argv = commands.squeue("<mark>")
    assert "--states=all" in argv
    layout = argv[-1].removeprefix("--Format=").split(",")
    assert layout[-2:] == ["Name:<mark>", "WorkDir:<mark>"]
    assert all(field.endswith(":\x1f") for field in layout[:-2])
    assert "--jobs=36,37" in commands.squeue("<mark>", ["36", "37"])


def test_sacct_is_bounded_in_time_by_utc() -> None:
    argv = commands.sacct("<mark>", ["36", "40"], since=1795237791)
    assert "--starttime=2026-11-21T05:09:51" in argv
    assert "--jobs=36,40" in argv
    assert {"--duplicates", "--allusers", "--noconvert"} <= set(argv)


def test_queries_run_with_nothing_that_could_change_their_output() -> None:
    assert not any(name.startswith(("SQUEUE_", "SACCT_", "SINFO_", "SBATCH_")) for name in commands.ENVIRONMENT)
    assert commands.ENVIRONMENT["SLURM_TIME_FORMAT"] == "%s"
