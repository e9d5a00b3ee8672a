"""Keep a few open sessions per Unix user with the privileged helper, and never repeat a request.

A session costs the helper a fork and a change of user (a few milliseconds), so idle ones are kept for a while.
"""

import os
import socket
import threading
import time
from collections.abc import Callable

from gateway.errors import ClusterUnreachable, GatewayFault
from gateway.ids import UnixUser
from gateway.runas.frames import Frame, FrameError, receive, send


class RunnerUnavailable(ClusterUnreachable):
    """The privileged helper gave no answer. What was asked of it may or may not have happened."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent
        """False: the request never left, so nothing happened."""


class RunnerRefused(GatewayFault):
    """The privileged helper said no; `code` is its word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SessionPool:
    """Sessions by user. Thread-safe; a forked process starts with none."""

    def __init__(
        self,
        connect: Callable[[UnixUser], socket.socket],
        *,
        per_user: int,
        idle_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._per_user = per_user
        self._idle_s = idle_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._idle: dict[UnixUser, list[tuple[float, socket.socket]]] = {}
        self._slots: dict[UnixUser, threading.BoundedSemaphore] = {}

    def call(self, user: UnixUser, request: Frame, *, timeout_s: float, max_fds: int = 0) -> Frame:
        """Ask once and return the good answer; raises RunnerUnavailable, RunnerRefused."""
        slot = self._slot(user)
        if not slot.acquire(timeout=timeout_s):
            raise RunnerUnavailable(f"all {self._per_user} sessions of {user} are busy", sent=False)
        try:
            session = self._take(user) or self._connect(user)
            try:
                reply = _exchange(session, request, timeout_s, max_fds)
            except (OSError, FrameError) as error:
                session.close()
                raise RunnerUnavailable(f"lost the session of {user}: {error}", sent=True) from None
            except ValueError as error:
                self._give_back(user, session)
                raise RunnerRefused("too_large", str(error)) from None
            self._give_back(user, session)
        finally:
            slot.release()
        if reply.header.get("ok") is not True:
            raise RunnerRefused(str(reply.header.get("error")), str(reply.header.get("message")))
        return reply

    def close(self) -> None:
        """Close the idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for sessions in idle.values():
            for _, session in sessions:
                session.close()

    def _slot(self, user: UnixUser) -> threading.BoundedSemaphore:
        if self._pid != os.getpid():  # sessions shared with our parent would mix up the answers
            self.close()
            self._pid = os.getpid()
        with self._lock:
            return self._slots.setdefault(user, threading.BoundedSemaphore(self._per_user))

    def _take(self, user: UnixUser) -> socket.socket | None:
        """Pick the user's youngest idle session that still lives, and close everybody's that idled too long."""
        oldest = self._monotonic() - self._idle_s
        with self._lock:
            for sessions in self._idle.values():
                while sessions and sessions[0][0] < oldest:
                    sessions.pop(0)[1].close()
            mine = self._idle.get(user, [])
            while mine:
                _, session = mine.pop()
                if _is_quiet(session):
                    return session
                session.close()
        return None

    def _give_back(self, user: UnixUser, session: socket.socket) -> None:
        with self._lock:
            self._idle.setdefault(user, []).append((self._monotonic(), session))


def _exchange(session: socket.socket, request: Frame, timeout_s: float, max_fds: int) -> Frame:
    session.settimeout(timeout_s)
    send(session, request)
    reply = receive(session, max_fds=max_fds)
    if reply is None:
        raise FrameError("the helper hung up")
    return reply


def _is_quiet(session: socket.socket) -> bool:
    """An idle session has nothing to say: bytes or an end mean that it is of no use any more."""
    try:
        session.settimeout(0)
        session.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
