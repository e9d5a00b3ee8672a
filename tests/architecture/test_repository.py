"""Keep the repository whole: names that are ours, a README per package, no trace of where it was made."""

import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT, tracked_files

DOCUMENT = re.compile(r"(?<![\w/.-])((?:\.\./)*[\w.-]+(?:/[\w.-]+)*\.md)\b")
SKIPPED = {".png", ".j2", ".json", ".lock"}
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        if path.suffix not in SKIPPED:
            try:
                yield path, path.read_text()
            except UnicodeDecodeError:
                continue


def packages() -> list[str]:
    """The libraries, and the packages right below the gateway; deeper ones are their parent's matter."""
    return [*PACKAGES, *(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("gateway/*/__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_common_name_is_ours(package):
    """`logs` and `quota` are names that anybody could have taken."""
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).parent == ROOT / package


@pytest.mark.parametrize("package", PACKAGES)
def test_git_ignores_no_package(package):
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    asked = subprocess.run([*git, "check-ignore", "-q", f"{package}/new.py"], check=False)
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.returncode == 1


@pytest.mark.parametrize("package", packages())
def test_every_package_has_a_readme(package):
    assert (ROOT / package / "README.md").is_file(), f"{package}/README.md: purpose, words, recipe, traps"


def test_no_file_names_the_folder_it_was_made_in():
    assert [path for path, text in texts() if len(ROOT.parts) > 2 and str(ROOT) + "/" in text] == []


def test_every_document_that_is_named_is_here():
    known = {path.name for path in tracked_files() if path.suffix == ".md"}
    found = [(path, name) for path, text in texts() for name in DOCUMENT.findall(text)]
    assert [f"{path}: {name}" for path, name in found if name.rpartition("/")[2] not in known] == []


def test_every_link_of_a_document_leads_somewhere():
    links = [(path, link) for path, text in texts() if path.suffix == ".md" for link in LINK.findall(text)]
    assert [f"{path}: {link}" for path, link in links if not (path.parent / link).exists()] == []


def test_the_lock_names_no_package_index():
    lock = (ROOT / "requirements.lock").read_text()
    assert re.findall(r"--(?:extra-)?index-url.*|--find-links.*|\w+://\S+", lock) == []
