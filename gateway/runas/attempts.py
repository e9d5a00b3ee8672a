"""Make, read and write attempt directories, component by component and never through a link.

The tenant owns everything here and may put links, FIFOs or devices in our way. Only `make_folder` runs as root.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gateway.runas.identity import Person, Refused

_ATTEMPT = re.compile(r"[a-z0-9][a-z0-9_-]{0,95}")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_MAX_DEPTH = 32


class Unsafe(Exception):
    """The name or the thing behind it may not be used: a link, a FIFO, a way out of the directory."""


def make_folder(root: str, person: Person, *, owners: frozenset[int]) -> None:
    """Make `<root>/<user>`, 0700 and the user's own, where it is missing; raises Refused."""
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("no_folder", f"attempts_root {root}: {error.strerror}") from None
    try:
        found = os.fstat(top)
        if found.st_uid not in owners or found.st_mode & 0o022:
            raise Refused(
                "no_folder", f"attempts_root {root} must belong to root and be writable by nobody else (0711)"
            )
        with suppress(FileExistsError):
            os.mkdir(person.name, 0o700, dir_fd=top)
        folder = os.open(person.name, _DIRECTORY, dir_fd=top)
        try:
            # Still root's: just made, or by a helper that died right here.
            if os.fstat(folder).st_uid == 0 != person.uid:
                os.fchown(folder, person.uid, person.gid)
            if os.fstat(folder).st_uid != person.uid:
                raise Refused("no_folder", f"{root}/{person.name} does not belong to {person.name}")
        finally:
            os.close(folder)
    except OSError as error:
        raise Refused(
            "no_folder", f"{root}/{person.name}: {error.strerror}; make it by hand, 0700, as {person.name}"
        ) from None
    finally:
        os.close(top)


@contextmanager
def attempt(folder: str, name: str, *, create: bool = False) -> Iterator[int]:
    """Open an attempt directory, making it first with `create`; raises Unsafe, FileNotFoundError."""
    if not _ATTEMPT.fullmatch(name):
        raise Unsafe(f"not an attempt id: {name[:100]!r}")
    path = f"{folder}/{name}"
    if create:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
    directory = _open(path, _DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def open_file(directory: int, path: str) -> int:
    """Open a regular file below the directory for reading; raises Unsafe, OSError."""
    parts = path.split("/")
    if len(parts) > _MAX_DEPTH or any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise Unsafe(f"not a relative path without `.` and `..`: {path[:200]!r}")
    here = os.dup(directory)
    try:
        for part in parts[:-1]:
            here, above = _open(part, _DIRECTORY, dir_fd=here), here
            os.close(above)
        file = _open(parts[-1], _READ, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Unsafe(f"{path[:200]!r} is not a regular file")
    return file


def read_small(directory: int, name: str, *, limit: int = 65536) -> bytes | None:
    """Read a file of ours, at most `limit` bytes; None when there is none. Its owner may have written anything."""
    try:
        file = open_file(directory, name)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        return stream.read(limit)


def write(directory: int, name: str, data: bytes, *, mode: int = 0o600) -> None:
    """Put a whole file in place, replacing what is there."""
    with _temporary(directory, name, data, mode=mode) as temporary:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def write_once(directory: int, name: str, data: bytes) -> bytes:
    """Put the file in place unless one is there, and return what it holds now, ours or the other's.

    link(2) decides, never a look: network file systems remember for a while that a file was absent, and may answer
    EEXIST to a repeated request of ours that had succeeded.
    """
    with _temporary(directory, name, data, mode=0o600) as temporary, suppress(FileExistsError):
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    found = read_small(directory, name)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "vanished while it was written", name)
    return found


def make_durable(directory: int, name: str) -> None:
    """Make a file and its name survive a power cut."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    os.fsync(file)
    os.close(file)
    os.fsync(directory)


@contextmanager
def _temporary(directory: int, name: str, data: bytes, *, mode: int) -> Iterator[str]:
    temporary = f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=directory)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)


def _open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
    try:
        return os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        # ELOOP and ENOTDIR are what O_NOFOLLOW says to links, ENXIO is a socket or a device without its driver.
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
            raise Unsafe(f"{path[-200:]!r} is a link or not what it should be") from None
        raise
