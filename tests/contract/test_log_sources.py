"""What every log source promises, over each implementation."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from logs.memory import MemorySource
from logs.source import FileSource, Source


@dataclass
class Rig:
    """A source and the writer's side of it."""

    source: Source
    append: Callable[[bytes], object]
    truncate: Callable[[int], object]
    replace: Callable[[bytes], object]
    remove: Callable[[], object]


def memory_rig(_tmp_path) -> Rig:
    source = MemorySource()
    return Rig(source, source.append, source.truncate, source.replace, source.remove)


def file_rig(tmp_path) -> Rig:
    path = tmp_path / "stdout"

    def append(data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    def truncate(size: int) -> None:
        with path.open("r+b") as file:
            file.truncate(size)

    def replace(data: bytes) -> None:
        other = tmp_path / "new"
        other.write_bytes(data)
        other.rename(path)

    return Rig(FileSource(path), append, truncate, replace, path.unlink)


@pytest.fixture(params=[memory_rig, file_rig])
def rig(request, tmp_path):
    return request.param(tmp_path)


def test_a_file_that_is_not_there_has_no_identity(rig):
    seen = rig.source.read(0, 10)
    assert (seen.data, seen.size, seen.identity) == (b"", 0, None)


def test_a_range_is_read_with_the_whole_size(rig):
    rig.append(b"0123456789")
    seen = rig.source.read(3, 4)
    assert (seen.data, seen.size) == (b"3456", 10)


def test_reading_past_the_end_gives_no_bytes(rig):
    rig.append(b"abc")
    assert rig.source.read(3, 10).data == b""
    assert rig.source.read(99, 10).data == b""


def test_reading_nothing_still_tells_the_size(rig):
    rig.append(b"abc")
    seen = rig.source.read(0, 0)
    assert (seen.data, seen.size) == (b"", 3)


def test_bytes_are_given_as_they_are_with_nuls_and_junk(rig):
    rig.append(b"\xff\x00a\x00\x00")
    assert rig.source.read(0, 10).data == b"\xff\x00a\x00\x00"


def test_appending_keeps_the_identity(rig):
    rig.append(b"a")
    before = rig.source.read(0, 1)
    rig.append(b"b")
    after = rig.source.read(0, 9)
    assert (after.identity, after.data) == (before.identity, b"ab")


def test_truncating_keeps_the_identity_and_shows_the_new_size(rig):
    rig.append(b"abcdef")
    before = rig.source.read(0, 9)
    rig.truncate(2)
    after = rig.source.read(0, 9)
    assert (after.identity, after.data, after.size) == (before.identity, b"ab", 2)


def test_a_file_put_in_its_place_has_another_identity(rig):
    rig.append(b"a")
    before = rig.source.read(0, 1)
    rig.replace(b"new")
    after = rig.source.read(0, 9)
    assert after.identity != before.identity
    assert after.data == b"new"


def test_a_removed_file_is_no_file(rig):
    rig.append(b"a")
    rig.remove()
    assert rig.source.read(0, 9).identity is None
