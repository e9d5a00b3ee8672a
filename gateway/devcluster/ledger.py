"""Remember every thing the dev cluster makes on the machine, before it is made.

An append-only file of JSON lines: `made` before the making, `gone` after the undoing. What a crash leaves behind is
therefore always written down, and `down` removes what stands here and nothing else.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["process", "netns", "link", "user", "cgroup"]
Fact = str | int

# Only users outlive a reboot; everything else lives in the kernel that made it.
_LASTING: frozenset[str] = frozenset({"user"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was made, or was about to be."""

    kind: Kind
    name: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Ledger:
    """The list of what is ours. Several processes may append at the same time."""

    def __init__(self, path: Path, *, boot_id: str | None = None) -> None:
        """Open the ledger at `path`, which need not exist yet."""
        self.path = path
        self._boot_id = boot_id or Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def made(self, kind: Kind, name: str, **facts: Fact) -> None:
        """Write down what is about to be made; a later entry of the same kind and name replaces it."""
        self._append({"op": "made", "kind": kind, "name": name, "facts": facts, "boot": self._boot_id})

    def gone(self, kind: Kind, name: str) -> None:
        """Write down that it exists no more."""
        self._append({"op": "gone", "kind": kind, "name": name})

    def entries(self, kind: Kind) -> list[Entry]:
        """List what exists (or was about to), oldest first; without what an earlier boot of the machine took along."""
        alive: dict[str, Entry] = {}
        for line in self._lines():
            if line["kind"] != kind:
                continue
            alive.pop(line["name"], None)
            if line["op"] == "made" and (kind in _LASTING or line["boot"] == self._boot_id):
                alive[line["name"]] = Entry(kind=kind, name=line["name"], facts=line["facts"])
        return list(alive.values())

    def find(self, kind: Kind, name: str) -> Entry | None:
        """Look one thing up."""
        return next((entry for entry in self.entries(kind) if entry.name == name), None)

    def _append(self, line: Mapping[str, object]) -> None:
        data = (json.dumps(line) + "\n").encode()
        with self.path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)  # drop what a crash cut, or it would garble this line
            file.write(data)
            os.fsync(file.fileno())

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return []
        # A last line without its newline was cut by a crash: the thing it announces was never made.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
