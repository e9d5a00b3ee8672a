"""A feed and its followers, looked at by hand: every way in which a log can be another log."""

import threading
from collections.abc import Callable

import pytest

from logs.chunk import Break, Chunk, End, Gap, Item
from logs.cursor import Cursor, fingerprint
from logs.feed import Feed
from logs.follower import Follower
from logs.memory import MemorySource
from logs.source import NO_FILE, Slice
from logs.strand import Strand
from logs.tuning import Tuning

LINES = b"".join(b"line %03d\n" % number for number in range(30))


class Hooked(MemorySource):
    """Runs `hook` once, before or instead of the next read."""

    hook: Callable[[], Slice | None] | None = None

    def read(self, offset, limit):
        hook, self.hook = self.hook, None
        answer = hook() if hook else None
        return super().read(offset, limit) if answer is None else answer


class Desk:
    """A feed over a source and a clock that moves by hand."""

    def __init__(self, source: MemorySource, *, stream: str = "stdout", chunk: int = 64, window: int = 64):
        self.now = 0.0
        tuning = Tuning(chunk=chunk, window=window, settle=1.0, patience=3.0)
        self.feed = Feed(stream=stream, source=source, tuning=tuning, now=0.0)

    def look(self, seconds: float = 0.0) -> float | None:
        self.now += seconds
        while (pause := self.feed.poll(now=self.now, wall=self.now)) == 0.0:
            pass
        return pause

    def finish(self) -> None:
        self.feed.finish(None, self.now)
        assert self.look() is None

    def follow(self, start: Cursor | int = 0) -> Follower:
        return follow(self, start=start)


def follow(*desks: Desk, start: Cursor | int = 0) -> Follower:
    strands = [Strand(desk.feed, start, lambda: 0.0) for desk in desks]
    return Follower(strands, on_close=lambda: None, clock=lambda: 0.0)


def everything(follower: Follower) -> list[Item]:
    items = []
    while (item := follower.take(timeout=0)) is not None:
        items.append(item)
    return items


def joined(items: list[Item]) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk))


def gaps(items: list[Item]) -> list[tuple[Break, int, int, int]]:
    return [(item.reason, item.generation, item.start, item.end) for item in items if isinstance(item, Gap)]


def test_a_replacement_that_begins_with_the_same_bytes_is_noticed_by_its_inode():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    everything(reader)
    source.replace(LINES + b"more\n")
    desk.look()
    items = everything(reader)
    assert gaps(items) == [(Break.REPLACED, 0, len(LINES), len(LINES))]
    assert joined(items) == LINES + b"more\n"


def test_a_shorter_log_is_reported_as_truncated():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    everything(reader)
    source.truncate(90)
    desk.look()
    items = everything(reader)
    assert gaps(items) == [(Break.TRUNCATED, 0, len(LINES), len(LINES))]
    assert joined(items) == LINES[:90]


def test_nuls_at_the_end_are_held_until_something_follows_or_the_log_ends():
    source = MemorySource(b"")
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    source.append(b"a\0\0")
    for _ in range(10):
        desk.look(1.0)
    assert joined(everything(reader)) == b"a"
    source.append(b"b\0")
    desk.look(1.1)
    desk.look(1.1)
    assert joined(everything(reader)) == b"\0\0b"
    desk.finish()
    assert joined(everything(reader)) == b"\0"


def test_a_cut_sequence_is_released_when_its_rest_does_not_come():
    source = MemorySource(b"")
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    source.append(b"a\xe2\x82")
    desk.look(0.125)
    assert joined(everything(reader)) == b"a"
    desk.look(1.125)
    desk.look(1.125)
    (item,) = everything(reader)
    assert item.payload() == {"stream": "stdout", "generation": 0, "offset": 1, "time": 2.375, "base64": "4oI="}


def test_a_new_generation_settles_anew():
    source = MemorySource(LINES)
    desk = Desk(source, window=10)
    for _ in range(3):
        desk.look(1.1)
    source.replace(b"a\0b")
    desk.look(0.1)
    reader = desk.follow()
    assert joined(everything(reader)) == b"a"


def test_the_end_releases_everything_at_once():
    content = b"a\0b" * 100
    source = MemorySource(b"")
    desk = Desk(source)
    desk.look()
    source.append(content)
    desk.finish()
    assert joined(everything(desk.follow())) == content


def test_the_index_begins_anew_with_a_new_generation():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    source.truncate(0)
    desk.look(1.0)
    source.append(b"12345")
    desk.look(1.0)
    assert (desk.feed.offset_at(1.5), desk.feed.offset_at(2.0)) == (0, 5)


def test_a_change_during_the_first_look_is_no_gap():
    source = Hooked(LINES)
    size = source.read(0, 0)

    def truncated_after_the_size_was_taken():
        source.truncate(20)
        return size

    source.hook = truncated_after_the_size_was_taken
    desk = Desk(source)
    reader = desk.follow(Cursor(generation=0, offset=9, check=fingerprint(LINES[:9])))
    desk.look()
    items = everything(reader)
    assert gaps(items) == []
    assert joined(items) == LINES[9:20]


def test_the_first_look_at_a_long_log_reads_only_its_end():
    source = MemorySource(bytes(64 * 1000).replace(b"\0", b"x"))
    Desk(source).look()
    assert source.reads <= 3


