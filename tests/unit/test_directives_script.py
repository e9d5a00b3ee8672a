"""Directive lines are found and split as sbatch does it."""

import pytest

from gateway.directives import Policy, parse_script
from gateway.directives.command_line import split_command_line
from gateway.directives.diagnostics import BadValue
from gateway.directives.script import scan_script, split_words


def words(script: str) -> list[tuple[str, str]]:
    scan = scan_script(script.encode(), max_bytes=10_000)
    return [(word.where, word.text) for word in scan.words]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-N 2 -n 4", ["-N", "2", "-n", "4"]),
        ("--job-name=foo   # a comment", ["--job-name=foo"]),
        ("--job-name=foo#bar", ["--job-name=foo"]),
        ("--comment='a # b' -H", ["--comment=a # b", "-H"]),
        ('--comment "it\'s"', ["--comment", "it's"]),
        (r"--comment=a\ b\#c\"d", ['--comment=a b#c"d']),
        (r'--comment="a\"b"', ['--comment=a"b']),
        ("--comment '' -N2", ["--comment", "", "-N2"]),
        ("-J a'b c'd", ["-J", "ab cd"]),
        ("\t-J\tx \r", ["-J", "x"]),
        ("# all comment", []),
        ("", []),
        ("--license=a:1;b --account=[budget code]", ["--license=a:1;b", "--account=[budget", "code]"]),
    ],
)
def test_a_line_is_split_at_blanks_outside_of_quotes(line: str, expected: list[str]) -> None:
    assert split_words(line) == expected


def test_an_open_quote_is_an_error_at_its_line() -> None:
    with pytest.raises(BadValue):
        split_words("--comment='a b")
    [error] = parse_script(b"#!/bin/sh\n#SBATCH -N1\n#SBATCH --comment='a b\n").errors
    assert error.where == "line 3"


def test_directives_end_at_the_first_command() -> None:
    script = "#!/bin/bash\n\n# c\n#SBATCH -N1\n\t\n#SBATCH\t-n2\nhostname\n#SBATCH -c3\n"
    assert words(script) == [("line 4", "-N1"), ("line 6", "-n2")]


def test_only_the_exact_words_at_the_margin_count() -> None:
    assert words("#!/bin/sh\n##SBATCH -N1\n #SBATCH -N2\n#sbatch -N3\n# SBATCH -N4\n#SBATCH-N5\n#SLURM -N6\n") == [
        ("line 6", "-N5"),
        ("line 7", "-N6"),
    ]


def test_a_value_may_stand_on_the_next_line_as_for_sbatch() -> None:
    parsed = parse_script(b"#!/bin/sh\n#SBATCH --job-name\n#SBATCH foo\n")
    assert (parsed.errors, parsed.directives.job_name) == ((), "foo")


@pytest.mark.parametrize(
    ("script", "where", "message"),
    [
        (b"", "script", "batch script is empty"),
        (b" \n\t\n", "script", "batch script contains only whitespace"),
        (b"\n#!/bin/bash\nhostname\n", "line 1", "this does not look like a batch script"),
        (b"#PBS -Y\nhostname\n", "line 1", "this does not look like a batch script"),
        (b"#!/bin/bash\n#SBATCH -N1\n\0\n", "line 3", "batch script contains a NULL character"),
        (b"#!/bin/bash\n" + b"x" * 100, "script", "batch script has 112 bytes; the limit is 100"),
    ],
)
def test_a_script_that_sbatch_would_not_take_is_refused_first(script: bytes, where: str, message: str) -> None:
    [error] = parse_script(script, policy=Policy(max_script_bytes=100)).errors
    assert (error.where, error.message) == (where, message)


def test_dos_line_breaks_are_repaired_with_a_warning() -> None:
    parsed = parse_script(b"#!/bin/bash\r\n#SBATCH --job-name=foo\r\nhostname\r\n")
    assert parsed.script == b"#!/bin/bash\n#SBATCH --job-name=foo\nhostname\n"
    assert (parsed.errors, parsed.directives.job_name) == ((), "foo")
    assert [warning.where for warning in parsed.warnings] == ["script"]


def test_bytes_that_are_no_text_survive_outside_of_directives_and_are_refused_in_them() -> None:
    latin1 = "#!/bin/bash\n# größe\n#SBATCH -N1\necho ü\n".encode("latin-1")
    assert parse_script(latin1).script == latin1
    assert parse_script(latin1).errors == ()
    [error] = parse_script("#!/bin/bash\n#SBATCH -J größe\n".encode("latin-1")).errors
    assert str(error) == r"line 2: --job-name=gr\udcf6\udcdfe: not valid UTF-8 — save the script as UTF-8"
    assert parse_script("#!/bin/bash\n#SBATCH -J größe\n".encode()).directives.job_name == "größe"


def test_lines_that_look_like_directives_and_are_none_get_a_warning() -> None:
    script = b"#!/bin/sh\n#sbatch -N1\n  #SBATCH -n1\nhostname\n#SBATCH -c1\n"
    assert [warning.where for warning in parse_script(script).warnings] == ["line 2", "line 5"]


def test_directives_in_a_here_document_are_none_of_our_business() -> None:
    script = b"#!/bin/sh\n#SBATCH -N1\nsbatch <<EOF\n#!/bin/sh\n#SBATCH -N2\nEOF\n"
    parsed = parse_script(script)
    assert (parsed.warnings, parsed.directives.sbatch_arguments) == ((), ("--nodes=1",))


@pytest.mark.parametrize("line", ["hetjob", "packjob", "HETJOB  ", ": -N2"])
def test_heterogeneous_jobs_are_refused_by_name(line: str) -> None:
    [error] = parse_script(f"#!/bin/sh\n#SBATCH -n1\n#SBATCH {line}\n#SBATCH -n2\n".encode()).errors
    assert error.where == "line 3"
    assert "heterogeneous jobs are not supported yet" in error.message


@pytest.mark.parametrize("argv", [["-N1", ":", "-N2", "--wrap", "x"], ["--wrap", "x", ":"], [":", "job.sh"]])
def test_heterogeneous_jobs_are_refused_by_name_on_the_command_line_too(argv: list[str]) -> None:
    [error] = parse_script(b"#!/bin/sh\nhostname\n", argv).errors
    assert str(error) == (
        "command line: ':': heterogeneous jobs are not supported yet — submit the components as separate jobs"
    )
    assert split_command_line(argv).refusal == error
    assert split_command_line(["job.sh", ":", "-N2"]).arguments == (":", "-N2")


@pytest.mark.parametrize(
    "body",
    [b"#SBATCH " + b"-H " * 40_000, b"#SBATCH -H\n" * 40_000, b"#SBATCH x\n" * 40_000, b"#PBS -h\n" * 40_000],
)
def test_a_script_made_of_directives_is_refused_with_few_words(body: bytes) -> None:
    parsed = parse_script(b"#!/bin/sh\n" + body)
    assert 1 <= len(parsed.errors) <= 5000
