"""How sessions with the helper are kept, given up and told apart from answers; no helper is running."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from gateway.ids import UnixUser
from gateway.runas.frames import MAX_BODY, Frame, FrameError, receive, send
from gateway.slurm.sessions import RunnerRefused, RunnerUnavailable, SessionPool

ADA, BOB = UnixUser("ada"), UnixUser("bob")
ASK = Frame(header={"verb": "resolve"})
YES = Frame(header={"ok": True})


class Far:
    """The far ends of the sessions that were opened, each answered by a function."""

    def __init__(self) -> None:
        self.ends: list[tuple[UnixUser, socket.socket]] = []
        self.answer: Callable[[socket.socket, Frame], None] = lambda end, _: send(end, YES)

    def connect(self, user: UnixUser) -> socket.socket:
        near, far = socket.socketpair()
        self.ends.append((user, far))
        threading.Thread(target=self._serve, args=(far,), daemon=True).start()
        return near

    def _serve(self, end: socket.socket) -> None:
        with end, suppress(OSError):  # whoever asked may have gone
            while request := receive(end):
                self.answer(end, request)


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def pool(far: Far, clock: list[float]) -> Iterator[SessionPool]:
    pool = SessionPool(far.connect, per_user=2, idle_s=30, monotonic=lambda: clock[0])
    yield pool
    pool.close()


def test_a_session_is_used_again_for_its_user_only(pool: SessionPool, far: Far) -> None:
    for user in (ADA, ADA, BOB, ADA):
        pool.call(user, ASK, timeout_s=5)
    assert [user for user, _ in far.ends] == [ADA, BOB]


def test_a_session_that_idled_too_long_is_replaced(pool: SessionPool, far: Far, clock: list[float]) -> None:
    pool.call(ADA, ASK, timeout_s=5)
    clock[0] = 31
    pool.call(BOB, ASK, timeout_s=5)
    pool.call(ADA, ASK, timeout_s=5)
    assert [user for user, _ in far.ends] == [ADA, BOB, ADA]


def test_a_session_that_died_while_idle_is_replaced_without_a_word(pool: SessionPool, far: Far) -> None:
    pool.call(ADA, ASK, timeout_s=5)
    far.ends[0][1].shutdown(socket.SHUT_RDWR)
    pool.call(ADA, ASK, timeout_s=5)
    assert len(far.ends) == 2


def test_a_session_lost_after_the_question_is_never_asked_again(pool: SessionPool, far: Far) -> None:
    asked = []

    def hang_up(end: socket.socket, request: Frame) -> None:
        asked.append(request)
        end.shutdown(socket.SHUT_RDWR)

    far.answer = hang_up
    with pytest.raises(RunnerUnavailable) as caught:
        pool.call(ADA, ASK, timeout_s=5)
    assert caught.value.sent
    assert len(asked) == 1


def test_a_late_answer_is_not_taken_for_the_next_ones(pool: SessionPool, far: Far) -> None:
    release = threading.Event()

    def late(end: socket.socket, _: Frame) -> None:
        release.wait(5)
        send(end, Frame(header={"ok": True, "late": True}))

    far.answer = late
    with pytest.raises(RunnerUnavailable, match="timed out") as caught:
        pool.call(ADA, ASK, timeout_s=0.02)
    assert caught.value.sent
    release.set()
    far.answer = lambda end, _: send(end, YES)
    assert pool.call(ADA, ASK, timeout_s=5) == YES


def test_a_refusal_carries_its_word_and_keeps_the_session(pool: SessionPool, far: Far) -> None:
    far.answer = lambda end, _: send(end, Frame(header={"ok": False, "error": "absent", "message": "there is no x"}))
    for _ in range(2):
        with pytest.raises(RunnerRefused, match="there is no x") as caught:
            pool.call(ADA, ASK, timeout_s=5)
        assert caught.value.code == "absent"
    assert len(far.ends) == 1


def test_a_busy_user_waits_and_then_learns_that_nothing_was_sent(pool: SessionPool, far: Far) -> None:
    release, asked = threading.Event(), threading.Semaphore(0)

    def later(end: socket.socket, _: Frame) -> None:
        asked.release()
        release.wait(5)
        send(end, YES)

    far.answer = later
    threads = [threading.Thread(target=pool.call, args=(ADA, ASK), kwargs={"timeout_s": 5}) for _ in range(2)]
    for thread in threads:
        thread.start()
    asked.acquire()
    asked.acquire()
    with pytest.raises(RunnerUnavailable, match="all 2 sessions of ada are busy") as caught:
        pool.call(ADA, ASK, timeout_s=0.01)
    assert not caught.value.sent
    release.set()
    for thread in threads:
        thread.join()


def test_a_question_that_is_too_large_is_refused_before_it_leaves(pool: SessionPool, far: Far) -> None:
    with pytest.raises(RunnerRefused, match="too large") as caught:
        pool.call(ADA, Frame(header={}, body=bytes(MAX_BODY + 1)), timeout_s=5)
    assert caught.value.code == "too_large"
    pool.call(ADA, ASK, timeout_s=5)
    assert len(far.ends) == 1


def test_a_failed_connection_gives_its_place_back(far: Far) -> None:
    def refuse(user: UnixUser) -> socket.socket:
        raise RunnerUnavailable("no helper", sent=False)

    pool = SessionPool(refuse, per_user=1, idle_s=30)
    for _ in range(3):
        with pytest.raises(RunnerUnavailable, match="no helper"):
            pool.call(ADA, ASK, timeout_s=0.01)


def test_frames_carry_header_body_and_nothing_else() -> None:
    near, far = socket.socketpair()
    with near, far:
        sent = Frame(header={"a": ["ü", 1, None]}, body=bytes(range(256)))
        send(near, sent)
        send(near, YES)
        assert receive(far) == sent
        assert receive(far) == YES
        near.close()
        assert receive(far) is None


@pytest.mark.parametrize(
    "junk",
    [b"\0", b"\xff" * 8, b"\0\0\0\2\0\0\0\0[", b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\1\0\0\0\0{", b"\0\0\0\2\0\0\0\5{}abc"],
)
def test_what_is_no_frame_is_an_error(junk: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(junk)
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(FrameError):
            receive(far)


def test_a_body_that_no_peer_would_take_is_not_sent() -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(ValueError, match="too large"):
        send(near, Frame(header={}, body=bytes(MAX_BODY + 1)))
