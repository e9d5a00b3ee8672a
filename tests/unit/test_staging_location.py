"""Confine paths to their root: what is kept, what is refused, and why."""

import os
from pathlib import Path

import pytest

from staging.location import Unconfined, confine, locate, open_below, twins


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "confined"),
    [
        ("a", "a"),
        ("a/b.txt", "a/b.txt"),
        ("./a//b/./c/", "a/b/c"),
        ("...", "..."),
        ("a b/ü/e\u0301/日本", "a b/ü/e\u0301/日本"),
        ("100%", "100%"),
        ("50%20off", "50%20off"),
        ("~", "~"),
        ("-rf", "-rf"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("a:b", "a:b"),
    ],
)
def test_an_honest_path_is_kept(path, confined):
    assert confine(path) == confined


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "./",
        "/etc/passwd",
        "//etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "..\\x",
        "a\\b",
        "C:\\x",
        "a\0b",
        "a\nb",
        "a\x7f",
        "\u202egpj.exe",
        "\udcff",
        "%2e%2e/x",
        "%2E.",
        ".%2e/x",
        "a%2f..%2fb",
        "a%5cb",
        "a%00",
        "\uff0e\uff0e/x",
        "\u2025/x",
        "a\uff0f..\uff0fb",
        "a\uff3cb",
        "\uff052e%ef%bc%8e",
        "x::file:",
        "n" * 256,
        "ü" * 128,
        "/".join(["n" * 200] * 6),
    ],
)
def test_a_path_that_could_lead_out_is_refused(path):
    with pytest.raises(Unconfined):
        confine(path)


def test_the_message_is_fit_for_a_terminal_whatever_the_name():
    with pytest.raises(Unconfined) as raised:
        confine("\x1b[2J" + "n" * 5000)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


def test_a_location_is_its_root_and_its_path():
    assert locate("s3://bucket/acme/", "in//a.csv").url == "s3://bucket/acme/in/a.csv"
    assert locate("/data/acme", "in/a.csv").url == "/data/acme/in/a.csv"


def test_paths_that_are_one_file_elsewhere_are_found():
    paths = ["Data.csv", "data.csv", "caf\u00e9", "cafe\u0301", "straße", "STRASSE", "Data.csv", "other"]
    assert twins(paths) == [("Data.csv", "data.csv"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")]


def test_a_file_is_written_and_read_below_the_root(root):
    with os.fdopen(open_below(root, "a/b/c", os.O_WRONLY | os.O_CREAT, make_folders=True), "w") as file:
        file.write("text")
    with os.fdopen(open_below(root, "a/b/c", os.O_RDONLY)) as file:
        assert file.read() == "text"
    with pytest.raises(FileNotFoundError):
        open_below(root, "a/x/c", os.O_RDONLY)


@pytest.mark.parametrize("target", ["outside", "../outside", "/", "nowhere", "inside"])
@pytest.mark.parametrize("path", ["link", "link/file", "inside/link"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC])
def test_no_link_is_followed(root, tmp_path, target, path, flags):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    where = Path(f"/proc/self/fd/{root}")
    (where / "inside").mkdir()
    (where / "link").symlink_to(outside if target == "outside" else target)
    (where / "inside" / "link").symlink_to(outside / "file")
    with pytest.raises(Unconfined, match="is a link"):
        open_below(root, path, flags, make_folders=True)
    assert [entry.name for entry in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "secret"


def test_only_regular_files_are_opened_and_a_fifo_does_not_block(root):
    os.mkfifo("fifo", dir_fd=root)
    os.mkdir("folder", dir_fd=root)
    for name in ("fifo", "folder"):
        with pytest.raises(Unconfined, match="not a regular file"):
            open_below(root, name, os.O_RDONLY)


def test_no_descriptor_is_left_open(root):
    os.mkfifo("fifo", dir_fd=root)
    os.symlink("/", "link", dir_fd=root)
    before = os.listdir("/proc/self/fd")
    for path in ("fifo", "link/x", "missing/x", "link"):
        with pytest.raises((Unconfined, FileNotFoundError)):
            open_below(root, path, os.O_RDONLY)
    assert os.listdir("/proc/self/fd") == before
