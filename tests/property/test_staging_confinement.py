"""No path, and no tree of links, leads out of a root."""

import os
import posixpath
import tempfile
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from staging.location import MAX_PATH_BYTES, Unconfined, confine, open_below

PIECES = [
    "..",
    ".",
    "/",
    "//",
    "\\",
    "%2e",
    "%2f",
    "%252e",
    "\uff0e",
    "\u2025",
    "\uff0f",
    "\u2024",
    "a",
    "B",
    "é",
    "\0",
]
PIECES += ["e\u0301", "::", "file:", "\n", " ", "~", "\udcff"]
paths = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(path=paths)
def test_a_confined_path_stays_below_any_root_however_it_is_read(path):
    try:
        confined = confine(path)
    except Unconfined:
        return
    assert confine(confined) == confined
    assert len(confined.encode()) <= MAX_PATH_BYTES
    for reading in (confined, unquote(confined), unicodedata.normalize("NFKC", confined)):
        assert posixpath.normpath(posixpath.join("/root/of/it", reading)) == f"/root/of/it/{reading}"


@settings(max_examples=200, deadline=None)
@given(path=st.from_regex(r"[a-zA-Z0-9_ü-]{1,9}(/[a-zA-Z0-9_ü-]{1,9}){0,5}", fullmatch=True))
def test_an_ordinary_path_is_never_refused_nor_changed(path):
    assert confine(path) == path


NAMES = ["a", "b", "c"]
entries = st.dictionaries(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join),
    st.sampled_from(["file", "folder", "/", "..", "../..", "../../outside", "a", "b/c", "outside"]),
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(tree=entries, path=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join), write=st.booleans())
def test_what_is_opened_lies_below_the_root_whatever_links_there_are(tree, path, write):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        (home / "outside").mkdir()
        (home / "outside" / "c").write_text("secret")
        root = home / "root"
        root.mkdir()
        for name, kind in sorted(tree.items()):
            build(root / name, kind, outside=home / "outside")
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            opened = open_below(descriptor, path, flags, make_folders=write)
        except (Unconfined, OSError):
            pass
        else:
            assert os.readlink(f"/proc/self/fd/{opened}") == f"{root}/{path}"
            os.close(opened)
        finally:
            os.close(descriptor)
        assert [entry.name for entry in (home / "outside").iterdir()] == ["c"]


def build(at: Path, kind: str, *, outside: Path) -> None:
    """Make a file, a folder or a link, unless what stands in its way says otherwise."""
    if os.path.lexists(at) or not at.parent.is_dir() or at.parent.resolve() != at.parent:
        return
    if kind == "file":
        at.write_text("ours")
    elif kind == "folder":
        at.mkdir()
    else:
        at.symlink_to(outside if kind == "outside" else kind)
