"""Frame the messages between a runner and its session: a JSON header, raw bytes, passed descriptors."""

import array
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_HEADER = 1024 * 1024
MAX_BODY = 24 * 1024 * 1024
"""Room for a 20 MB script and for the 8 MiB of one `read`."""

_SIZES = struct.Struct(">II")


class FrameError(Exception):
    """The peer does not speak this protocol, or hung up in the middle of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. Whoever receives `fds` owns them."""

    header: Mapping[str, Any]
    body: bytes = b""
    fds: tuple[int, ...] = ()


def send(sock: socket.socket, frame: Frame) -> None:
    """Send one message; raises OSError when the peer is gone, ValueError when it is too large to be understood."""
    header = json.dumps(frame.header, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER or len(frame.body) > MAX_BODY:
        raise ValueError(f"message too large: {len(header)} + {len(frame.body)} bytes")
    head = _SIZES.pack(len(header), len(frame.body)) + header
    sent = socket.send_fds(sock, [head], frame.fds) if frame.fds else 0
    sock.sendall(head[sent:])
    if frame.body:
        sock.sendall(frame.body)


def receive(sock: socket.socket, *, max_fds: int = 0) -> Frame | None:
    """Read one message; None when the peer hung up between two. The kernel drops descriptors beyond `max_fds`."""
    sizes = bytearray()
    fds = array.array("i")
    room = socket.CMSG_SPACE(max_fds * fds.itemsize) if max_fds else 0
    while len(sizes) < _SIZES.size:
        # Not socket.recv_fds: up to Python 3.11 it drops the flags, and the next child would inherit the descriptors.
        piece, passed, _, _ = sock.recvmsg(_SIZES.size - len(sizes), room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in passed:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not piece:
            if sizes:
                raise FrameError("the peer hung up in the middle of a message")
            return None
        sizes += piece
    header_size, body_size = _SIZES.unpack(sizes)
    if header_size > MAX_HEADER or body_size > MAX_BODY:
        raise FrameError(f"message too large: {header_size} + {body_size} bytes")
    header = _object(_read(sock, header_size))
    return Frame(header=header, body=_read(sock, body_size), fds=tuple(fds))


def _read(sock: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = sock.recv_into(view)
        if not count:
            raise FrameError("the peer hung up in the middle of a message")
        view = view[count:]
    return bytes(buffer)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the header is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise FrameError("the header is not a JSON object")
    return value
