"""Whatever is written: every spelling means the same, nothing hostile passes, and nothing makes the parser fail."""

import shlex
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.directives import Directives, Policy, parse_script
from gateway.directives.options import Argument, Option, Treatment
from gateway.directives.table import TABLE
from gateway.directives.values.arrays import parse_array

POLICY = Policy(spank_allowed=frozenset(o.name for o in TABLE.options if o.treatment is Treatment.SPANK))

_number = st.integers(1, 9999).map(str)
_time = st.one_of(
    _number,
    st.tuples(st.integers(0, 400), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59)).map(
        lambda t: f"{t[0]}-{t[1]:02}:{t[2]:02}:{t[3]:02}"
    ),
)
_text = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30).filter(str.strip)
_name = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,15}", fullmatch=True)
_range = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 9)).map(
    lambda r: f"{min(r[:2])}-{max(r[:2])}:{r[2]}"
)
_arrays = st.lists(st.one_of(st.integers(0, 300).map(str), _range), min_size=1, max_size=6).map(",".join)
VALUES = {
    "time": _time, "nodes": _number, "ntasks": _number, "cpus-per-task": _number, "job-name": _text, "comment": _text,
    "mem": st.tuples(_number, st.sampled_from(["", "gb", "T", "k"])).map("".join), "account": _name, "output": _text,
    "partition": st.lists(_name, min_size=1, max_size=3).map(",".join), "array": _arrays, "constraint": _text,
    "signal": st.sampled_from(["USR1", "B:TERM@90", "RB:10@5"]), "gres": _number.map("gpu:a100:{}".format),
    "dependency": _number.map("afterok:{0}:{0}_1".format), "begin": _number.map("now+{}minutes".format),
    "hold": st.none(), "contiguous": st.none(), "overcommit": st.none(), "exclusive": st.sampled_from(["user", "mcs"]),
    "nice": st.integers(-9999, 9999).map(str), "gpus": _number, "chdir": _text, "licenses": _name,
}  # fmt: skip


def _option(name: str) -> Option:
    return TABLE.named(name)[name]


@st.composite
def spelled(draw: st.DrawFn) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Draw options with values, and the words of one way to write them."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1, max_size=8))
    pairs = [(name, draw(VALUES[name])) for name in names]
    words: list[str] = []
    for name, value in pairs:
        option = _option(name)
        shortest = next(n for n in range(1, len(name) + 1) if list(TABLE.named(name[:n]).values()) == [option])
        long = "--" + name[: draw(st.integers(shortest, len(name)))]
        ways = [[long] if value is None else [f"{long}={value}"]]
        if value is not None and option.argument is Argument.REQUIRED:
            ways.append([long, value])
        if option.short and value is None:
            ways.append([f"-{option.short}"])
        elif option.short and value is not None:
            ways += [[f"-{option.short}", value], [f"-{option.short}{value}"]]
        words += draw(st.sampled_from(ways))
    return pairs, words


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


@settings(deadline=None)
@given(spelled(), st.lists(st.booleans(), min_size=20, max_size=20))
def test_every_spelling_in_script_or_command_line_means_the_same(
    drawn: tuple[list[tuple[str, str | None]], list[str]], breaks: list[bool]
) -> None:
    pairs, words = drawn
    plain = parse_script(b"#!/bin/sh\n", [f"--{n}" if v is None else f"--{n}={v}" for n, v in pairs])
    on_line = parse_script(b"#!/bin/sh\n", words)
    lines = "".join(
        ("\n#SBATCH " if newline else " ") + _quoted(word) for word, newline in zip(words, breaks, strict=False)
    )
    in_script = parse_script(f"#!/bin/sh\n#SBATCH{lines} # comment\n".encode())
    assert plain.errors == on_line.errors == in_script.errors == ()
    assert plain.directives == on_line.directives == in_script.directives


@settings(deadline=None)
@given(spelled())
def test_what_we_give_to_sbatch_is_read_back_as_the_same(
    drawn: tuple[list[tuple[str, str | None]], list[str]],
) -> None:
    once = parse_script(b"#!/bin/sh\n", drawn[1]).directives
    again = parse_script(b"#!/bin/sh\n", once.sbatch_arguments).directives
    assert again.passthrough == once.passthrough


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_fail_or_lose_the_script(script: bytes) -> None:
    parsed = parse_script(script)
    assert parsed.script in {script, script.replace(b"\r\n", b"\n")}
    assert parsed == parse_script(script)


_hostile = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(whitelist_categories=("Cc", "Cs", "Zl")), max_size=5),
    st.sampled_from(
        ["9" * 400, "-", "--", "=", "1-", "a" * 2000, "x,y", "'", '"', "$(id)", "\\", "1:2:3", "%", "[[[", "a:b:c"]
    ),
)
_any_option = st.sampled_from([o.name for o in TABLE.options])
_words = st.lists(
    st.one_of(_hostile, st.tuples(_any_option, _hostile).map(lambda pair: f"--{pair[0]}={pair[1]}")), max_size=6
)


@settings(max_examples=300, deadline=None)
@given(_words, st.booleans())
def test_nothing_hostile_reaches_sbatch_a_field_or_a_terminal(words: list[str], in_script: bool) -> None:
    text = " ".join(shlex.quote(word) for word in words).encode("utf-8", "surrogatepass")
    script = b"#!/bin/sh\n#SBATCH " + text + b"\n" if in_script else b"#!/bin/sh\n"
    parsed = parse_script(script, [] if in_script else words, policy=POLICY)
    for argument in parsed.directives.sbatch_arguments:
        assert argument.startswith("--")
        assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in argument)
    assert all(_harmless(problem.message) and _harmless(problem.hint or "") for problem in parsed.errors)
    assert not _texts_with_controls(parsed.directives)


@settings(deadline=None)
@given(_arrays)
def test_array_tasks_are_counted_as_if_listed(text: str) -> None:
    array = parse_array(text)
    listed = {i for first, last, step in array.ranges for i in range(first, last + 1, step)}
    assert array.count(cap=10_000) == len(listed)
    assert parse_array(str(array)) == array


def _harmless(text: str) -> bool:
    return not any(unicodedata.category(c) in {"Cc", "Cs"} for c in text)


def _texts_with_controls(directives: Directives) -> list[str]:
    """Every text in any field, job name included (a script's name is a word of the command line too)."""
    fields = (getattr(directives, name) for name in Directives.__slots__ if name != "passthrough")
    texts = [str(value) for field in fields for value in (field if isinstance(field, tuple) else [field])]
    return [text for text in texts if not _harmless(text)]
