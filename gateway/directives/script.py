"""Find the `#SBATCH` lines of a batch script and split them into words, as sbatch does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue, Diagnostic, error, warning
from gateway.directives.getopt import MOST_WORDS, Word

_BLANKS = " \t\n\v\f\r"
_MAGIC = (b"#SBATCH", b"#SLURM")
_COMPONENT = re.compile(r"(hetjob|packjob)(\s|$)", re.IGNORECASE)
_MISSED = re.compile(rb"^(?:[ \t]+#SBATCH|#(?!SBATCH)[Ss][Bb][Aa][Tt][Cc][Hh])\s", re.MULTILINE)
_LONGEST_LINE = 128 * 1024
_LATE = re.compile(rb"^#SBATCH\s", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A script ready to submit, the words of its directives, and what was noticed."""

    script: bytes
    words: tuple[Word, ...]
    problems: tuple[Diagnostic, ...]
    refused: bool = False
    """It is no batch script at all: nobody need look further."""


def scan_script(script: bytes, *, max_bytes: int) -> Scan:
    """Check a script as sbatch does and collect the words of its `#SBATCH` lines; DOS line breaks are repaired."""
    if refusal := _refusal(script, max_bytes):
        return Scan(script=script, words=(), problems=(refusal,), refused=True)
    problems = []
    if b"\r\n" in script:
        script = script.replace(b"\r\n", b"\n")
        problems.append(warning("script", "DOS line breaks (\\r\\n) were changed to \\n", "sbatch would refuse them"))
    words: list[Word] = []
    head_size = 0
    for number, line, end in _head(script):
        head_size = end
        if line.startswith(_MAGIC) and len(words) <= MOST_WORDS:
            found, noticed = _read_line(line, f"line {number}")
            words += found
            problems += noticed
    problems += _overlooked(script, head_size)
    return Scan(script=script, words=tuple(words), problems=tuple(problems))


def _read_line(line: bytes, where: str) -> tuple[list[Word], list[Diagnostic]]:
    """Return the words of one directive line."""
    magic = next(m for m in _MAGIC if line.startswith(m))
    text = line[len(magic) :].decode("utf-8", "surrogateescape").lstrip(_BLANKS)
    if match := _COMPONENT.match(text):
        return [], [heterogeneous(where, match[1])]
    if len(line) > _LONGEST_LINE:
        return [], [error(where, f"longer than {_LONGEST_LINE} bytes")]
    try:
        words = split_words(text)
    except BadValue as bad:
        return [], [error(where, str(bad), bad.hint)]
    noticed = []
    if magic == b"#SLURM":
        noticed.append(warning(where, "#SLURM is an old spelling", "write #SBATCH"))
    if any(word.startswith(":") for word in words):
        noticed.append(heterogeneous(where, ":"))
    return [Word(text=word, where=where) for word in words if not word.startswith(":")], noticed


def split_words(text: str) -> list[str]:
    """Split one directive line: blanks separate, quotes group, a backslash takes the next character as it is.

    A `#` outside of quotes begins a comment even in the middle of a word (get_argument in sbatch's opt.c). Kinder
    than sbatch in two places: an escaped blank joins words (as from Slurm 23.02), and `""` is an empty word, where
    sbatch forgets the rest of the line. Raises BadValue for an open quote.
    """
    words: list[str] = []
    word: list[str] = []
    started = False
    quote = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            word.append(next(characters, ""))
        elif quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in "\"'":
            quote = character
        elif character == "#":
            break
        elif character not in _BLANKS:
            word.append(character)
        else:
            if started:
                words.append("".join(word))
            word, started = [], False
            continue
        started = True
    if quote:
        raise BadValue(f"unmatched {quote} in [{text[:80]}]", "close the quote on the same line")
    return [*words, "".join(word)] if started else words


def heterogeneous(where: str, word: str) -> Diagnostic:
    """Refuse what begins the next component of a job, in a script or on a command line."""
    return error(where, f"'{word}': heterogeneous jobs are not supported yet", "submit the components as separate jobs")


def _refusal(script: bytes, max_bytes: int) -> Diagnostic | None:
    """Say why sbatch would not even look at the directives; the sentences are sbatch's."""
    if not script:
        return error("script", "batch script is empty")
    if len(script) > max_bytes:
        hint = "keep data out of the script and read it from a file"
        return error("script", f"batch script has {len(script)} bytes; the limit is {max_bytes}", hint)
    if not script.strip(_BLANKS.encode()):
        return error("script", "batch script contains only whitespace")
    if not script.startswith(b"#!"):
        hint = "the first line must start with #! and the path of an interpreter, for instance #!/bin/bash"
        return error("line 1", "this does not look like a batch script", hint)
    if b"\0" in script:
        line = script[: script.index(b"\0")].count(b"\n") + 1
        return error(f"line {line}", "batch script contains a NULL character", "remove it")
    return None


def _head(script: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, text and end of every line before the first that is neither blank nor a comment."""
    start = number = 0
    while start < len(script):
        number += 1
        end = script.find(b"\n", start)
        end = len(script) if end < 0 else end
        line = script[start:end]
        content = line.lstrip(_BLANKS.encode())
        if content and not content.startswith(b"#"):
            return
        start = end + 1
        yield number, line, start


def _overlooked(script: bytes, head_size: int) -> Iterator[Diagnostic]:
    """Warn about lines that look like directives but are none to sbatch."""
    if match := _MISSED.search(script[:head_size]):
        line = script[: match.start()].count(b"\n") + 1
        yield warning(
            f"line {line}", "this line is ignored, as sbatch does", "a directive starts with #SBATCH at the margin"
        )
    # A script that writes scripts has such lines in its here-documents, on purpose.
    if (match := _LATE.search(script, head_size)) and b"<<" not in script[head_size : match.start()]:
        line = script[: match.start()].count(b"\n") + 1
        yield warning(
            f"line {line}", "this directive is ignored, as sbatch does", "it comes after the first command: move it up"
        )
