"""Keep a terminal readable: nothing that moves its cursor, and states in colour."""

from typing import Final


def printable(text: str) -> str:
    """Replace what could move a terminal's cursor: names and messages come from other people."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def coloured(cell: str, word: str, *, on: bool) -> str:
    """Colour a finished cell by its state word; the padding stays what it was."""
    colour = _COLOURS.get(word)
    return f"\x1b[{colour}m{cell}\x1b[0m" if on and colour else cell


_COLOURS: Final = {
    "PENDING": "33",
    "RUNNING": "32",
    "COMPLETING": "36",
    "COMPLETED": "32;2",
    "CANCELLED": "35",
    **dict.fromkeys(("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "PREEMPTED"), "31"),
    "idle": "32",
    "asleep": "2",
    **dict.fromkeys(("mix", "alloc", "comp"), "36"),
    **dict.fromkeys(("down", "drain", "drng", "fail", "failg", "inval"), "31"),
}
