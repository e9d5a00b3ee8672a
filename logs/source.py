"""Read byte ranges of a log that somebody else is still writing."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Identity = tuple[int, int]
"""Device and inode: tells a file from the one that took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one read saw: the bytes, and the file they came from.

    `data` may be shorter than asked, and may reach beyond `size` when the file grew during the read.
    `identity` is None when there is no file (yet, or any more); `data` is then empty and `size` 0.
    """

    data: bytes
    size: int
    identity: Identity | None


class Source(Protocol):
    """A log that can be read at any byte. Implementations are safe to call from several threads."""

    def read(self, offset: int, limit: int) -> Slice:
        """Read at most `limit` bytes from byte `offset` of the file as it is now.

        Bytes are given as they are in the file: trailing NULs are held back by the reader, not here.
        Raises SourceRefused for what must never be read as a log; any other OSError may pass by itself
        and is worth another try.
        """
        ...


class SourceRefused(Exception):
    """The log cannot be read: it is not a regular file, or reading it is not permitted."""


NO_FILE = Slice(data=b"", size=0, identity=None)


@dataclass(frozen=True, slots=True)
class FileSource:
    """A regular file, opened anew at each read.

    Opening is what makes an NFS client ask the server for the file's present size (close-to-open
    consistency); a descriptor kept open may show an old one for a minute. Only the last component of the
    path is protected against links, so its directory has to be one that the file's owner cannot replace.
    """

    path: Path

    def read(self, offset: int, limit: int) -> Slice:
        """Read as Source.read says; O_NONBLOCK keeps a FIFO from stopping the reader."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return NO_FILE
            if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO):
                raise SourceRefused(f"{self.path} cannot be read as a log: {error.strerror}") from error
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceRefused(f"{self.path} cannot be read as a log: it is not a regular file")
            data = os.pread(descriptor, limit, offset) if limit else b""
        finally:
            os.close(descriptor)
        return Slice(data=data, size=status.st_size, identity=(status.st_dev, status.st_ino))
