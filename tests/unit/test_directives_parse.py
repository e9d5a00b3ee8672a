"""A script and a command line become one set of directives, with every problem named at once."""

import pytest

from gateway.directives import Policy, parse_script
from gateway.directives.command_line import CommandLine, split_command_line, wrap
from gateway.directives.directives import ClientFlags
from gateway.directives.values.quantities import Memory, NodeRange


def script(*lines: str) -> bytes:
    return "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), "hostname", ""]).encode()


@pytest.mark.parametrize(
    "line", ["--nodes=2", "--nodes 2", "-N 2", "-N2", "--nodes=9 --nodes 2", "-HN2", "-H -N 2", "--nodes=2 -N=x -N2"]
)
def test_every_spelling_of_an_option_means_the_same(line: str) -> None:
    assert parse_script(script(line)).directives.nodes == NodeRange(min=2, max=2)


def test_the_command_line_beats_the_script_and_the_last_of_each_wins() -> None:
    parsed = parse_script(script("-J a -N1", "-N2"), ["-J", "b", "--job-name=c", "--mem=1G"])
    assert parsed.directives.job_name == "c"
    assert parsed.directives.mem_per_node == Memory(mb=1024)
    assert parsed.directives.sbatch_arguments == ("--nodes=2", "--mem=1024M")


def test_options_that_override_each_other_keep_their_order() -> None:
    assert parse_script(script("--exclusive -s --exclusive=user")).directives.sbatch_arguments == (
        "--oversubscribe",
        "--exclusive=user",
    )


def test_several_mail_types_are_all_passed_on() -> None:
    arguments = parse_script(script("--mail-type=BEGIN", "--mail-type=END")).directives.sbatch_arguments
    assert arguments == ("--mail-type=BEGIN", "--mail-type=END")


def test_an_optional_value_is_only_taken_behind_an_equals_sign() -> None:
    parsed = parse_script(script(), ["--exclusive", "user", "--nice=5"])
    assert (parsed.directives.exclusive, parsed.script_name) == ("exclusive", "user")
    assert parsed.script_arguments == ("--nice=5",)


def test_what_an_omitted_value_means_is_written_out() -> None:
    arguments = parse_script(script("--nice -k --exclusive")).directives.sbatch_arguments
    assert arguments == ("--nice=100", "--no-kill=set", "--exclusive=exclusive")


def test_options_end_at_the_script_or_at_two_dashes() -> None:
    assert split_command_line(["-N2", "--time", "5", "job.sh", "-N3", "x"]) == CommandLine(
        options=("-N2", "--time", "5"), script="job.sh", arguments=("-N3", "x")
    )
    assert split_command_line(["-N2", "--", "-odd.sh"]) == CommandLine(options=("-N2", "--"), script="-odd.sh")
    assert split_command_line(["-", "a"]) == CommandLine(options=(), script="-", arguments=("a",))
    assert split_command_line(["-H"]) == CommandLine(options=("-H",))


def test_a_job_is_named_after_its_script() -> None:
    assert parse_script(script(), ["dir/job.sh", "x"]).directives.job_name == "job.sh"
    assert parse_script(script(), ["--wrap=hostname"]).directives.job_name == "wrap"
    assert parse_script(script()).directives.job_name is None
    assert parse_script(script("-J x"), ["job.sh"]).directives.job_name == "x"


def test_the_script_that_wrap_stands_for_is_sbatchs_own() -> None:
    assert wrap("echo a\nb") == b"#!/bin/sh\n# This script was created by sbatch --wrap.\n\necho a\nb\n\n"


def test_the_client_is_told_what_concerns_it() -> None:
    parsed = parse_script(script("--wait --parsable"), ["-Qv", "--test-only", "--wrap", "echo a b"])
    assert parsed.errors == ()
    assert parsed.client == ClientFlags(
        wait=True, parsable=True, quiet=True, verbose=True, test_only=True, wrap="echo a b"
    )
    assert parsed.directives.sbatch_arguments == ()


def test_a_wrapped_command_may_have_many_lines() -> None:
    command = "cd /tmp\n\techo a\n" * 1000
    parsed = parse_script(wrap(command), [f"--wrap={command}"])
    assert (parsed.errors, parsed.client.wrap, parsed.directives.job_name) == ((), command, "wrap")


def test_wrap_and_a_script_exclude_each_other() -> None:
    assert [e.where for e in parse_script(script(), ["--wrap=a", "b"]).errors] == ["command line"]


def test_what_concerns_only_the_command_line_is_ignored_in_a_script_with_a_warning() -> None:
    parsed = parse_script(script("--help", "--wrap=x", "-Q"))
    assert parsed.client == ClientFlags()
    assert [w.where for w in parsed.warnings] == ["line 2", "line 3", "line 4"]


