"""Write server-sent events: the frames, and the ids that a follower of a log resumes from."""

import re
from dataclasses import dataclass
from typing import Final, Self

HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx would otherwise keep events back until its buffer is full.
    "X-Accel-Buffering": "no",
}
RETRY: Final = b"retry: 1000\n\n"
"""Milliseconds a browser waits before it comes back by itself."""
HEARTBEAT: Final = b": still here\n\n"

_ID: Final = re.compile(r"([a-z0-9_]{1,24})\.([0-9]{1,9})\.([0-9]{1,9}|-)/(.{1,200})")


class EventIdError(ValueError):
    """The text is not an id that this gateway gave to an event of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventId:
    """Where a follower stands: `<step>.<attempt number>.<task or ->/<position in the attempt's files>`."""

    step: str
    attempt: int
    task: int | None
    position: str
    """The logs library's text: `0:1234~9f3a1c20`, or a pair of those."""

    def __str__(self) -> str:
        return f"{prefix(self.step, self.attempt, self.task)}{self.position}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id back; raises EventIdError."""
        match = _ID.fullmatch(text)
        if match is None:
            raise EventIdError(f"{text[:80]!r} is not an id of a log's event, such as main.1.-/0:1234~9f3a1c20")
        step, attempt, task, position = match.groups()
        return cls(step=step, attempt=int(attempt), task=None if task == "-" else int(task), position=position)


def prefix(step: str, attempt: int, task: int | None) -> str:
    """Write the part of an id that stays the same through an attempt."""
    return f"{step}.{attempt}.{'-' if task is None else task}/"


def event(name: str, data: str, *, event_id: str | None = None) -> bytes:
    """Write one event; `data` is one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {data}\n\n".encode()
