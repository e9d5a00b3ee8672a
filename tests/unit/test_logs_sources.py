"""What a file source refuses to read."""

import os

import pytest

from logs.source import FileSource, SourceRefused


def test_a_link_in_the_place_of_the_log_is_refused(tmp_path):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "stdout").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceRefused, match="stdout"):
        FileSource(tmp_path / "stdout").read(0, 10)


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "stdout")
    with pytest.raises(SourceRefused, match="not a regular file"):
        FileSource(tmp_path / "stdout").read(0, 10)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(SourceRefused, match="not a regular file"):
        FileSource(tmp_path).read(0, 10)


def test_a_device_is_refused(tmp_path):
    from pathlib import Path

    with pytest.raises(SourceRefused, match="not a regular file"):
        FileSource(Path("/dev/zero")).read(0, 10)


def test_reading_leaves_no_descriptor_open(tmp_path):
    (tmp_path / "log").write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        FileSource(tmp_path / "log").read(0, 1)
    assert len(os.listdir("/proc/self/fd")) == before
