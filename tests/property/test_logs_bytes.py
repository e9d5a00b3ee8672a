"""UTF-8, holes, unseen truncation, resuming: each with its own promise."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logs.chunk import Break, Chunk, End, Gap, Item
from logs.cursor import Cursor, CursorError, fingerprint, format_position, parse_position
from logs.feed import Feed
from logs.follower import Follower
from logs.index import TimeIndex
from logs.memory import MemorySource
from logs.reading import cut_sequence
from logs.strand import Strand
from logs.tail import start_of_last_lines
from logs.tuning import Tuning

quick = settings(max_examples=60, deadline=None)
CURSORS = st.builds(
    Cursor,
    generation=st.integers(0, 10**9 - 1),
    offset=st.integers(0, 10**18 - 1),
    check=st.none() | st.integers(0, 2**32 - 1),
)


class Bench:
    """A feed over a source, looked at by hand."""

    def __init__(self, source: MemorySource, *, stream: str = "stdout", chunk: int = 64, window: int = 64):
        self.now = 0.0
        self.feed = Feed(stream=stream, source=source, tuning=Tuning(chunk=chunk, window=window, settle=1.0), now=0.0)

    def look(self, seconds: float = 0.01) -> None:
        self.now += seconds
        while self.feed.poll(now=self.now, wall=self.now) == 0.0:
            pass

    def finish(self) -> None:
        self.feed.finish(None, self.now)
        self.look()


def follow(*benches: Bench, start: dict[str, Cursor] | None = None) -> Follower:
    strands = [Strand(bench.feed, (start or {}).get(bench.feed.stream, 0), lambda: 0.0) for bench in benches]
    return Follower(strands, on_close=lambda: None, clock=lambda: 0.0)


def everything(follower: Follower) -> list[Item]:
    items = []
    while (item := follower.take(timeout=0)) is not None:
        items.append(item)
    return items


def joined(items: list[Item]) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk))


@quick
@given(st.text(min_size=1, max_size=80), st.lists(st.integers(0, 300), max_size=40), st.integers(4, 40), st.booleans())
def test_valid_text_arrives_as_text_however_its_bytes_were_written(text, cuts, chunk, late):
    """Cut by the writer at any byte, by the reader at any chunk, from the window and in replay."""
    data = text.replace("\0", "?").encode()
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    source = MemorySource(b"")
    bench = Bench(source, chunk=chunk)
    reader = follow(bench)
    items: list[Item] = []
    for start, end in pairwise(bounds):
        source.append(data[start:end])
        bench.look()
        items += [] if late else everything(reader)
    bench.finish()
    items += everything(reader)
    assert joined(items) == data
    assert all("text" in item.payload() for item in items if isinstance(item, Chunk))


@quick
@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_hole_that_is_filled_in_time_is_never_seen(data, draw):
    """Pages of an NFS file arrive in any order; the size is there first."""
    data = bytes(byte or 1 for byte in data)
    pieces = draw.draw(st.permutations(range(0, len(data), 16)))
    source = MemorySource(b"")
    bench = Bench(source)
    reader = follow(bench)
    items: list[Item] = []
    for start in pieces:
        source.write_at(start, data[start : start + 16])
        bench.look(0.01)
        items += everything(reader)
    bench.finish()
    items += everything(reader)
    assert joined(items) == data
    assert not any(isinstance(item, Gap) for item in items)


@quick
@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 80), st.integers(1, 500))
def test_a_log_that_was_truncated_and_grew_again_unseen_is_a_new_generation(before, kept, after, window):
    source = MemorySource(b"".join(b"old line %d\n" % number for number in range(before)))
    bench = Bench(source, chunk=50, window=window)
    bench.look()
    reader, half = follow(bench), follow(bench)
    old = source.read(0, 1 << 20).data
    assert joined(everything(reader)) == old
    half.take(timeout=0)
    source.truncate(min(kept, len(old) - 1))
    source.append(b"".join(b"new line %d\n" % number for number in range(after)))
    new = source.read(0, 1 << 20).data
    bench.look()
    bench.finish()
    for follower in (reader, half):
        items = everything(follower)
        gap = next(place for place, item in enumerate(items) if isinstance(item, Gap))
        assert joined(items[gap:]) == new
        assert items[gap].reason in (Break.TRUNCATED, Break.REWRITTEN)  # type: ignore[union-attr]


@quick
@given(st.binary(max_size=300), st.data())
def test_resuming_at_any_item_in_another_process_loses_and_repeats_nothing(data, draw):
    """Both streams; the position travels as text, the second process has looked at nothing before."""
    split = draw.draw(st.integers(0, len(data)))
    sources = {"stdout": MemorySource(data[:split]), "stderr": MemorySource(data[split:])}
    chunk = draw.draw(st.integers(4, 60))
    got = {"stdout": b"", "stderr": b""}
    position = "o=0:0,e=0:0"
    ended = False
    while not ended:
        benches = [Bench(source, stream=name, chunk=chunk) for name, source in sources.items()]
        for bench in benches:
            bench.look()
            bench.finish()
        reader = follow(*benches, start=parse_position(position, ["stdout", "stderr"]))
        for _ in range(draw.draw(st.integers(1, 3))):
            item = reader.take(timeout=0)
            assert not isinstance(item, Gap)
            if isinstance(item, End):
                ended = True
                break
            assert isinstance(item, Chunk)
            got[item.stream] += item.data
        position = reader.position
    assert got == {"stdout": data[:split], "stderr": data[split:]}


@quick
@given(st.binary(min_size=1, max_size=150), st.data())
def test_a_cursor_into_other_bytes_is_answered_with_a_gap_and_the_whole_log(data, draw):
    offset = draw.draw(st.integers(1, len(data)))
    wrong = draw.draw(st.integers(0, 2**32 - 1))
    bench = Bench(MemorySource(data))
    bench.look()
    bench.finish()
    proof = next(c for c in (wrong, wrong ^ 1) if c != fingerprint(data[:offset]))
    items = everything(follow(bench, start={"stdout": Cursor(generation=3, offset=offset, check=proof)}))
    gap = items[0]
    assert isinstance(gap, Gap)
    assert (gap.generation, gap.start, gap.next) == (3, offset, Cursor(generation=4))
    assert joined(items) == data


@quick
@given(CURSORS, CURSORS)
def test_positions_survive_their_text(one, two):
    assert Cursor.parse(str(one)) == one
    pair = {"stdout": one, "stderr": two}
    assert parse_position(format_position(pair), ["stdout", "stderr"]) == pair
    assert parse_position(format_position(pair), ["stderr"]) == {"stderr": two}
    assert set(format_position(pair)) <= set("0123456789abcdef:~=,oe")


@quick
@given(st.text(alphabet="0123456789abcdefoe:~=,-+ \n٣", max_size=30))
def test_any_other_text_is_refused_with_a_sentence(text):
    try:
        canonical = format_position(parse_position(text, ["stdout", "stderr"]))
    except CursorError:
        return
    assert parse_position(canonical, ["stdout", "stderr"]) == parse_position(text, ["stdout", "stderr"])


@pytest.mark.parametrize(
    "text",
    [
        *("", "12", "0:", ":1", "-1:0", "0:-1", "0:1~", "0:1~xyz", "0:1~9F3A1C20", "0:1\n", "٣:1"),
        *("0:9999999999999999999", "o=0:1,o=0:1", "x=0:1", "o=0:1,e=", "o=0:1,,", "=0:1"),
    ],
)
def test_what_is_no_position_is_refused_with_what_was_expected(text):
    with pytest.raises(CursorError, match="expected"):
        parse_position(text, ["stdout"])


def test_a_bare_cursor_does_not_say_which_of_two_streams_it_means():
    with pytest.raises(CursorError, match="o=…,e=…"):
        parse_position("0:1", ["stdout", "stderr"])


@quick
@given(st.lists(st.tuples(st.floats(0.001, 5), st.integers(0, 50)), max_size=120), st.floats(0, 300))
def test_the_index_never_answers_with_too_late_an_offset(steps, asked):
    index = TimeIndex(capacity=16)
    index.note(0, 0.0)
    now, size, truth = 0.0, 0, 0
    for wait, grown in steps:
        now, size = now + wait, size + grown
        index.note(size, now)
        truth = size if now <= asked else truth
    offset = index.offset_at(asked)
    assert offset is not None
    assert offset <= truth
    assert len(index) <= 16
    if asked >= now:
        assert offset == size


@quick
@given(st.lists(st.sampled_from([b"\n", b"a", b"bcd", b"\xc3\xa9"]), max_size=60), st.integers(1, 8), st.integers(1, 9))
def test_the_last_lines_are_those_that_tail_would_print(parts, lines, block):
    data = b"".join(parts)
    start = start_of_last_lines(MemorySource(data + b"\0\0\0"), lines, block=block)
    assert data[start:] == b"".join(data.splitlines(keepends=True)[-lines:])


@quick
@given(st.text(max_size=20), st.integers(0, 80))
def test_a_cut_sequence_is_exactly_what_is_missing_its_end(text, cut):
    data = text.encode()[:cut]
    assert data[: len(data) - cut_sequence(data)].decode() == data.decode(errors="ignore")
