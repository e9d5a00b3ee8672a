"""A log held in memory that can do everything a file does to its readers: the shipped fake."""

import threading

from logs.source import NO_FILE, Slice


class MemorySource:
    """A Source whose file starts out absent and changes only through the methods below."""

    def __init__(self, data: bytes | None = None) -> None:
        self._lock = threading.Lock()
        self._inode = 0
        self._bytes: bytearray | None = None
        self._fault: Exception | None = None
        self.reads = 0
        if data is not None:
            self.replace(data)

    def read(self, offset: int, limit: int) -> Slice:
        with self._lock:
            self.reads += 1
            if self._fault is not None:
                raise self._fault
            if self._bytes is None:
                return NO_FILE
            data = bytes(self._bytes[offset : offset + limit])
            return Slice(data=data, size=len(self._bytes), identity=(0, self._inode))

    def append(self, data: bytes) -> None:
        """Write at the end, creating the file when there is none."""
        if self._bytes is None:
            self.replace(b"")
        self.write_at(self._size(), data)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write in place; bytes skipped between the old end and `offset` become NULs, as in a sparse file."""
        with self._lock:
            if self._bytes is None:
                raise FileNotFoundError("the log does not exist; append to it or replace it first")
            self._bytes.extend(bytes(max(0, offset - len(self._bytes))))
            self._bytes[offset : offset + len(data)] = data

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; the inode stays."""
        with self._lock:
            if self._bytes is not None:
                del self._bytes[size:]

    def replace(self, data: bytes) -> None:
        """Put a new file with a new inode in the place of the old one."""
        with self._lock:
            self._inode += 1
            self._bytes = bytearray(data)

    def remove(self) -> None:
        """Delete the file."""
        with self._lock:
            self._bytes = None

    def fail_with(self, fault: Exception | None) -> None:
        """Let every read raise `fault`, until called with None."""
        with self._lock:
            self._fault = fault

    def _size(self) -> int:
        with self._lock:
            return len(self._bytes or b"")