def test_waiting_for_what_has_already_happened_does_not_wait():
    desk = Desk(MemorySource(b"x"))
    version = desk.feed.view(0, 0).version
    desk.look()
    woken = threading.Event()
    desk.feed.wait(version, 1, woken)
    assert woken.is_set()


def test_a_read_that_contradicts_the_feed_waits_for_its_next_look():
    source = Hooked(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    source.hook = lambda: NO_FILE  # gone for one read only
    assert reader.take(timeout=0) is None
    desk.look()
    assert joined(everything(reader)) == LINES


@pytest.mark.parametrize("other", [b"short", LINES.upper() * 2])
def test_a_follower_that_reads_for_itself_never_gets_bytes_of_another_file(other):
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    source.replace(other)
    assert reader.take(timeout=0) is None
    desk.look()
    items = everything(reader)
    assert gaps(items) == [(Break.REPLACED, 0, 0, len(LINES))]
    assert joined(items) == other


def test_a_follower_that_reads_for_itself_never_gets_bytes_of_a_truncated_file():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    source.truncate(0)
    source.append(b"other")
    assert reader.take(timeout=0) is None
    desk.look()
    assert joined(everything(reader)) == b"other"


def test_a_log_replaced_just_before_a_follower_reads_for_itself_is_not_taken_for_the_old_one(monkeypatch):
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    view, calls = desk.feed.view, []

    def replaced_before_the_reading_itself(generation, offset):
        calls.append(offset)
        if len(calls) == 4:  # placing, two decisions to read, and now the read
            source.replace(LINES.upper())
            desk.look()
        return view(generation, offset)

    monkeypatch.setattr(desk.feed, "view", replaced_before_the_reading_itself)
    items = everything(reader)
    assert len(calls) > 4
    assert gaps(items) == [(Break.REPLACED, 0, 0, len(LINES))]
    assert joined(items) == LINES.upper()


def test_a_cursor_ahead_of_the_feed_is_trusted_only_when_the_feed_has_come_there():
    source = MemorySource(b"")
    desk = Desk(source)
    desk.look()
    source.append(LINES)
    reader = desk.follow(Cursor(generation=2, offset=90, check=fingerprint(LINES[:90])))
    assert reader.take(timeout=0) is None
    source.truncate(0)
    desk.look()
    assert gaps(everything(reader)) == [(Break.TRUNCATED, 2, 90, 90)]
    source.append(LINES)
    desk.look()
    assert joined(everything(reader)) == LINES


def test_a_cursor_not_yet_trusted_is_given_up_when_the_log_is_replaced():
    source = MemorySource(LINES[:45])
    desk = Desk(source)
    desk.look()
    source.append(LINES[45:])
    reader = desk.follow(Cursor(generation=0, offset=90, check=fingerprint(LINES[:90])))
    assert reader.take(timeout=0) is None
    source.replace(LINES.upper())
    desk.look()
    items = everything(reader)
    assert gaps(items) == [(Break.REPLACED, 0, 90, 90)]
    assert joined(items) == LINES.upper()


def test_a_cursor_of_an_earlier_generation_is_not_trusted_even_if_its_bytes_agree():
    """A program that was started again writes the same first lines."""
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    source.truncate(0)
    desk.look()
    source.append(LINES)
    desk.look()
    items = everything(desk.follow(Cursor(generation=0, offset=90, check=fingerprint(LINES[:90]))))
    assert gaps(items) == [(Break.REWRITTEN, 0, 90, 90)]
    assert joined(items) == LINES


def test_a_generation_that_passed_while_a_follower_slept_is_delivered_from_the_window():
    source = MemorySource(b"one\n")
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    assert reader.take(timeout=0) is not None
    for content in (b"two\n", b"three\n"):
        source.replace(content)
        desk.look()
    items = everything(reader)
    assert joined(items) == b"two\nthree\n"
    assert gaps(items) == [(Break.REPLACED, 0, 4, 4), (Break.REPLACED, 1, 4, 4)]


def test_a_gap_names_the_bytes_that_were_missed():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    reader = desk.follow()
    first = reader.take(timeout=0)
    assert isinstance(first, Chunk)
    source.replace(b"new")
    desk.look()
    assert gaps(everything(reader)) == [(Break.REPLACED, 0, first.end, len(LINES))]


def test_a_complete_log_that_vanished_is_a_gap_and_then_the_end():
    source = MemorySource(LINES)
    desk = Desk(source)
    desk.look()
    desk.finish()
    reader = desk.follow()
    first = reader.take(timeout=0)
    assert isinstance(first, Chunk)
    source.remove()
    gap, end = everything(reader)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.start, gap.end) == (Break.VANISHED, first.end, len(LINES))
    assert isinstance(end, End)
    assert end.offsets == {"stdout": len(LINES)}


def test_streams_take_turns():
    desks = [Desk(MemorySource(LINES), stream=name) for name in ("stdout", "stderr")]
    for desk in desks:
        desk.look()
    reader = follow(*desks)
    first = [item.stream for item in everything(reader) if isinstance(item, Chunk)][:4]
    assert first == ["stdout", "stderr", "stdout", "stderr"]
    assert reader.position.startswith("o=0:270~")
