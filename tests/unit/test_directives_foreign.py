"""PBS and LSF directives mean what sbatch takes them for."""

from gateway.directives import parse_script


def pbs(*lines: str) -> bytes:
    return "\n".join(["#!/bin/sh", *(f"#PBS {line}" for line in lines), "hostname", ""]).encode()


def bsub(*lines: str) -> bytes:
    return pbs(*lines).replace(b"#PBS", b"#BSUB")


def test_pbs_options_become_sbatchs() -> None:
    parsed = parse_script(
        pbs("-N name -q long,short -A acct", "-l nodes=2:ppn=4:gpus=1,walltime=1:00:00,mem=4gb", "-o out -h")
    )
    d = parsed.directives
    assert (parsed.errors, parsed.warnings) == ((), ())
    assert (d.job_name, d.partitions, d.account, d.output, d.hold) == ("name", ("long", "short"), "acct", "out", True)
    assert d.sbatch_arguments == (
        "--nodes=2",
        "--ntasks-per-node=4",
        "--gpus-per-node=1",
        "--time=0-01:00:00",
        "--mem=4096M",
    )


def test_pbs_pro_chunks_arrays_mail_and_dependencies_are_understood() -> None:
    d = parse_script(
        pbs("-l select=2:ncpus=4:mpiprocs=2", "-J 1-3", "-m abe -M a@b.example", "-W depend=afterok:7")
    ).directives
    assert d.sbatch_arguments == (
        "--nodes=2",
        "--mincpus=4",
        "--ntasks-per-node=2",
        "--mail-type=BEGIN,END,FAIL",
        "--mail-user=a@b.example",
    )
    assert (str(d.array), str(d.dependencies)) == ("1-3", "afterok:7")


def test_what_slurm_has_no_counterpart_for_is_a_warning() -> None:
    parsed = parse_script(pbs("-j oe", "-l place=scatter,walltime=60", "-V", "-W umask=022"))
    assert parsed.errors == ()
    assert [(w.where, w.message) for w in parsed.warnings] == [
        ("line 2", "#PBS -j oe is ignored"),
        ("line 3", "#PBS -l place=scatter is ignored"),
        ("line 5", "#PBS -W umask=022 is ignored"),
    ]


def test_lsf_options_become_sbatchs() -> None:
    d = parse_script(
        bsub("-J lsf -n 2,8 -W 1:30 -M 4096", "-q long -o out", "-cwd /tmp", "-x", '-m "n1 n2"')
    ).directives
    assert (d.job_name, d.partitions, d.output, d.chdir) == ("lsf", ("long",), "out", "/tmp")
    assert d.sbatch_arguments == (
        "--ntasks=8",
        "--time=0-00:02:00",
        "--mem-per-cpu=4M",
        "--exclusive=exclusive",
        "--nodelist=n1,n2",
    )


def test_they_win_over_sbatchs_own_and_lose_to_the_command_line_as_with_sbatch() -> None:
    script = pbs("-N pbs").replace(b"hostname", b"#SBATCH -J sbatch\nhostname")
    assert parse_script(script).directives.job_name == "pbs"
    assert parse_script(script, ["-J", "line"]).directives.job_name == "line"


def test_only_one_of_the_two_systems_is_read() -> None:
    script = bsub("-J lsf").replace(b"hostname", b"#PBS -N pbs\nhostname")
    assert parse_script(script).directives.job_name == "lsf"


def test_they_can_be_switched_off() -> None:
    assert parse_script(pbs("-N pbs"), ["--ignore-pbs"]).directives.job_name is None
    assert parse_script(pbs("-N x").replace(b"hostname", b"#SBATCH --ignore-pbs\n")).directives.job_name is None


def test_their_errors_have_lines_too() -> None:
    errors = parse_script(pbs("-l walltime=soon", "-Y", "stray", "-N 'x")).errors
    assert [error.where for error in errors] == ["line 2", "line 3", "line 4", "line 5"]