def test_all_errors_are_reported_in_the_order_of_the_lines() -> None:
    parsed = parse_script(script("--time=abc --nodes=0", "--nonsense", "stray"), ["--mem=-1", "-t"])
    assert [str(error).split(" — ")[0] for error in parsed.errors] == [
        "line 2: --time=abc: not a length of time",
        "line 2: --nodes=0: a job needs at least one node",
        "line 3: unrecognized option '--nonsense'",
        "line 4: invalid directive found in batch script: stray",
        "command line: option -- 't' requires an argument",
        "command line: --mem=-1: not an amount of memory",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--gpu-per-node=1", "line 2: unrecognized option '--gpu-per-node=1' — did you mean '--gpus-per-node'?"),
        ("--workdir=/", "line 2: unrecognized option '--workdir=/' — did you mean '--chdir'?"),
        ("--mpi=pmix", "line 2: unrecognized option '--mpi=pmix' — it is srun's: give it to srun inside the script"),
        ("--qwertz", "line 2: unrecognized option '--qwertz' — see `sgw sbatch --help` for the options"),
        ("-y", "line 2: invalid option -- 'y' — in '-y'"),
        ("--hold=1", "line 2: option '--hold' doesn't allow an argument"),
        ("--job-name", "line 2: option '--job-name' requires an argument"),
        ("--uid=0", "line 2: option '--uid' is not allowed — a job runs as its tenant's own Unix user and groups"),
        ("-a 0-999999", "line 2: --array=0-999999: index 999999 is too large, the largest is 1000 — split the array"),
    ],
)  # fmt: skip
def test_an_error_says_what_and_what_to_do(line: str, said: str) -> None:
    assert [str(error) for error in parse_script(script(line)).errors] == [said]


def test_an_unknown_option_with_a_value_is_one_error() -> None:
    assert len(parse_script(script("--gpu-per-node 1 -N2")).errors) == 1


@pytest.mark.parametrize(
    "name", ["uid=0", "gid=0", "get-user-env", "get-user-env=L", "nodefile=x", "export-file=x", "reboot", "container=x",
             "context=x", "bbf=x"]
)  # fmt: skip
@pytest.mark.parametrize("place", ["script", "command line"])
def test_what_a_tenant_may_not_set_is_refused_wherever_it_stands(name: str, place: str) -> None:
    in_script = place == "script"
    parsed = parse_script(script(f"--{name}") if in_script else script(), [] if in_script else [f"--{name}"])
    [error] = parsed.errors
    assert error.where == ("line 2" if in_script else "command line")
    assert error.option == name.partition("=")[0]
    assert error.hint


@pytest.mark.parametrize(
    "line", ["--requeue", "--requeue=expedite", "--no-requeue", "-M c", "--cluster=c", "--priority=5", "--propagate"]
)
def test_what_the_gateway_sets_is_ignored_with_a_warning(line: str) -> None:
    parsed = parse_script(script(line))
    assert (parsed.errors, parsed.directives.sbatch_arguments) == ((), ())
    assert [(w.where, bool(w.hint)) for w in parsed.warnings] == [("line 2", True)]


def test_options_of_plugins_pass_only_where_the_site_allows_them() -> None:
    asked = script("--container-image=alpine --container-writable", "--uenv=x")
    assert len(parse_script(asked).errors) == 3
    parsed = parse_script(asked, policy=Policy(spank_allowed=frozenset({"container-image", "container-writable"})))
    assert [error.option for error in parsed.errors] == ["uenv"]
    assert parsed.directives.sbatch_arguments == ("--container-image=alpine", "--container-writable")


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "a\x1b[2Jb", "x" * 10_000, "\udcff", "a\u2028b"])
@pytest.mark.parametrize("option", ["--job-name", "--comment", "--account", "--output", "--constraint", "--export"])
def test_hostile_values_are_refused_and_shown_harmlessly(option: str, value: str) -> None:
    text = f"A={value}" * (8 if option == "--export" else 1)
    [error] = parse_script(script(), [f"{option}={text}"]).errors
    assert error.option == option.removeprefix("--")
    assert str(error).isprintable()
    assert len(str(error)) < 300


@pytest.mark.parametrize("name", ["a|b", "it's", "$(id)", "`id`", "a;b", "a b", "-x", "=x", "%x", "*", "zürich", "a/b"])
def test_names_that_a_shell_would_mind_are_just_text(name: str) -> None:
    parsed = parse_script(script(), [f"--job-name={name}", f"--comment={name}"])
    assert parsed.errors == ()
    assert parsed.directives.job_name == name
    assert parsed.directives.sbatch_arguments == (f"--comment={name}",)


def test_a_diagnostic_becomes_a_detail_of_a_problem_document() -> None:
    [error] = parse_script(script("--time=abc")).errors
    assert (error.detail.where, error.detail.message, error.detail.hint) == (error.where, error.message, error.hint)


def test_an_array_fits_below_the_sites_largest_index() -> None:
    assert parse_script(script("-a 0-9"), policy=Policy(max_array_size=10)).errors == ()
    assert parse_script(script("-a 10"), policy=Policy(max_array_size=10)).errors != ()


def test_a_scripts_own_name_is_checked_like_a_given_one() -> None:
    assert [error.option for error in parse_script(script(), ["a\x1b.sh"]).errors] == ["job-name"]
    assert parse_script(script("-J x"), ["a\x1b.sh"]).errors == ()
