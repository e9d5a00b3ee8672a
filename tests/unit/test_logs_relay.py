"""The relay: threads, event loops, ends, and who is still read."""

import asyncio
import threading
import time

import pytest

from logs.chunk import Chunk, End, Item
from logs.memory import MemorySource
from logs.relay import Relay, RelayClosed, Target
from logs.source import SourceRefused
from logs.tuning import Tuning

QUICK = Tuning(fast=0.002, slow=0.004, watched=0.004, settle=0.02, linger=0.02, patience=0.05, threads=2)


@pytest.fixture
def relay():
    relay = Relay(QUICK)
    yield relay
    relay.close()


def text(items) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk))


def drain(follower) -> list[Item]:
    items = []
    while (item := follower.take(timeout=5)) is not None:
        items.append(item)
    return items


def ended(items: list[Item]) -> End:
    assert isinstance(items[-1], End)
    return items[-1]


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        threading.Event().wait(0.002)


def test_a_log_that_is_created_late_is_waited_for_and_followed_to_its_end(relay):
    source = MemorySource()
    with relay.follow(Target(key="a", source=source)) as follower:
        assert follower.take(timeout=0.02) is None
        source.append("grüße\n".encode())
        assert text([follower.take(timeout=5)]) == "grüße\n".encode()
        source.append(b"last \xe2\x82")
        relay.finish("a")
        items = drain(follower)
    assert text(items) == b"last \xe2\x82"
    assert ended(items).offsets == {"stdout": source.read(0, 0).size}
    assert ended(items).complete


def test_a_finished_log_that_never_existed_ends_at_once(relay):
    with relay.follow(Target(key="a", source=MemorySource())) as follower:
        relay.finish("a")
        assert [type(item) for item in drain(follower)] == [End]


def test_a_log_shorter_than_announced_is_waited_for(relay):
    source = MemorySource(b"first ")
    with relay.follow(Target(key="a", source=source)) as follower:
        relay.finish("a", final_size=10)
        assert text([follower.take(timeout=5)]) == b"first "
        source.append(b"late")
        items = drain(follower)
    assert text(items) == b"late"
    assert ended(items).complete


def test_a_log_that_stays_shorter_than_announced_ends_incomplete(relay):
    with relay.follow(Target(key="a", source=MemorySource(b"abc"))) as follower:
        relay.finish("a", final_size=10)
        items = drain(follower)
    assert text(items) == b"abc"
    assert ended(items).complete is False


def test_many_followers_share_one_reader():
    relay = Relay(Tuning(fast=1000, slow=1000, threads=1))
    source = MemorySource(b"x" * 100)
    followers = [relay.follow(Target(key="a", source=source)) for _ in range(50)]
    relay.finish("a")
    for follower in followers:
        assert text(drain(follower)) == b"x" * 100
        follower.close()
    assert source.reads <= 5, "followers read for themselves, or make the relay read"
    relay.close()


def test_two_streams_are_followed_as_one_and_end_together(relay):
    out, err = MemorySource(b"out"), MemorySource(b"err")
    targets = [Target(key="o", source=out), Target(key="e", source=err, stream="stderr")]
    with relay.follow(*targets) as follower:
        got = {item.stream: item.data for item in (follower.take(5), follower.take(5))}
        assert got == {"stdout": b"out", "stderr": b"err"}
        relay.finish("o")
        assert follower.take(timeout=0.03) is None
        relay.finish("e")
        assert follower.take(timeout=5).offsets == {"stdout": 3, "stderr": 3}
        assert follower.take(timeout=0) is None


def test_a_slow_follower_holds_up_nobody_and_loses_nothing():
    relay = Relay(Tuning(fast=0.001, slow=0.001, chunk=16, window=64, threads=1))
    source = MemorySource(b"")
    with relay.follow(Target(key="a", source=source)) as slow, relay.follow(Target(key="a", source=source)) as quick:
        lines = [f"line {number}\n".encode() for number in range(100)]
        seen = b""
        for line in lines:
            source.append(line)
            while len(seen) < source.read(0, 0).size:
                seen += text([quick.take(timeout=5)])
        relay.finish("a")
        assert seen == b"".join(lines)
        assert text(drain(slow)) == b"".join(lines)
    relay.close()


def test_reading_stops_some_time_after_the_last_follower_left(relay):
    source = MemorySource(b"x")
    with relay.follow(Target(key="a", source=source)) as follower:
        follower.take(timeout=5)
    until(lambda: not relay._entries)
    reads = source.reads
    threading.Event().wait(0.03)
    assert source.reads == reads


