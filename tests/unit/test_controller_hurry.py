"""What the wake directory can and cannot do: a hint brings a look forward, a flood of them does not bring a flood."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.controller.loop import Hurry
from gateway.settings import ClusterSettings


@contextmanager
def watching(directory: Path) -> Iterator[Hurry]:
    hurry = Hurry(ClusterSettings(runas_socket=Path("/r"), attempts_root=Path("/a"), wake_dir=directory))
    stop = threading.Event()
    thread = threading.Thread(target=hurry.watch_directory, args=(stop,))
    thread.start()
    try:
        yield hurry
    finally:
        stop.set()
        thread.join()


def leave_hint(directory: Path, name: str) -> None:
    """Leave a hint and wait until it was taken."""
    hint = directory / name
    hint.touch()
    until = time.monotonic() + 10
    while hint.exists():
        assert time.monotonic() < until, "nobody took the hint"
        time.sleep(0.005)


def test_a_hint_brings_one_look_at_once_and_some_soon_after(tmp_path: Path):
    with watching(tmp_path) as hurry:
        leave_hint(tmp_path, "1-main-1-0badcafe")
        assert hurry.wake.wait(10)
        pauses = [hurry.pause(0.0) for _ in range(5)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0]


def test_hints_during_a_series_of_looks_start_no_other(tmp_path: Path):
    with watching(tmp_path) as hurry:
        leave_hint(tmp_path, "first")
        assert hurry.wake.wait(10)
        hurry.wake.clear()
        hurry.pause(0.0)
        for number in range(3):
            leave_hint(tmp_path, f"more-{number}")
        assert not hurry.wake.is_set()
        while hurry.pause(0.0) < 1.0:
            pass
        leave_hint(tmp_path, "after")
        assert hurry.wake.wait(10)


def test_what_cannot_be_removed_does_not_keep_the_watcher_busy(tmp_path: Path):
    (tmp_path / "directory" / "inside").mkdir(parents=True)
    with watching(tmp_path) as hurry:
        assert hurry.wake.wait(10)
        hurry.wake.clear()
        while hurry.pause(0.0) < 1.0:
            pass
        leave_hint(tmp_path, "a real one")
        assert hurry.wake.wait(10)
    assert (tmp_path / "directory" / "inside").exists()
