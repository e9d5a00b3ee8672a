"""Quote values for the shell, and refuse what no script can hold."""

from enum import StrEnum

import pytest

from slurm_templates.render import Raw, TemplateError, comment, quote, render
from slurm_templates.runtime import Run, script_of


class Kind(StrEnum):
    PMIX = "pmix; id"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", "''"),
        ("two words", "'two words'"),
        ("it's", "'it'\"'\"'s'"),
        ("~", "'~'"),
        ("a\nb", "$'a\\012b'"),
        ("it's\r\n\\", "$'it\\047s\\015\\012\\134'"),
        (3, "3"),
        (2.5, "2.5"),
        (Kind.PMIX, "'pmix; id'"),
        (Raw("a; b"), "a; b"),
        (["a b", Raw("$c"), 1], "'a b' $c 1"),
        ((), ""),
    ],
)
def test_a_value_becomes_its_words(value, text):
    assert quote(value) == text


@pytest.mark.parametrize("value", [None, True, b"bytes", {"a": 1}, {"a"}, "nul\0", Raw("nul\0"), ["fine", "nul\0"]])
def test_what_is_no_word_is_refused(value):
    with pytest.raises(TemplateError):
        quote(value)


def test_changing_raw_text_makes_it_an_ordinary_value_again():
    assert quote(Raw("a; b").upper()) == "'A; B'"
    assert quote(Raw("a") + "; b") == "'a; b'"


def test_a_comment_is_one_short_printable_line():
    text = comment("name\n#SBATCH --uid=0\r\0\u202e\ud800" + "x" * 300)
    assert text.isprintable()
    assert text.startswith("name?#SBATCH --uid=0????x")
    assert len(text) == 200


def test_a_missing_value_is_named():
    with pytest.raises(TemplateError, match=r"base\.sbatch\.j2: 'directory' is undefined"):
        render("base.sbatch.j2", {"job": 1, "name": "n", "attempt": "a", "version": "0"})


def test_half_a_character_is_refused_and_a_stray_byte_is_kept():
    with pytest.raises(TemplateError, match="lone surrogate"):
        script_of(Run(runtime="srun", command=("./a", "\ud800")))
    assert b"\xff" in script_of(Run(runtime="srun", command=("./a", "\udcff")))


@pytest.mark.parametrize("command", ["", " \n", (), ("",), ("  ", "x")])
@pytest.mark.parametrize("runtime", ["script", "srun", "mpi"])
def test_an_empty_command_is_refused(runtime, command):
    with pytest.raises(TemplateError, match="command: is empty"):
        script_of(Run(runtime=runtime, command=command))


def test_a_line_of_shell_takes_no_further_arguments():
    with pytest.raises(TemplateError, match="a line of shell takes no args"):
        script_of(Run(runtime="srun", command="./a # comment", args=("lost",)))


def test_an_argument_never_begins_a_line_of_the_script():
    text = script_of(Run(runtime="mpi", command=("./a",), args=("x\n#SBATCH --uid=0", "y\r\nz")))
    assert text.count(b"\n") == 3
    assert b"\r" not in text
