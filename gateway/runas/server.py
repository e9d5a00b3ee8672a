"""Accept connections as root, read one line, and fork a session that becomes the user it names.

This process parses nothing but that line. Everything a session can be told is parsed after root is gone.
"""

import contextlib
import json
import os
import pwd
import selectors
import signal
import socket
import struct
import sys
import time
from typing import NoReturn

from gateway.runas.attempts import make_folder
from gateway.runas.config import Config, ConfigError, ConfigFile
from gateway.runas.identity import Refused, admit, become, look_up
from gateway.runas.processes import close_others, silence
from gateway.runas.session import serve
from gateway.runas.verbs import Tenant

_LINE_LIMIT = 128
_LINE_TIMEOUT_S = 2.0
_MAX_WAITING = 64
_UCRED = struct.Struct("3i")


class Server:
    """The root process. Its sessions are its children; sbatch launchers are not, they outlive everything."""

    def __init__(self, listener: socket.socket, file: ConfigFile) -> None:
        self._listener = listener
        self._file = file
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[socket.socket, tuple[float, int]] = {}
        """Connections that have not said their line: until when they may, and their peer's uid."""
        self._sessions: dict[int, str] = {}
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM, then end the sessions."""
        wakeup, signalled = socket.socketpair()
        for end in (wakeup, signalled, self._listener):
            end.settimeout(0)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(wakeup, selectors.EVENT_READ)
        log("helper.started", pid=os.getpid())
        while not self._stopping:
            for key, _ in self._selector.select(_LINE_TIMEOUT_S if self._waiting else None):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is wakeup:
                    wakeup.recv(4096)
                elif isinstance(key.fileobj, socket.socket):
                    self._read_line(key.fileobj)
            self._drop_silent(time.monotonic())
            self._reap()
        for pid in self._sessions:
            os.kill(pid, signal.SIGTERM)
        log("helper.stopped", sessions=len(self._sessions))

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            connection.settimeout(0)
            _, peer, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if len(self._waiting) >= _MAX_WAITING:
                _refuse(connection, peer, None, "busy", "too many connections that have not said for whom they are")
            else:
                self._waiting[connection] = (time.monotonic() + _LINE_TIMEOUT_S, peer)
                self._selector.register(connection, selectors.EVENT_READ)

    def _read_line(self, connection: socket.socket) -> None:
        """Read the line and decide; before it is read, our answer could be lost to the peer (ECONNRESET).

        It comes in one piece: it is sent by one call and fits any socket buffer.
        """
        _, peer = self._forget(connection)
        try:
            text = connection.recv(_LINE_LIMIT)
        except OSError:
            text = b""
        line, newline, rest = text.partition(b"\n")
        if not newline or rest:
            sentence = f"the first line must be a Unix user name of less than {_LINE_LIMIT} bytes, sent alone"
            _refuse(connection, peer, None, "bad_line", sentence)
            return
        user = line.decode("utf-8", errors="replace")
        try:
            config = self._file.current()
            allowed = peer in client_uids(config)
        except ConfigError as error:
            _refuse(connection, peer, user, "config", str(error))
            return
        if not allowed:
            _refuse(connection, peer, user, "not_a_client", f"uid {peer} may not use this helper")
        elif len(self._sessions) >= config.max_sessions:
            _refuse(connection, peer, user, "busy", f"{config.max_sessions} sessions are open, the limit")
        elif list(self._sessions.values()).count(user) >= config.max_sessions_per_user:
            _refuse(connection, peer, user, "busy", f"{user} has {config.max_sessions_per_user} sessions, the limit")
        else:
            self._open_session(connection, peer, user, config)

    def _open_session(self, connection: socket.socket, peer: int, user: str, config: Config) -> None:
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no process left for now
            _refuse(connection, peer, user, "busy", f"no new session: {error.strerror}")
            return
        if pid == 0:
            _session(connection, peer, user, config)
        connection.close()
        self._sessions[pid] = user
        log("session.opened", peer_uid=peer, user=user, pid=pid)

    def _drop_silent(self, now: float) -> None:
        for connection, (until, peer) in list(self._waiting.items()):
            if now >= until:
                self._forget(connection)
                _refuse(connection, peer, None, "bad_line", f"no user name within {_LINE_TIMEOUT_S:g} s")

    def _forget(self, connection: socket.socket) -> tuple[float, int]:
        self._selector.unregister(connection)
        return self._waiting.pop(connection)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                log("session.closed", pid=ended[0], user=self._sessions.pop(ended[0], "?"), status=ended[1])


def client_uids(config: Config) -> frozenset[int]:
    """Resolve the users that may connect; raises ConfigError."""
    try:
        return frozenset(pwd.getpwnam(name).pw_uid for name in config.clients)
    except KeyError as error:
        raise ConfigError(f"clients: {error.args[0]}") from None


def log(event: str, **facts: object) -> None:
    """Write one JSON line to stderr; a log that went away is no reason to stop serving."""
    with contextlib.suppress(OSError):
        sys.stderr.write(json.dumps({"time": round(time.time(), 3), "event": event} | facts) + "\n")
        sys.stderr.flush()


def _session(connection: socket.socket, peer: int, user: str, config: Config) -> NoReturn:
    """Be the forked child: check, become the user, say `ok`, serve. Never returns."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        close_others(connection.fileno())
        connection.settimeout(None)
        clients = client_uids(config)
        person = look_up(user)
        admit(person, config, clients=clients)
        make_folder(config.attempts_root, person, owners=clients | {0})
        become(person, config)
        silence()
        connection.sendall(b"ok\n")
        serve(connection, Tenant(person=person, config=config))
    except (Refused, ConfigError) as error:
        _refuse(connection, peer, user, getattr(error, "code", "config"), str(error))
    except BaseException as error:  # noqa: BLE001 - nothing may run on in a half-changed process
        _refuse(connection, peer, user, "bug", repr(error))
    finally:
        os._exit(0)


def _refuse(connection: socket.socket, peer: int, user: str | None, code: str, sentence: str) -> None:
    log("session.refused", peer_uid=peer, user=user, code=code, reason=sentence)
    with contextlib.suppress(OSError):
        connection.sendall(f"error {code} {' '.join(sentence.split())}\n".encode())
    connection.close()
