"""Followers get exactly the file's bytes, whatever the writer and the network do."""

import hashlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logs.chunk import Chunk, End, Gap
from logs.cursor import Cursor, parse_position
from logs.feed import Feed
from logs.follower import Follower
from logs.memory import MemorySource
from logs.strand import Strand
from logs.tuning import Tuning

LONG = b"(something long)"
PIECES = st.one_of(
    st.sampled_from(["é", "€", "😀", "line\n", "\0", "a\0\0b"]).map(str.encode),
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.sampled_from([b"\xe2", b"\x82", b"\xac", b"\xf0\x9f", b"\x98", b"\0\0\0\0", LONG]),
)


def tuning(chunk: int, window: int) -> Tuning:
    return Tuning(chunk=chunk, window=window, settle=1.0, patience=3.0)


def follow(*feeds: Feed, start: dict[str, Cursor] | None = None) -> Follower:
    strands = [Strand(feed, (start or {}).get(feed.stream, 0), lambda: 0.0) for feed in feeds]
    return Follower(strands, on_close=lambda: None, clock=lambda: 0.0)


class Copy:
    """A client: it keeps what it was sent, per generation, and insists on gapless offsets."""

    def __init__(self) -> None:
        self.generations: dict[int, bytes] = {}
        self.now = -1
        self.ended = False

    def receive(self, item) -> None:
        if self.now < 0 and not isinstance(item, End):
            self.now = item.generation
            self.generations[self.now] = b""
        match item:
            case Chunk():
                assert item.generation == self.now
                assert item.offset == len(self.generations[self.now]), "a byte was lost or repeated"
                assert item.data, "an empty chunk says nothing"
                self.generations[self.now] += item.data
            case Gap():
                assert (item.generation, item.start) == (self.now, len(self.generations[self.now]))
                assert item.next.generation > self.now
                assert item.next.offset == 0
                self.now = item.next.generation
                self.generations[self.now] = b""
            case End():
                self.ended = True


class FollowedLog(RuleBasedStateMachine):
    """A writer that appends, truncates and replaces; a feed; clients that read, stall, and resume anywhere."""

    @initialize(chunk=st.integers(4, 80), window=st.integers(1, 200), born=st.none() | PIECES)
    def begin(self, chunk, window, born):
        self.source = MemorySource(born)
        self.history = [born or b""]  # every content the file had as one generation, at its longest
        self.tuning = tuning(chunk, window)
        self.now, self.pieces = 0.0, 0
        self.clients: list[tuple[Copy, Follower]] = []
        self.restart_reader()
        self.connect()

    def written(self, piece: bytes) -> bytes:
        """Long pieces never repeat: 64 equal bytes at the same offset are what no cursor can tell apart."""
        self.pieces += 1
        return piece.replace(LONG, hashlib.sha512(b"%d" % self.pieces).hexdigest().encode())

    def content(self) -> bytes:
        return self.source.read(0, 1 << 30).data

    @rule(piece=PIECES)
    def append(self, piece):
        self.source.append(self.written(piece))
        self.history[-1] = self.content()

    @rule(piece=PIECES)
    def replace(self, piece):
        self.source.replace(self.written(piece))
        self.history.append(self.content())

    @rule(share=st.floats(0, 0.99))
    def truncate(self, share):
        self.source.truncate(int(len(self.content()) * share))
        self.look()  # a truncation that regrows unseen to the same 64 bytes is the same log for all anyone can tell
        self.history.append(self.content())

    @rule(seconds=st.sampled_from([0.025, 0.3, 1.1]))
    def look(self, seconds=0.025):
        self.now += seconds
        self.feed.poll(now=self.now, wall=self.now)

    @rule()
    def connect(self):
        self.clients.append((Copy(), follow(self.feed)))

    @rule(count=st.integers(1, 5), which=st.integers(0, 9))
    def read(self, count, which):
        copy, follower = self.clients[which % len(self.clients)]
        for _ in range(count):
            if (item := follower.take(timeout=0)) is None:
                return
            copy.receive(item)

    @rule(which=st.integers(0, 9))
    def resume(self, which):
        which %= len(self.clients)
        copy, follower = self.clients[which]
        position = parse_position(follower.position, ["stdout"])
        self.clients[which] = (copy, follow(self.feed, start=position))

    @rule()
    def restart_reader(self):
        """Another process takes over: it knows nothing, and its clients come back with their cursors."""
        self.feed = Feed(stream="stdout", source=self.source, tuning=self.tuning, now=self.now)
        self.feed.poll(now=self.now, wall=self.now)
        self.clients = [
            (copy, follow(self.feed, start=parse_position(follower.position, ["stdout"])))
            for copy, follower in self.clients
        ]

    @invariant()
    def every_generation_is_a_prefix_of_something_the_file_held(self):
        for copy, _ in getattr(self, "clients", []):
            for data in copy.generations.values():
                assert any(held.startswith(data) for held in self.history), (data, self.history)

    def teardown(self):
        if not hasattr(self, "feed"):
            return
        for _ in range(8):
            self.look(1.1)
        self.feed.finish(None, self.now)
        while self.feed.poll(now=self.now, wall=self.now) is not None:
            self.now += 1
        for copy, follower in self.clients:
            for _ in range(10_000):
                if (item := follower.take(timeout=0)) is None:
                    break
                copy.receive(item)
            assert copy.ended
            assert copy.generations.get(copy.now, b"") == self.content(), "a client ended without the whole log"


TestFollowedLog = FollowedLog.TestCase
TestFollowedLog.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