def test_a_watched_log_keeps_its_index_without_followers(relay):
    source = MemorySource(b"")
    relay.watch("a", source)
    until(lambda: relay.offset_at("a", 0.0) == 0)
    until(lambda: source.reads > 15)  # 15 looks of 4 ms are longer than the linger time
    source.append(b"x" * 10)
    until(lambda: relay.offset_at("a", time.time()) == 10)
    relay.unwatch("a")
    until(lambda: not relay._entries)
    assert relay.offset_at("a", time.time()) is None


def test_a_log_is_still_read_for_a_while_for_those_who_reconnect():
    relay = Relay(Tuning(watched=0.001, linger=60, threads=1))
    source = MemorySource(b"")
    relay.follow(Target(key="a", source=source)).close()
    until(lambda: source.reads > 5)
    source.append(b"written meanwhile")
    until(lambda: relay.offset_at("a", time.time()) == 17)
    relay.close()


def test_a_finished_log_is_forgotten_with_its_last_follower(relay):
    with relay.follow(Target(key="a", source=MemorySource(b"x"))) as follower:
        relay.finish("a")
        drain(follower)
        assert relay._entries
    assert not relay._entries


def test_a_refused_log_is_reported_to_every_follower_and_tried_anew_by_the_next(relay):
    source = MemorySource(b"x")
    source.fail_with(SourceRefused("it is a link"))
    with relay.follow(Target(key="a", source=source)) as follower:
        for _ in range(2):
            with pytest.raises(SourceRefused, match="it is a link"):
                follower.take(timeout=5)
        source.fail_with(None)
        with relay.follow(Target(key="a", source=source)) as another:
            assert another.take(timeout=5).data == b"x"


def test_a_passing_fault_delays_and_loses_nothing(relay):
    source = MemorySource(b"a")
    with relay.follow(Target(key="a", source=source)) as follower:
        assert follower.take(timeout=5).data == b"a"
        source.fail_with(OSError("stale file handle"))
        reads = source.reads
        until(lambda: source.reads > reads + 2)
        source.fail_with(None)
        source.append(b"b")
        assert follower.take(timeout=5).data == b"b"


def test_a_bug_in_a_source_reaches_the_follower(relay):
    source = MemorySource(b"a")
    source.fail_with(ZeroDivisionError("bug"))
    with relay.follow(Target(key="a", source=source)) as follower, pytest.raises(ZeroDivisionError):
        follower.take(timeout=5)


def test_closing_the_relay_tells_waiting_followers():
    relay = Relay(QUICK)
    follower = relay.follow(Target(key="a", source=MemorySource(b"")))
    threading.Timer(0.02, relay.close).start()
    with pytest.raises(RelayClosed):
        follower.take(timeout=5)
    follower.close()
    with pytest.raises(RelayClosed):
        relay.follow(Target(key="a", source=MemorySource(b"")))


def test_coroutines_follow_and_time_out(relay):
    source = MemorySource(b"")

    async def scenario():
        followers = [relay.follow(Target(key="a", source=source)) for _ in range(20)]
        assert await followers[0].next(0.01) is None

        async def consume(follower):
            return [item async for item in follower]

        tasks = [asyncio.create_task(consume(follower)) for follower in followers]
        for piece in (b"one\n", b"two\n"):
            source.append(piece)
            await asyncio.sleep(0)
        relay.finish("a")
        results = await asyncio.wait_for(asyncio.gather(*tasks), 5)
        for follower in followers:
            follower.close()
        return results

    for items in asyncio.run(scenario()):
        assert text(items) == b"one\ntwo\n"
        assert isinstance(items[-1], End)


def test_a_cancelled_wait_loses_no_byte():
    """Slow reads are abandoned in their thread again and again; their bytes come all the same, once."""

    class Slow(MemorySource):
        def read(self, offset, limit):
            if limit > 200:  # a replay, not the feed's look
                gate.wait(0.003)
            return super().read(offset, limit)

    gate = threading.Event()
    content = bytes(range(48, 122)) * 60
    source = Slow(content)
    relay = Relay(Tuning(fast=0.002, slow=0.002, chunk=300, window=300, threads=1))

    async def scenario():
        got = b""
        with relay.follow(Target(key="a", source=source)) as follower:
            while len(got) < len(content):
                try:
                    item = await asyncio.wait_for(follower.next(), 0.002)
                except TimeoutError:
                    continue
                got += text([item])
        return got

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == content
    relay.close()
