"""Confine paths that strangers name to the place they were given."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

MAX_PATH_BYTES: Final = 1024
"""S3 takes no longer key; PATH_MAX is 4096 and needs room for the root."""
MAX_NAME_BYTES: Final = 255

# What makes a name read as another one: control characters, and those that turn the direction of writing.
_DECEIVING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SEVERAL: Final = frozenset("/\\\0")


class Unconfined(ValueError):
    """A path leads, or could lead, out of its root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place for bytes: a path below a root. Made by `locate`, which checks it."""

    root: str
    """An absolute directory, or a URL such as `s3://bucket/prefix`."""
    path: str
    """Relative, with `/` between names; the same for every kind of root."""

    @property
    def url(self) -> str:
        """The root and the path in one, as fsspec takes it: not percent-encoded."""
        return f"{self.root}/{self.path}"


def locate(root: str, path: str) -> Location:
    """Place `path` below `root`, which is the operator's and trusted; raises Unconfined."""
    return Location(root=root.rstrip("/"), path=confine(path))


def confine(path: str) -> str:
    """Return `path` with its empty and `.` names left out; raises Unconfined if it is not safely relative.

    What is returned means the same file wherever it is joined to a root: on a disk, in a bucket, in a URL that is
    decoded once more on its way.
    """
    if path.startswith("/"):
        raise Unconfined(f"{path[:80]!a} is absolute; a path relative to its root is needed")
    names = [name for name in path.split("/") if name not in {"", "."}]
    if not names:
        raise Unconfined("an empty path names no file")
    for name in names:
        if problem := _problem(name):
            raise Unconfined(f"{name[:80]!a}: {problem}")
    confined = "/".join(names)
    if len(confined.encode()) > MAX_PATH_BYTES:
        raise Unconfined(f"the path is longer than {MAX_PATH_BYTES} bytes")
    return confined


def twins(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of different paths that are one file where case or the form of accents does not count.

    Both are fine alone; together one would overwrite the other on macOS, on Windows, or on SMB.
    """
    first: dict[str, str] = {}
    found = []
    for path in paths:
        known = first.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if known != path:
            found.append((known, path))
    return found


def open_below(root: int, path: str, flags: int, *, mode: int = 0o600, make_folders: bool = False) -> int:
    """Open the regular file `path` below the directory descriptor `root`; returns a descriptor.

    No link is followed, not even one that appears meanwhile: each name is opened relative to the descriptor of the
    folder before (openat(2)); openat2(2) could do it in one call, but Python has no door to it. Raises Unconfined for
    a link or anything that is not a regular file, and OSError as `os.open` does.
    """
    *folders, name = confine(path).split("/")
    with _folder(root, folders, make=make_folders) as folder:
        # O_NONBLOCK: opening a FIFO would wait for its other end, for ever.
        descriptor = _open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, folder, mode=mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unconfined(f"{path[:80]!a} is not a regular file")
    return descriptor


def _problem(name: str) -> str | None:
    if _DECEIVING.search(name):
        return "a name must not hold control characters, turn the direction of writing, or be other than UTF-8"
    # A name is judged by what it may be taken for: full-width dots become dots where names are normalised (NFKC), and
    # %2e%2e becomes dots where a proxy decodes a second time.
    taken_for = _nfkc(unquote(_nfkc(name)))
    if taken_for in {".", ".."} or not _SEVERAL.isdisjoint(taken_for):
        return "a name must not be, or be readable as, `..` or as several names"
    if "::" in name:
        return "a name must not hold `::`, which chains file systems in fsspec's URLs"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a name must not be longer than {MAX_NAME_BYTES} bytes"
    return None


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@contextmanager
def _folder(root: int, names: Iterable[str], *, make: bool) -> Iterator[int]:
    """Walk down from `root`, making folders on the way if asked, and hold the last one open."""
    here = os.dup(root)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=here)
            below = _open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _open(name: str, flags: int, folder: int, *, mode: int = 0) -> int:
    try:
        return os.open(name, flags, mode, dir_fd=folder)
    except OSError:
        # ELOOP, ENOTDIR, EMLINK: which errno a refused link gives depends on flags and system, so look at the name.
        with suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise Unconfined(f"{name!a} is a link") from None
        raise
