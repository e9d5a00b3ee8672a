"""Split words into options and their values, by the rules of getopt_long(3) as sbatch uses it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.directives.diagnostics import Diagnostic, error
from gateway.directives.options import Argument, Option, OptionTable
from gateway.directives.table import OF_SRUN, RENAMED

MOST_WORDS = 4096
"""No honest script has as many; a hostile one must not cost more than it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One argument, and where it was written."""

    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One option that was given, with its value as text."""

    option: Option
    text: str | None
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The options found, the words from the first that is none, and what was wrong."""

    found: tuple[Found, ...]
    rest: tuple[Word, ...]
    problems: tuple[Diagnostic, ...]


def read_options(words: Sequence[Word], table: OptionTable) -> Reading:
    """Read options up to the first word that is not one, or past `--`. A bad option does not stop the reading."""
    reader = _Reader(words[:MOST_WORDS], table)
    if len(words) > MOST_WORDS:
        reader.problems.append(error(words[MOST_WORDS].where, f"more than {MOST_WORDS} words of options"))
    while (word := reader.peek()) and word.text.startswith("-") and word.text != "-":
        reader.position += 1
        if word.text == "--":
            break
        if word.text.startswith("--"):
            reader.read_long(word)
        else:
            reader.read_letters(word)
    rest = tuple(reader.words[reader.position :])
    return Reading(found=tuple(reader.found), rest=rest, problems=tuple(reader.problems))


class _Reader:
    """The place in the words, and what was found so far."""

    def __init__(self, words: Sequence[Word], table: OptionTable) -> None:
        self.words = words
        self.table = table
        self.position = 0
        self.found: list[Found] = []
        self.problems: list[Diagnostic] = []

    def peek(self) -> Word | None:
        return self.words[self.position] if self.position < len(self.words) else None

    def read_long(self, word: Word) -> None:
        typed, equals, text = word.text.removeprefix("--").partition("=")
        candidates = self.table.named(typed)
        if not candidates:
            self.problems.append(_unrecognized(word, typed, self.table))
            return
        if len(candidates) > 1:
            possible = " ".join(f"'--{name}'" for name in candidates)
            self.problems.append(
                error(word.where, f"option '{word.text}' is ambiguous; possibilities: {possible}", "write it out")
            )
            return
        [(name, option)] = candidates.items()
        if equals and option.argument is Argument.NONE:
            self.problems.append(error(word.where, f"option '--{name}' doesn't allow an argument", option=option.name))
            return
        self._accept(option, text if equals else None, word.where, f"'--{name}'")

    def read_letters(self, word: Word) -> None:
        for index, letter in enumerate(word.text[1:], start=2):
            option = self.table.lettered(letter)
            if not option:
                self.problems.append(error(word.where, f"invalid option -- '{letter}'", f"in '{word.text}'"))
                return
            if option.argument is not Argument.NONE:
                # -J=foo means the name "=foo", as in every program that uses getopt.
                self._accept(option, word.text[index:] or None, word.where, f"-- '{letter}'")
                return
            self._accept(option, None, word.where, f"-- '{letter}'")

    def _accept(self, option: Option, text: str | None, where: str, spelled: str) -> None:
        if text is None and option.argument is Argument.REQUIRED:
            following = self.peek()
            if not following:
                self.problems.append(error(where, f"option {spelled} requires an argument", option=option.name))
                return
            text = following.text
            self.position += 1
        self.found.append(Found(option=option, text=text, where=where))


def _unrecognized(word: Word, typed: str, table: OptionTable) -> Diagnostic:
    if typed in OF_SRUN:
        hint = "it is srun's: give it to srun inside the script"
    else:
        from difflib import get_close_matches  # only the mistaken pay for it: the command line shall start fast

        close = get_close_matches(typed[:64], table.names, n=1)
        meant = RENAMED.get(typed) or (close[0] if close else None)
        hint = f"did you mean '--{meant}'?" if meant else "see `sgw sbatch --help` for the options"
    return error(word.where, f"unrecognized option '{word.text}'", hint)
