"""The small parts: window, index, tail, pacing, poller, wake-ups, JSON."""

import asyncio
import json
import threading

import pytest

from logs.chunk import Break, Chunk, End, Gap, as_json
from logs.cursor import Cursor
from logs.index import TimeIndex
from logs.memory import MemorySource
from logs.poller import Poller
from logs.reading import ready
from logs.tail import start_of_last_lines
from logs.tuning import Tuning
from logs.wakeups import resolve, wake
from logs.window import Window


def chunk(offset: int, data: bytes, generation: int = 0) -> Chunk:
    return Chunk(stream="stdout", generation=generation, offset=offset, at=1.5, data=data, check=7)


def test_a_window_keeps_its_newest_bytes_only():
    window = Window(size=10)
    for offset in range(0, 40, 4):
        window.append(chunk(offset, b"abcd"))
    assert window.find(0, 0) == chunk(32, b"abcd")
    assert window.find(0, 37) == chunk(36, b"abcd")
    assert window.find(0, 40) is None


def test_a_window_of_tiny_chunks_is_bounded_by_their_number():
    window = Window(size=10**6, count=5)
    for offset in range(20):
        window.append(chunk(offset, b"x"))
    assert window.find(0, 0) == chunk(15, b"x")


def test_a_window_always_keeps_the_last_chunk():
    window = Window(size=2)
    window.append(chunk(0, b"abcdef"))
    assert window.find(0, 3) == chunk(0, b"abcdef")


@pytest.mark.parametrize(
    ("data", "settled", "at_end", "length"),
    [
        (b"ab\xe2", 3, False, 2),  # its rest is in the file: never cut
        (b"ab\xe2", 3, True, 3),  # its rest has not come for long
        (b"ab\xe2", 0, True, 2),
        (b"ab\xe2", -5, True, 2),
        (b"a\0b", 0, True, 1),
        (b"a\0b", 1, False, 1),
        (b"a\0b", 2, False, 3),
        (b"a\0\0", 3, True, 1),
        (b"\0", 0, True, 0),
        (b"", 0, True, 0),
    ],
)
def test_what_may_be_handed_out(data, settled, at_end, length):
    assert ready(data, settled=settled, at_end=at_end) == length


def test_an_index_knows_nothing_before_its_first_look_at_a_log_with_content():
    index = TimeIndex()
    assert index.offset_at(5) is None
    index.note(100, 10.0)
    assert index.offset_at(9.9) is None
    assert index.offset_at(10.0) == 100
    assert (index.time_of(100), index.time_of(101)) == (10.0, None)


def test_an_index_keeps_the_last_size_of_a_burst():
    index = TimeIndex(resolution=0.1)
    for size, time in [(0, 0.0), (1, 1.0), (2, 2.0), (3, 2.05), (4, 2.06)]:
        index.note(size, time)
    assert index.offset_at(3.0) == 4
    assert index.offset_at(1.5) == 1
    assert len(index) == 4


def test_an_index_ignores_what_does_not_grow():
    index = TimeIndex()
    for time in range(50):
        index.note(3, float(time))
    assert len(index) == 1


def test_a_full_index_answers_in_proportion_to_the_age_asked_for():
    index = TimeIndex(capacity=64, share=0.2)
    for second in range(2000):
        index.note(second, float(second))
    assert len(index) <= 64
    for asked in range(2000):
        offset = index.offset_at(float(asked))
        assert offset is not None
        assert 0 <= asked - offset <= 1 + 0.25 * (1999 - asked)


def test_a_thinned_index_does_not_include_what_came_before_a_long_silence():
    index = TimeIndex(capacity=64, share=0.2)
    for second in [*range(100), *range(1000, 1100)]:
        index.note(second, float(second))
    assert index.offset_at(500.0) == 99


def test_an_index_stays_bounded_however_long_it_runs():
    index = TimeIndex(capacity=8, share=0.001)
    for second in range(500):
        index.note(second, float(second))
        assert len(index) <= 8


@pytest.mark.parametrize(
    ("content", "limit", "start"),
    [
        (b"one\ntwo\nthree\n", 100, 0),
        (b"one\ntwo\nthree\n", 8, 8),
        (b"one\ntwo\nthree\n", 9, 8),
        (b"a single line that is longer than the limit\n", 6, 38),
        (b"a single line that is longer than the limit", 6, 37),
    ],
)
def test_the_search_for_last_lines_is_bounded(content, limit, start):
    assert start_of_last_lines(MemorySource(content), 10, limit=limit) == start


def test_no_lines_wanted_is_the_end():
    assert start_of_last_lines(MemorySource(b"one\n"), 0) == 4
    assert start_of_last_lines(MemorySource(), 5) == 0


def test_a_log_that_shrinks_under_the_search_is_given_whole():
    class Shrinking(MemorySource):
        def read(self, offset, limit):
            seen = super().read(offset, limit)
            self.truncate(5)
            return seen

    assert start_of_last_lines(Shrinking(b"one\ntwo\n"), 1) == 0


def test_pauses_grow_with_silence_between_their_bounds():
    tuning = Tuning()
    assert [tuning.pause(quiet) for quiet in (0, 9, 40, 3600)] == [0.025, 0.025, 0.1, 0.25]


def test_work_hurried_while_it_runs_runs_once_more():
    poller = Poller(threads=1, name="test")
    running, go_on, twice = threading.Event(), threading.Event(), threading.Event()
    runs = []

    def work() -> float | None:
        runs.append(1)
        if len(runs) > 1:
            twice.set()
            return None
        running.set()
        go_on.wait(5)
        return 1000.0

    poller.add("a", work)
    assert running.wait(5)
    poller.hurry("a")
    go_on.set()
    assert twice.wait(5)
    poller.close()


def test_work_that_waits_for_long_can_be_hurried():
    poller = Poller(threads=2, name="test")
    runs = threading.Semaphore(0)

    def work() -> float:
        runs.release()
        return 1000.0

    poller.add("a", work)
    assert runs.acquire(timeout=5)
    for _ in range(3):
        poller.hurry("a")
        assert runs.acquire(timeout=5)
    poller.close()


def test_waking_the_cancelled_and_the_closed_does_no_harm():
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.cancel()
    resolve([future])
    loop.close()
    event = threading.Event()
    wake([future, event])
    assert event.is_set()


def test_text_and_junk_render_as_one_ascii_line():
    lines = as_json(chunk(3, "é\u2028\u0085\n".encode()))
    assert lines.isascii()
    assert lines.splitlines() == [lines]
    assert json.loads(lines) == {
        "stream": "stdout", "generation": 0, "offset": 3, "time": 1.5, "text": "é\u2028\u0085\n"
    }  # fmt: skip
    assert json.loads(as_json(chunk(3, b"\xff")))["base64"] == "/w=="


def test_a_gap_and_an_end_render_their_ranges():
    gap = Gap(stream="stderr", generation=1, start=5, end=9, at=2.0, reason=Break.TRUNCATED, next=Cursor(generation=2))
    assert json.loads(as_json(gap)) == {
        "stream": "stderr", "generation": 1, "from": 5, "to": 9, "time": 2.0, "reason": "truncated", "next": "2:0"
    }  # fmt: skip
    end = End(offsets={"stdout": 9}, at=3.0, complete=True)
    assert json.loads(as_json(end)) == {"offsets": {"stdout": 9}, "time": 3.0, "complete": True}
